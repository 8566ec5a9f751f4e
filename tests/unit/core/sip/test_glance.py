"""What the quick reader takes, and what it leaves to the careful one; that both agree is for tests/fuzz/test_twin.py."""
from __future__ import annotations

import pytest

from osip.core.sip.fields import fill
from osip.core.sip.glance import read
from osip.core.sip.message import Request, Response, _parse_carefully, parse

HEADERS = (b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport\r\nMax-Forwards: 70\r\n"
           b'From: "A" <sip:a@b>;tag=1-x.y\r\nTo: <sip:c@d>\r\nCall-ID: i@j\r\nCSeq: 7 INVITE\r\nX-Own: 1\r\n')
INVITE = b"INVITE sip:c@d SIP/2.0\r\n" + HEADERS + b"Content-Length: 2\r\n\r\nab"


def test_plain_request() -> None:
    msg = read(INVITE, Request, Response)
    assert msg is not None and msg.checked and msg.is_request
    assert (msg.method, msg.uri.host, msg.call_id, msg.cseq, msg.max_forwards) == ("INVITE", "d", "i@j", 7, 70)
    assert (msg.from_tag, msg.to_tag, msg.via1_branch, msg.body) == ("1-x.y", "", "z9hG4bKa", b"ab")
    careful = _parse_carefully(INVITE)
    fill(careful)
    assert list(msg.headers) == careful.headers and msg.via1_cut == careful.via1_cut


def test_plain_response() -> None:
    msg = read(b"SIP/2.0 200 All fine\r\n" + HEADERS + b"\r\n", Request, Response)
    assert isinstance(msg, Response)
    assert (msg.status, msg.reason, msg.method, msg.content_length, msg.body) == (200, "All fine", "INVITE", None, b"")


@pytest.mark.parametrize("old, new", [
    (b"INVITE sip", b"NEW sip"), (b"sip:c@d SIP", b"sip:c@d;= SIP"), (b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"),
    (b"sip:c@d SIP", b"mailto:c@d SIP"), (b"\r\nTo: ", b"\r\n To: "), (b"X-Own: 1", b"X-Own 1"), (b"X-Own: 1", b"X Own: 1"),
    (b"X-Own: 1", b"X-Own:  1"), (b"X-Own: 1", b"X-Own:1\n2"), (b"CSeq: 7 INVITE\r\n", b""), (b"7 INVITE", b"7 BYE"),
    (b"7 INVITE", b"7  INVITE"), (b"CSeq: 7", b"CSeq: 2147483648"), (b"i@j", b"i j"), (b"X-Own: 1", b"To: <sip:e@f>"),
    (b"Length: 2", b"Length: 3"), (b"Length: 2", b"Length: +2"), (b"Forwards: 70", b"Forwards: 256"),
    (b";rport", b', SIP/2.0/UDP h;branch=z9hG4bKb'), (b":5060", b":65536"), (b"/UDP", b"/XYZ"), (b"\r\n\r\n", b"\r\n"),
    (b';tag=1-x.y', b';x=";tag=1"'), (b'"A" <', b'"A <'), (b'"A" <sip:a@b>', b"sip:a@b"),
])
def test_anything_else_needs_care(old: bytes, new: bytes) -> None:
    assert old in INVITE
    assert read(INVITE.replace(old, new, 1), Request, Response) is None


def test_parse_takes_both_ways() -> None:
    assert parse(INVITE).checked
    assert not parse(INVITE.replace(b"X-Own: 1", b"X-Own: 1\r\n 2")).checked
