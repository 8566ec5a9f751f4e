"""Tables of messages that cannot be worked with, and why."""

from __future__ import annotations

import pytest

from osip.core.sip.message import check, parse

GOOD = (
    "INVITE sip:u@h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z1\r\nFrom: <sip:f@x>;tag=ft\r\n"
    "To: <sip:t@x>\r\nCall-ID: c\r\n"
    "CSeq: 5 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 4\r\n\r\nbody"
)


def test_good() -> None:
    assert check(parse(GOOD.encode())) is None
    assert check(parse(GOOD.encode()), deep=True) is None
    assert check(parse((GOOD + "extra").encode())) is None


@pytest.mark.parametrize(
    ("old", "new", "code", "reason"),
    [
        ("Via: SIP/2.0/UDP a;branch=z1\r\n", "", 400, "missing Via"),
        ("From: <sip:f@x>;tag=ft\r\n", "", 400, "missing From"),
        ("To: <sip:t@x>\r\n", "", 400, "missing To"),
        ("Call-ID: c\r\n", "", 400, "missing Call-ID"),
        ("CSeq: 5 INVITE\r\n", "", 400, "missing CSeq"),
        ("SIP/2.0/UDP a", "SIP/2.0/UDP", 400, "bad Via header"),
        ("z1\r\n", "z1, rubbish\r\n", 400, "bad Via header"),
        ("<sip:f@x>;tag=ft", "<sip:f@x;tag=ft", 400, "bad From header"),
        ("<sip:t@x>", "sip:t@x>", 400, None),
        ("CSeq: 5", "CSeq: 2147483648", 400, "bad CSeq header: number out of range"),
        ("CSeq: 5 INVITE", "CSeq: 5 BYE", 400, "CSeq method differs from the request's"),
        ("CSeq: 5 INVITE", "CSeq: 5", 400, "bad CSeq header"),
        ("Max-Forwards: 70", "Max-Forwards: 256", 400, "bad Max-Forwards header"),
        ("Max-Forwards: 70", "Max-Forwards: x", 400, "bad Max-Forwards header"),
        ("Content-Length: 4", "Content-Length: 5", 400, "Content-Length larger than the body"),
        ("Content-Length: 4", "Content-Length: 4\r\nl: 3", 400, "conflicting Content-Length headers"),
        ("Content-Length: 4", "Content-Length: 4\r\nl: x", 400, "bad Content-Length header"),
        ("Call-ID: c\r\n", "Call-ID: c\r\ni: d\r\n", 400, "duplicate Call-ID header"),
        ("sip:u@h SIP", "foo:u@h SIP", 416, "unsupported URI scheme"),
        ("sip:u@h SIP", "sip:u@h@i SIP", 400, "bad URI"),
        ("Max-Forwards: 70\r\n", "X: y\r\n" * 300, 513, "too many headers"),
    ],
)
def test_bad(old: str, new: str, code: int, reason: str | None) -> None:
    assert old in GOOD
    error = check(parse(GOOD.replace(old, new).encode()))
    assert error is not None
    assert error.code == code
    assert error.reason == (reason or error.reason)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Content-Length: 4", "l: 4\r\nContent-Length: 4"),
        ("sip:u@h SIP", "tel:+1 SIP"),
        ("sip:u@h SIP", "urn:service:sos SIP"),
        ("Max-Forwards: 70\r\n", ""),
    ],
)
def test_good_variants(old: str, new: str) -> None:
    assert check(parse(GOOD.replace(old, new).encode())) is None


@pytest.mark.parametrize("extra", ["Contact: <sip:a", "Route: x y", "Nocolon", "Contact: <sip:a b>"])
def test_deep(extra: str) -> None:
    raw = GOOD.replace("CSeq", extra + "\r\nCSeq").encode()
    assert check(parse(raw)) is None
    assert check(parse(raw), deep=True) is not None
