"""PROXY headers, whole and cut, good and bad; the layer that reads them."""
from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest
from hypothesis import given, strategies as st

from osip.core.net.proxied import SIGNATURE, Header, ProxiedLayer, TrustedPeers, parse_proxy


def v2(command: int, family: int, block: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(block)) + block


def addresses(family: int, source: str, port: int) -> bytes:
    return socket.inet_pton(family, source) + socket.inet_pton(family, source) + struct.pack("!HH", port, 5060)


GOOD = [
    (b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 5060\r\n", "192.0.2.1", 4711),
    (b"PROXY TCP6 2001:db8::1 ::1 4711 5060\r\n", "2001:db8::1", 4711),
    (b"PROXY UNKNOWN\r\n", "", 0),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n", "", 0),
    (v2(0x21, 0x11, addresses(socket.AF_INET, "192.0.2.1", 4711)), "192.0.2.1", 4711),
    (v2(0x21, 0x21, addresses(socket.AF_INET6, "2001:db8::1", 4711) + b"\x04\x00\x01x"), "2001:db8::1", 4711),
    (v2(0x20, 0x00, b""), "", 0),
    (v2(0x21, 0x00, b""), "", 0),
]


@pytest.mark.parametrize(("data", "host", "port"), GOOD)
def test_headers(data: bytes, host: str, port: int) -> None:
    assert parse_proxy(data + b"OPTIONS") == Header(len(data), host, port)
    assert {parse_proxy(data[:size]) for size in range(len(data))} == {None}


@pytest.mark.parametrize("data", [
    b"OPTIONS sip:a SIP/2.0\r\n", b"PROXY TCP4 a b 1 2\r\n", b"PROXY TCP4 192.0.2.1 10.0.0.1 0 5060\r\n",
    b"PROXY TCP6 192.0.2.1 10.0.0.1 1 5060\r\n", b"PROXY TCP4 192.0.2.1\r\n", b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
    b"PROXY TCP4 " + b"1" * 200, SIGNATURE + b"\x31\x11\x00\x0c", v2(0x21, 0x11, bytes(11)), v2(0x21, 0x11, bytes(12)),
    SIGNATURE + b"\x21\x11\xff\xff", b"\r\n\r\nX", b"PROXY \r\n",
])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_proxy(data)


@given(st.sampled_from(GOOD), st.binary(max_size=40), st.integers(0, 60))
def test_garbage_never_breaks_it(good: tuple[bytes, str, int], tail: bytes, kept: int) -> None:
    try:
        parse_proxy(good[0][:kept] + tail)
    except ValueError:
        pass


def test_trusted_peers() -> None:
    trusted = TrustedPeers(["10.0.0.0/8", "2001:db8::1"])
    assert "10.1.2.3" in trusted and "2001:db8::1" in trusted
    assert "192.0.2.1" not in trusted and "2001:db8::2" not in trusted and trusted and not TrustedPeers([])
    with pytest.raises(ValueError):
        TrustedPeers(["nowhere"])


class Upper(asyncio.Protocol):
    def __init__(self) -> None:
        self.peer: Any = None
        self.got = b""
        self.ended = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.peer, self.transport = transport.get_extra_info("peername"), transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        if self.got.endswith(b"!"):
            self.transport.write(b"done")

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


async def through(pieces: list[bytes], trusted: str, time: float = 5.0) -> tuple[Upper, bytes, list[str]]:
    """Send pieces to a server behind the layer; return what it saw, what came back, and what was complained of."""
    loop, upper, complaints = asyncio.get_running_loop(), Upper(), []
    server = await loop.create_server(lambda: ProxiedLayer(upper, TrustedPeers([trusted]), loop, time,
                                                           lambda what, *args: complaints.append(args[-1])), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    try:
        back = await asyncio.wait_for(reader.read(4), 5)
    except ConnectionError:
        back = b""
    writer.close()
    server.close()
    return upper, back, complaints


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_the_layer_names_the_real_peer(size: int) -> None:
    data = GOOD[0][0] + b"hello!"
    upper, back, complaints = await through([data[at:at + size] for at in range(0, len(data), size)], "127.0.0.1")
    assert (upper.peer, upper.got, back, complaints) == (("192.0.2.1", 4711), b"hello!", b"done", [])


async def test_a_stranger_is_taken_as_he_is() -> None:
    upper, back, _ = await through([b"hello!"], "192.0.2.0/24")
    assert upper.peer[0] == "127.0.0.1" and upper.got == b"hello!" and back == b"done"


async def test_a_trusted_peer_without_a_header_is_refused() -> None:
    upper, back, complaints = await through([b"OPTIONS sip:a SIP/2.0\r\n"], "127.0.0.1")
    assert upper.peer is None and back == b"" and complaints == ["no PROXY header"]


async def test_a_header_must_come_in_time() -> None:
    upper, back, complaints = await through([b"PROXY TCP4"], "127.0.0.1", 0.05)
    assert upper.peer is None and back == b"" and complaints == ["no PROXY header in time"]
