"""Session descriptions with other addresses."""
from __future__ import annotations

import pytest
from kit.natted import SDP, Edge, after, request

from osip.modules.nathelper.flag import parse_sdp_flags


def fixed(flags: str, ip: str | None = None, fields: str | None = None, body: str = SDP, **params: object
          ) -> tuple[int, str]:
    edge = Edge(dict(params))
    ctx = edge.ctx(request(body=body))
    code = edge.nathelper.fix_nated_sdp(ctx, parse_sdp_flags(flags), ip, fields)
    return code, after(ctx).body.decode()


@pytest.mark.parametrize(("flags", "ip", "fields", "old", "new"), [
    ("2", None, None, "c=IN IP4 10.0.0.5", "c=IN IP4 192.0.2.7"),
    ("2", "198.51.100.1", None, "c=IN IP4 10.0.0.5", "c=IN IP4 198.51.100.1"),
    ("2", "[2001:db8::1]", None, "c=IN IP4 10.0.0.5", "c=IN IP6 2001:db8::1"),
    ("8", None, None, "o=- 1 1 IN IP4 10.0.0.5", "o=- 1 1 IN IP4 192.0.2.7"),
    ("18", None, None, "c=IN IP4 0.0.0.0", "c=IN IP4 192.0.2.7")])
def test_addresses(flags: str, ip: str | None, fields: str | None, old: str, new: str) -> None:
    code, body = fixed(flags, ip, fields)
    assert code == 1 and old + "\r\n" not in body and new + "\r\n" in body


@pytest.mark.parametrize(("flags", "fields", "params", "tail"), [
    ("1", None, {}, "a=direction:active\r\n"),
    ("4", None, {}, "a=nortpproxy:yes\r\n"),
    ("4", None, {"nortpproxy_str": "a=sdpmangled:yes"}, "a=sdpmangled:yes\r\n"),
    ("2", None, {}, "a=oldmediaip:10.0.0.5\r\n"),
    ("10", None, {}, "a=oldoip:10.0.0.5\r\na=oldmediaip:10.0.0.5\r\n"),
    ("10", None, {"oldip_skip": ["c"]}, "c=IN IP4 0.0.0.0\r\na=oldoip:10.0.0.5\r\n"),
    ("2", "a=one\r\na=two", {"oldip_skip": ["c", "o"]}, "c=IN IP4 0.0.0.0\r\na=one\r\na=two\r\n")])
def test_added_lines(flags: str, fields: str | None, params: dict[str, object], tail: str) -> None:
    code, body = fixed(flags, None, fields, **params)
    assert code == 1 and body.endswith(tail)


def test_null_address_stays_and_lengths_follow() -> None:
    edge = Edge()
    ctx = edge.ctx(request(body=SDP))
    edge.nathelper.fix_nated_sdp(ctx, parse_sdp_flags("2"))
    message = after(ctx)
    assert b"c=IN IP4 0.0.0.0\r\n" in message.body and message.content_length == len(message.body)


def test_mark_is_added_once() -> None:
    assert fixed("4", body=SDP + "a=nortpproxy:yes\r\n")[1].count("nortpproxy") == 1


@pytest.mark.parametrize(("body", "ip"), [("", None), ("garbage", None), (SDP, "no.address")])
def test_nothing_to_fix(body: str, ip: str | None) -> None:
    assert fixed("2", ip, body=body) == (-1, body)
