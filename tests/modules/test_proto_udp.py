"""Datagrams through real sockets on loopback."""
from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.net.udp import UdpTransport
from osip.core.run.config import Config
from osip.core.run.env import Env
from osip.core.run.stats import Stats
from osip.modules.proto_udp import ProtoUdp

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\r\n"


class Inbox:
    """Gather messages and wake who waits for a number of them."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, Source]] = []
        self._changed = asyncio.Event()

    def batch_start(self) -> None:
        pass

    def receive(self, raw: bytes, source: Source) -> None:
        self.got.append((raw, source))
        self._changed.set()

    def batch_end(self) -> None:
        pass

    async def count(self, number: int) -> list[tuple[bytes, Source]]:
        async with asyncio.timeout(5):
            while len(self.got) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.got


def env_of() -> Env:
    env = Env()
    env.stats = Stats()
    return env


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_round_trip(host: str) -> None:
    env, inbox = env_of(), Inbox()
    transport = ProtoUdp().make_transport(env)
    local = LocalSocket("udp", host, 0)
    transport.open(local, asyncio.get_running_loop(), inbox)
    peer = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        peer.bind((host, 0))
        peer.settimeout(5)
        for raw in (b"\r\n\r\n", OPTIONS, OPTIONS * 800):
            peer.sendto(raw, (host, local.port))
        got = await inbox.count(2)
        assert [raw for raw, _ in got] == [OPTIONS, OPTIONS * 800]
        source = got[0][1]
        assert (source.socket, source.host, source.port) == (local, host, peer.getsockname()[1])
        assert transport.send(b"SIP/2.0 200 OK\r\n\r\n", Dest("udp", source.host, source.port, local))
        assert peer.recvfrom(4000) == (b"SIP/2.0 200 OK\r\n\r\n", _name(local, host))
        assert next(s for s in env.stats.all() if s.full_name == "net:waiting_udp").read() == 0
    finally:
        peer.close()
        transport.close()


def _name(local: LocalSocket, host: str) -> tuple[Any, ...]:
    return (host, local.port, 0, 0) if ":" in host else (host, local.port)


async def test_a_closed_port_at_the_peer_does_not_break_the_reader() -> None:
    inbox = Inbox()
    transport = ProtoUdp().make_transport(env_of())
    local = LocalSocket("udp", "127.0.0.1", 0)
    transport.open(local, asyncio.get_running_loop(), inbox)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        gone.bind(("127.0.0.1", 0))
        dead = Dest("udp", "127.0.0.1", gone.getsockname()[1], local)
        gone.close()
        try:
            for _ in range(3):
                transport.send(OPTIONS, dead)
            peer.sendto(OPTIONS, ("127.0.0.1", local.port))
            assert len(await inbox.count(1)) == 1
        finally:
            transport.close()


async def test_transport_picks_the_family_and_binds_free_ports() -> None:
    transport = UdpTransport(Config())
    four, six = LocalSocket("udp", "127.0.0.1", 0), LocalSocket("udp", "::1", 0)
    try:
        for local in (four, six):
            transport.open(local, asyncio.get_running_loop(), Inbox())
        assert four.port and four.sent_by == f"127.0.0.1:{four.port}" and str(four.port).encode() in four.via_start
        assert transport.send(OPTIONS, Dest("udp", "127.0.0.1", four.port))
        assert transport.send(OPTIONS, Dest("udp", "::1", six.port))
        assert [port.sent for port in transport.ports] == [1, 1]
        assert not UdpTransport(Config()).send(OPTIONS, Dest("udp", "127.0.0.1", 9))
    finally:
        transport.close()


async def test_an_address_in_use_is_an_os_error() -> None:
    transport = UdpTransport(Config())
    first = LocalSocket("udp", "127.0.0.1", 0)
    try:
        transport.bind(first)
        with pytest.raises(OSError):
            transport.bind(LocalSocket("udp", "127.0.0.1", first.port))
    finally:
        transport.close()
