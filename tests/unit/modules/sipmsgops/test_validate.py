"""Each number of sipmsg_validate."""
from __future__ import annotations

import pytest

from kit.message import request, response
from osip.core.sip.message import parse
from osip.modules.sipmsgops.validate import validate

GOOD = request()
SDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nt=0 0\r\n"


def broken(old: str, new: str, raw: bytes = GOOD) -> bytes:
    assert old.encode() in raw
    return raw.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(("raw", "flags", "code"), [
    (GOOD, "", 1), (GOOD, "shrftc", 1),
    (broken("Call-ID: call-1\r\n", ""), "", -3),
    (broken("Content-Length: 0", "Content-Length: x"), "", -4),
    (broken("Content-Length: 0", "Content-Length: 7"), "", -5),
    (request(headers="Content-Type: application/sdp\r\n", body="nonsense"), "s", -6),
    (request(headers="Content-Type: application/sdp\r\n", body="nonsense"), "", 1),
    (request(headers="Content-Type: application/sdp\r\n", body=SDP), "s", 1),
    (broken("CSeq: 1 INVITE", "CSeq: 1 BYE"), "", -7),
    (broken("CSeq: 1 INVITE", "CSeq: x INVITE"), "", -7),
    (broken("From: <sip:alice@example.com>;tag=a1\r\n", ""), "", -8),
    (broken("To: <sip:bob@example.com>\r\n", ""), "", -9),
    (broken("Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1", "Via: nonsense"), "", -10),
    (broken("INVITE sip:bob@10.0.0.2", "INVITE sip:bob@10_0"), "r", -12),
    (broken("INVITE sip:bob@10.0.0.2", "INVITE sip:bob@10_0"), "", 1),
    (request(max_forwards=None), "", -13), (request(max_forwards=None), "m", 1),
    (broken("Max-Forwards: 70", "Max-Forwards: many"), "", -13),
    (broken("Contact: <sip:alice@10.0.0.1>\r\n", ""), "", -14),
    (broken("Contact: <sip:alice@10.0.0.1>\r\n", "", request("MESSAGE")), "", 1),
    (response(GOOD, 405), "", -16), (response(GOOD, 405, headers="Allow: INVITE\r\n"), "", 1),
    (response(GOOD, 423), "", -17), (response(GOOD, 407), "", -18), (response(GOOD, 420), "", -19),
    (response(GOOD, 401), "", -20), (response(GOOD, 401, headers="WWW-Authenticate: Digest realm=\"x\"\r\n"), "", 1),
    (response(GOOD, 200), "", 1),
    (request(body="hello"), "", -21),
    (broken("sip:bob@example.com", "sip:bob@exa_mple"), "t", -22), (broken("sip:bob@example.com", "sip:bob@exa_mple"),
        "", 1),
    (broken("sip:alice@example.com", "sip:alice@exa_mple"), "f", -23),
    (broken("<sip:alice@10.0.0.1>", "<sip:alice@10_0>"), "c", -26),
    (broken("sip:bob@10.0.0.2", "sip:b{b@10.0.0.2"), "r", -27),
    (broken("sip:alice@example.com", "sip:al{ce@example.com"), "f", -28),
    (broken("sip:bob@example.com", "sip:b{b@example.com"), "t", -29),
    (broken("<sip:alice@10.0.0.1>", "*"), "", -30),
    (broken("<sip:alice@10.0.0.1>", "*", request("REGISTER")), "", 1),
    (request(headers="Path: <sip:\r\n"), "", -15),
])
def test_numbers(raw: bytes, flags: str, code: int) -> None:
    found, why = validate(parse(raw), flags)
    assert found == code, why
    assert bool(why) == (code < 0)
