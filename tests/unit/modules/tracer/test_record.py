"""Records of messages and their forms."""
from __future__ import annotations

import json

from kit.message import request, response

from osip.api import parse
from osip.modules.tracer.record import End, record_of

A, B = End("udp", "192.0.2.1", 5060), End("tls", "2001:db8::1", 5061)


def test_a_request_and_its_reply() -> None:
    raw = request("BYE", to_tag="b")
    found = record_of(parse(raw), raw, 5.0, A, B, "out")
    assert (found.method, found.status, found.call_id, found.from_tag) == ("BYE", "", "call-1", "a1")
    back = response(raw, 481)
    found = record_of(parse(back), back, 5.0, B, A, "in")
    assert (found.method, found.status) == ("BYE", "481")
    columns = found.columns()
    assert (columns["from_proto"], columns["from_ip"], columns["from_port"]) == B
    assert (columns["to_proto"], columns["to_ip"], columns["to_port"]) == A


def test_bytes_of_any_kind_become_one_line() -> None:
    raw = request("MESSAGE", body="a\0b\nc") + b"\xff\xfe"
    line = record_of(parse(raw), raw, 5.0, A, B, "in").line()
    assert "\n" not in line and line.isascii() and "\0" not in json.loads(line)["msg"]
