"""Endpoints as scripts write them, and what a socket shows of itself."""
from __future__ import annotations

import pytest

from osip.core.net.endpoint import Dest, Endpoint, LocalSocket, bracket, is_ip, parse_endpoint


@pytest.mark.parametrize("text, expected", [
    ("10.0.0.1", ("", "10.0.0.1", 0)), ("udp:10.0.0.1:5070", ("udp", "10.0.0.1", 5070)),
    ("TLS:example.com", ("tls", "example.com", 0)), ("[::1]:5060", ("", "::1", 5060)), ("::1", ("", "::1", 0)),
    ("tcp:[2001:db8::1]", ("tcp", "2001:db8::1", 0)), ("host:5060", ("", "host", 5060)),
])
def test_parse_endpoint(text: str, expected: tuple[str, str, int]) -> None:
    assert parse_endpoint(text) == Endpoint(*expected)


@pytest.mark.parametrize("text", ["", "udp:", "h:0", "h:65536", "h:x", "[::1", "[::1]x"])
def test_bad_endpoints(text: str) -> None:
    with pytest.raises(ValueError):
        parse_endpoint(text)


@pytest.mark.parametrize("host, expected", [("10.0.0.1", True), ("::1", True), ("[::1]", True), ("", False),
                                            ("example.com", False), ("1.2.3", False), ("1.2.3.400", False)])
def test_is_ip(host: str, expected: bool) -> None:
    assert is_ip(host) is expected


def test_a_socket_shows_the_port_the_system_chose() -> None:
    local = LocalSocket("udp", "::1", 0)
    local.bound_to(5071)
    assert (local.text, local.sent_by) == ("udp:[::1]:5071", "[::1]:5071")
    assert local.via_start == b"Via: SIP/2.0/UDP [::1]:5071;branch="
    shown = LocalSocket("tcp", "10.0.0.1", 0, "sip.example.com", 5060)
    shown.bound_to(5071)
    assert (shown.text, shown.sent_by) == ("tcp:10.0.0.1:5071", "sip.example.com:5060")


def test_dests_are_equal_by_address() -> None:
    assert Dest("udp", "h", 1, conn=3) == Dest("udp", "h", 1) != Dest("tcp", "h", 1)
    assert len({Dest("udp", "h", 1), Dest("udp", "h", 1, conn=1)}) == 1 and bracket("::1") == bracket("[::1]")
