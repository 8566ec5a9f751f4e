"""Rows of captured messages: what stands in which column, of good and of broken messages."""
from __future__ import annotations

from typing import Any

import pytest
from kit.message import request, response

from osip.api import HEP_SIP, CapturedSource, HepPacket, LocalSocket, Source, parse
from osip.modules.sipcapture.row import Path, clip, path_of, report_of, row_of

PATH = Path("192.0.2.1", 5060, "192.0.2.2", 5062, 17, HEP_SIP, 1_700_000_000.25)
HEADERS = ('P-Asserted-Identity: <sip:paid@h>\r\nDiversion: <sip:div@h>;reason=x\r\nReason: Q.850;cause=16\r\n'
           'User-Agent: phone\r\nContent-Type: text/plain\r\nX-RTP-Stat: PS=1\r\n'
           'Authorization: Digest username="al", realm="r", nonce="n", uri="u", response="0"\r\n')


def test_a_request() -> None:
    raw = request("INVITE", "sip:bob@10.0.0.2", headers=HEADERS, body="x\0y")
    row = row_of(parse(raw), PATH, "node1")
    expected = {"method": "INVITE", "reply_reason": "", "ruri": "sip:bob@10.0.0.2", "ruri_user": "bob",
                "from_user": "alice", "from_tag": "a1", "to_user": "bob", "to_tag": "", "pid_user": "paid",
                "contact_user": "alice", "contact_ip": "10.0.0.1", "contact_port": 0, "auth_user": "al",
                "callid": "call-1", "via_1": "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1", "via_1_branch": "z9hG4bK-1",
                "cseq": "1 INVITE", "diversion_user": "div", "reason": "Q.850;cause=16", "content_type": "text/plain",
                "user_agent": "phone", "rtp_stat": "PS=1", "source_ip": "192.0.2.1", "source_port": 5060,
                "destination_ip": "192.0.2.2", "destination_port": 5062, "proto": 17, "family": 2, "type": 1,
                "node": "node1", "micro_ts": 1_700_000_000_250_000}
    assert {name: row[name] for name in expected} == expected
    assert "\0" not in row["msg"] and row["msg"].endswith("x\ufffdy") and row["auth"].startswith("Digest")


def test_a_reply() -> None:
    row = row_of(parse(response(request("INVITE"), 486, "Busy")), PATH._replace(source="2001:db8::1"), "n")
    assert (row["method"], row["reply_reason"], row["ruri"], row["cseq"], row["family"], row["to_tag"]) == \
        ("486", "Busy", "", "1 INVITE", 10, "b1")


@pytest.mark.parametrize(("old", "new", "empty"), [
    (b"From: <sip:alice@example.com>", b"From: <sip:alice@exa mple", "from_user"),
    (b"Contact: <sip:alice@10.0.0.1>", b"Contact: *", "contact_user"),
    (b"CSeq: 1 INVITE", b"CSeq: x", "cseq"), (b"sip:bob@10.0.0.2 SIP", b"tel:123 SIP", "contact_port")])
def test_what_cannot_be_read_is_empty(old: bytes, new: bytes, empty: str) -> None:
    raw = request("INVITE")
    assert old in raw
    row = row_of(parse(raw.replace(old, new)), PATH, "n")
    assert not row[empty] and row["callid"] == "call-1"


def test_bytes_that_are_no_text_can_be_stored() -> None:
    raw = request("INVITE", headers="User-Agent: x\r\n").replace(b"Agent: x", b"Agent: \xff\xfe")
    row = row_of(parse(raw), PATH, "n")
    for value in row.values():
        if isinstance(value, str):
            value.encode("utf-8")


def test_reports_and_clipping() -> None:
    row = report_of(b'{"a": 1}', "call-1", PATH._replace(kind=5), "n")
    assert (row["correlation_id"], row["msg"], row["type"]) == ("call-1", '{"a": 1}', 5)
    assert clip({"a": "12345", "b": 12345, "c": "12345"}, {"a": 3, "b": 3, "c": 0}) == {"a": "123", "b": 12345, "c": "12345"}


@pytest.mark.parametrize(("source", "expected"), [
    (None, ("", 0, "", 0, 17, 1, 9.0)),
    (Source(LocalSocket("tcp", "192.0.2.9", 5060), "192.0.2.1", 5070), ("192.0.2.1", 5070, "192.0.2.9", 5060, 6, 1, 9.0)),
    (CapturedSource(LocalSocket("hep_udp", "192.0.2.9", 9060), "192.0.2.1", 1, HepPacket("192.0.2.1", 1, "192.0.2.2", 2, b"", 6, 5, 7, 500_000)),
     ("192.0.2.1", 1, "192.0.2.2", 2, 6, 5, 7.5))])
def test_paths(source: Any, expected: tuple[Any, ...]) -> None:
    assert path_of(source, 9.0) == expected
