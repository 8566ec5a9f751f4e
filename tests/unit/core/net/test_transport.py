"""Bounded complaints and socket options."""
from __future__ import annotations

import logging
import socket

import pytest

from osip.core.net.endpoint import LocalSocket
from osip.core.net.transport import Complaint, set_multicast, source_address, tos_value


def test_a_complaint_is_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    complain = Complaint(logging.getLogger("osip.test"), every=10, clock=lambda: now)
    for now in (0.0, 1.0, 9.9, 10.0, 11.0):
        complain("flood", "source=%s", "192.0.2.1")
    complain("other", "x=%d", 1, error=ValueError("broken"))
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "flood source=192.0.2.1"), ("WARNING", "flood source=192.0.2.1 left_out=2"),
        ("ERROR", "other x=1")]
    assert caplog.records[-1].exc_info


@pytest.mark.parametrize("text, value", [("IPTOS_LOWDELAY", 16), ("lowdelay", 16), ("IPTOS_THROUGHPUT", 8),
                                         ("IPTOS_RELIABILITY", 4), ("IPTOS_MINCOST", 2), ("0xb8", 184), (46, 46)])
def test_tos(text: str | int, value: int) -> None:
    assert tos_value(text) == value


@pytest.mark.parametrize("text", ["IPTOS_FAST", "256", "-1", "x"])
def test_bad_tos(text: str) -> None:
    with pytest.raises(ValueError):
        tos_value(text)


@pytest.mark.parametrize("host, own", [("127.0.0.1", "127.0.0.1"), ("::1", "::1")])
def test_source_address(host: str, own: str) -> None:
    assert source_address(host) == own


@pytest.mark.parametrize("loopback", [0, 1])
@pytest.mark.parametrize(("host", "family", "level", "hops", "loop"), [
    ("127.0.0.1", socket.AF_INET, socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, socket.IP_MULTICAST_LOOP),
    ("::1", socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, socket.IPV6_MULTICAST_LOOP)])
def test_multicast_options_count_for_every_socket(host: str, family: int, level: int, hops: int, loop: int,
                                                  loopback: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        set_multicast(sock, LocalSocket("udp", host, 5060), loopback, 7)
        assert (sock.getsockopt(level, hops), sock.getsockopt(level, loop)) == (7, loopback)
        set_multicast(sock, LocalSocket("udp", host, 5060), loopback, -1)
        assert sock.getsockopt(level, hops) == 7, "-1 leaves it"
