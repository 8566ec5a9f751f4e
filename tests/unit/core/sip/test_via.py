"""Tables of Via values and of how they are completed (RFC 3261 sections 18.2.1 and 20.42, RFC 3581)."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip.via import build_via, complete_via, parse_via


@pytest.mark.parametrize(
    ("text", "transport", "host", "port", "branch", "received", "rport"),
    [
        ("SIP/2.0/UDP h;branch=z9", "UDP", "h", None, "z9", "", None),
        ("SIP/2.0/TCP h:5060;rport;branch=z9;received=1.2.3.4", "TCP", "h", 5060, "z9", "1.2.3.4", ""),
        ("SIP/2.0/UDP h;rport=9;BRANCH=x", "UDP", "h", None, "x", "", "9"),
        ("sip / 2.0 / udp  h : 99 ; branch = x", "UDP", "h", 99, "x", "", None),
        ("SIP/2.0/WSS [2001:db8::1]:7;received=[::2]", "WSS", "2001:db8::1", 7, "", "::2", None),
        ('SIP/2.0/UDP h;a=";branch=no";branch=yes', "UDP", "h", None, "yes", "", None),
        ("SIP/2.0/UDP h", "UDP", "h", None, "", "", None),
        ("SIP/2.0/UDP h;rport=²", "UDP", "h", None, "", "", ""),
        ("SIP/2.0/UDP h;rport=123456", "UDP", "h", None, "", "", ""),
        ("SIP/2.0/UDP h;branch", "UDP", "h", None, "", "", None),
    ],
)
def test_parts(
    text: str, transport: str, host: str, port: int | None, branch: str, received: str, rport: str | None
) -> None:
    via = parse_via(text)
    assert (via.transport, via.host, via.port, via.branch) == (transport, host, port, branch)
    assert (via.received, via.rport) == (received, rport)
    again = parse_via(str(via))
    assert (again.sent_by, again.params) == (via.sent_by, via.params)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ;branch=x",
        "HTTP/2.0/UDP h",
        "SIP/2.0/UDP h:x",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h:65536",
        "SIP/2.0/UDP ::1",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:²",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_via(text)


@pytest.mark.parametrize(
    ("value", "host", "port", "force", "expected"),
    [
        ("SIP/2.0/UDP 1.1.1.1;branch=x", "1.1.1.1", 5, False, "SIP/2.0/UDP 1.1.1.1;branch=x"),
        ("SIP/2.0/UDP h;branch=x", "1.1.1.1", 5, False, "SIP/2.0/UDP h;branch=x;received=1.1.1.1"),
        (
            "SIP/2.0/UDP 1.1.1.1;rport;branch=x",
            "1.1.1.1",
            5,
            False,
            "SIP/2.0/UDP 1.1.1.1;branch=x;received=1.1.1.1;rport=5",
        ),
        ("SIP/2.0/UDP h;branch=x", "1.1.1.1", 5, True, "SIP/2.0/UDP h;branch=x;received=1.1.1.1;rport=5"),
        ("SIP/2.0/UDP h;received=6.6.6.6;branch=x", "1.1.1.1", 5, False, "SIP/2.0/UDP h;branch=x;received=1.1.1.1"),
        ("SIP/2.0/UDP 1.1.1.1;received=6.6.6.6", "1.1.1.1", 5, False, "SIP/2.0/UDP 1.1.1.1"),
        ("SIP/2.0/UDP h;rport=77", "1.1.1.1", 5, False, "SIP/2.0/UDP h;received=1.1.1.1;rport=5"),
        ("SIP/2.0/UDP h;xrport=1", "1.1.1.1", 5, False, "SIP/2.0/UDP h;xrport=1;received=1.1.1.1"),
    ],
)
def test_complete(value: str, host: str, port: int, force: bool, expected: str) -> None:
    assert complete_via(value.encode(), host, port, force).decode() == expected


def test_build() -> None:
    assert build_via("udp", "h", 5060, "z9", [("rport", None)]) == b"Via: SIP/2.0/UDP h:5060;branch=z9;rport\r\n"
    assert build_via("TLS", "::1", None, "b") == b"Via: SIP/2.0/TLS [::1];branch=b\r\n"


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError):
        parse_via("SIP/2.0/UDP h").nothing  # noqa: B018


def test_param() -> None:
    assert parse_via("SIP/2.0/UDP h;ttl=3;x").param("TTL") == "3"
