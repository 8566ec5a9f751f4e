"""SIP off the wire: what is a whole datagram, which are wanted, and real raw sockets where the system allows them."""
from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest
from kit.message import request, response
from kit.pcap import ip, udp
from kit.script import ScriptBook, faults_of

from osip.modules.sipcapture.raw import MONITOR, PLAIN, TUNNEL, Datagram, Range, RawListener, datagram_of, parse_range

RAW = request("OPTIONS")
PACKET = ip(udp(RAW, 5061, 5062), 17, "192.0.2.1", "192.0.2.2")
SIX = ip(udp(RAW, 5061, 5062), 17, "2001:db8::1", "2001:db8::2")


@pytest.mark.parametrize(("text", "expected"), [
    ("192.0.2.1:5060-5080", Range("192.0.2.1", 5060, 5080)), ("192.0.2.1", Range("192.0.2.1")),
    ("[2001:db8::1]:5060", Range("2001:db8::1", 5060, 5060)), ("", Range()), ("0.0.0.0:5060", Range("", 5060, 5060)),
    ("udp:192.0.2.1:5060", Range("192.0.2.1", 5060, 5060)), (":5060-5061", Range("", 5060, 5061))])
def test_ranges(text: str, expected: Range) -> None:
    assert parse_range(text) == expected


@pytest.mark.parametrize("text", ["host:5060", "192.0.2.1:5080-5060", "192.0.2.1:0", "192.0.2.999", "192.0.2.1:70000"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match="192|ports"):
        parse_range(text)
    assert faults_of(f'modparam("sipcapture", "raw_socket_listen", "{text}") route {{ exit; }}', "sipcapture")


@pytest.mark.parametrize(("raw", "tunnel", "expected"), [
    (PACKET, False, Datagram("192.0.2.1", 5061, "192.0.2.2", 5062, RAW)),
    (PACKET + b"padding of Ethernet", False, Datagram("192.0.2.1", 5061, "192.0.2.2", 5062, RAW)),
    (SIX, False, Datagram("2001:db8::1", 5061, "2001:db8::2", 5062, RAW)),
    (ip(PACKET, 4, "10.0.0.1", "10.0.0.2"), True, Datagram("192.0.2.1", 5061, "192.0.2.2", 5062, RAW)),
    (PACKET, True, None), (ip(PACKET, 4, "10.0.0.1", "10.0.0.2"), False, None), (b"", False, None), (PACKET[:15], False, None),
    (PACKET[:-1], False, None), (SIX[:-1], False, None), (SIX[:30], False, None), (b"\x41" + PACKET[1:], False, None),
    (ip(udp(RAW), 6, "192.0.2.1", "192.0.2.2"), False, None), (ip(b"short", 17, "192.0.2.1", "192.0.2.2"), False, None),
    (ip(udp(RAW)[:-5], 17, "192.0.2.1", "192.0.2.2"), False, None),
    (ip(udp(RAW), 17, "192.0.2.1", "192.0.2.2", more=True), False, None),
    (ip(udp(RAW), 17, "192.0.2.1", "192.0.2.2", offset=8), False, None)])
def test_datagrams(raw: bytes, tunnel: bool, expected: Datagram | None) -> None:
    assert datagram_of(raw, tunnel) == expected


@pytest.mark.parametrize(("wanted", "payload", "is_wanted"), [
    (Range(), RAW, True), (Range("192.0.2.1"), RAW, True), (Range("192.0.2.2", 5060, 5062), RAW, True),
    (Range("192.0.2.3"), RAW, False), (Range("", 1, 100), RAW, False), (Range(), response(RAW, 200), True),
    (Range(), b"\0\0\0\0", False), (Range(), b"GET / HTTP/1.1\r\n", False), (Range(), b"", False)])
def test_what_is_wanted(wanted: Range, payload: bytes, is_wanted: bool) -> None:
    listener = RawListener(PLAIN, wanted, "", False, print)
    assert listener._is_wanted(Datagram("192.0.2.1", 5061, "192.0.2.2", 5062, payload)) is is_wanted


@pytest.mark.parametrize(("kind", "interface"), [(MONITOR, "lo"), (PLAIN, ""), (PLAIN, "lo")])
async def test_real_raw_sockets(kind: str, interface: str) -> None:
    got: list[Datagram] = []
    came = asyncio.Event()

    def take(found: Datagram) -> None:
        got.append(found)
        came.set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        server.bind(("127.0.0.1", 0))
        peer.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        listener = RawListener(kind, Range("127.0.0.1", port, port), interface, kind == MONITOR, take)
        try:
            listener.open()
        except PermissionError:
            pytest.skip("raw sockets need CAP_NET_RAW")
        try:
            peer.sendto(b"no SIP at all", server.getsockname())
            peer.sendto(RAW, server.getsockname())
            await asyncio.wait_for(came.wait(), 5)
            assert got == [Datagram("127.0.0.1", peer.getsockname()[1], "127.0.0.1", port, RAW)] and listener.seen == 1
        finally:
            listener.close()
            listener.close()


async def test_an_interface_that_is_not_there() -> None:
    for kind in (MONITOR, PLAIN, TUNNEL):
        with pytest.raises(OSError, match="."):
            RawListener(kind, Range(), "none-such", False, print).open()


@pytest.mark.parametrize(("settings", "kind"), [
    ('modparam("sipcapture", "raw_moni_capture_on", 1)', "moni"), ('modparam("sipcapture", "raw_ipip_capture_on", 1)', "ipip"),
    ('modparam("sipcapture", "raw_socket_listen", "192.0.2.1:5060")', "plain")])
async def test_without_the_right_they_have_no_effect(settings: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    book = ScriptBook(f'{settings} route {{ exit; }}', "sipcapture", log_level=3)

    def refuse(*args: Any) -> Any:
        raise PermissionError(1, "Operation not permitted")
    monkeypatch.setattr("osip.modules.sipcapture.raw.socket.socket", refuse)
    await book.modules["sipcapture"].child_init(book.env)
    await book.modules["sipcapture"].destroy()
    assert [line for line in book.said if "no effect" in line and f"raw_{kind}" in line]


@pytest.mark.parametrize("route", ["sip", "HEP"])
async def test_scripts_see_what_was_seen(route: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    book = ScriptBook(f'modparam("sipcapture", "hep_route", "{route}") modparam("sipcapture", "raw_socket_listen", ":5060") '
                      'route { xlog("main $si $sp"); sl_send_reply(200, "OK"); } route[HEP] { xlog("hep $si $sp"); }',
                      "sipcapture", "sl")
    book.modules["sipcapture"]._seen(Datagram("192.0.2.1", 5061, "192.0.2.2", 5062, RAW))
    assert f"{'main' if route == 'sip' else 'hep'} 192.0.2.1 5061" in book.said
