"""Streams through real sockets on loopback, on both event loops."""
from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop

from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run.env import Env
from osip.core.run.stats import Stats
from osip.modules.proto_tcp import ProtoTcp


def message(number: int = 1, body: str = "") -> bytes:
    return (f"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nCSeq: {number} OPTIONS\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


class Side:
    """A TCP transport with one listening socket and what it received."""

    def __init__(self, host: str = "127.0.0.1", echo: bool = False, params: dict[str, int] | None = None,
                 **settings: Any) -> None:
        self.env = Env()
        self.env.stats = Stats()
        self.env.timers.reset(time.monotonic())
        for name, value in settings.items():
            self.env.config.set(name, value)
        module = ProtoTcp()
        for name, value in (params or {}).items():
            setattr(module, name, value)
        self.transport = module.make_transport(self.env)
        self.local = LocalSocket("tcp", host, 0)
        self.transport.open(self.local, asyncio.get_running_loop(), self)
        self.got: list[tuple[bytes, Source]] = []
        self.unsent: list[tuple[bytes, Dest]] = []
        self._echo = echo
        self._changed = asyncio.Event()

    @property
    def dest(self) -> Dest:
        return Dest("tcp", self.local.host, self.local.port)

    def batch_start(self) -> None:
        pass

    def batch_end(self) -> None:
        pass

    def receive(self, raw: bytes, source: Source) -> None:
        self.got.append((raw, source))
        if self._echo:
            assert self.transport.send(raw, Dest("tcp", source.host, 5060, source.socket, source.conn))
        self._changed.set()

    def on_unsent(self, data: bytes, dest: Dest) -> None:
        self.unsent.append((data, dest))
        self._changed.set()

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(5):
            while not true():
                self._changed.clear()
                await self._changed.wait()


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def run(loop: str, work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(work)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_one_connection_carries_everything_both_ways(loop: str, host: str) -> None:
    async def work() -> None:
        client, server = Side(host), Side(host, echo=True)
        sent = [message(n, "x" * n * 100) for n in range(20)]
        dest = server.dest
        assert all(client.transport.send(data, dest) for data in sent)      # queued while connecting
        await client.until(lambda: len(client.got) == 20)
        assert [raw for raw, _ in server.got] == [raw for raw, _ in client.got] == sent
        assert len(client.transport.connections) == len(server.transport.connections) == 1
        assert client.got[0][1].socket is client.local
        assert client.transport.reaches(dest) and client.transport.listing()[0]["Sent"] == 20
        client.transport.close()
        server.transport.close()
    run(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_refused_connection_returns_what_waited(loop: str) -> None:
    async def work() -> None:
        client, server = Side(), Side()
        dest = server.dest
        server.transport.close()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            dest.port = unused.getsockname()[1]
            assert client.transport.send(message(1), dest) and client.transport.send(message(2), dest)
            await client.until(lambda: len(client.unsent) == 2)
        assert client.unsent == [(message(1), dest), (message(2), dest)]
        assert len(client.transport.connections) == 0 and client.transport.connect_failures == 1
        client.transport.close()
    run(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_connecting_has_its_time(loop: str) -> None:
    async def work() -> None:
        client = Side(tcp_connect_timeout=50)
        with socket.socket() as full:                   # a full backlog: the handshake is not completed
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            assert client.transport.send(message(), Dest("tcp", *full.getsockname()))
            await client.until(lambda: client.unsent)
            for filler in fillers:
                filler.close()
        client.transport.close()
    run(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_replies_use_the_connection_and_then_the_via_address(loop: str) -> None:
    async def work() -> None:
        server, peer = Side(), Side()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.local.port)
        raw = message(1, "abc")
        for at in range(0, len(raw), 9):
            writer.write(raw[at:at + 9])
            await writer.drain()
        writer.write(b"\r\n\r\n")
        await server.until(lambda: server.got)
        assert await asyncio.wait_for(reader.readexactly(2), 5) == b"\r\n"
        source = server.got[0][1]
        reply = Dest("tcp", "127.0.0.1", peer.local.port, source.socket, source.conn)
        server.transport.send(message(2), reply)
        assert await asyncio.wait_for(reader.readexactly(len(message(2))), 5) == message(2)
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(5):
            while len(server.transport.connections):
                await asyncio.sleep(0)
        server.transport.send(message(3), reply)        # gone: to the address in Via
        await peer.until(lambda: peer.got)
        assert peer.got[0][0] == message(3)
        server.transport.close()
        peer.transport.close()
    run(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_peer_that_does_not_read_is_held_back_and_bounded(loop: str) -> None:
    async def work() -> None:
        server = Side(params={"tcp_async_max_postponed_chunks": 4})
        reader, writer = await asyncio.open_connection("127.0.0.1", server.local.port)
        writer.write(message())
        await server.until(lambda: server.got)
        source = server.got[0][1]
        dest = Dest("tcp", source.host, source.port, source.socket, source.conn)
        big, accepted = message(2, "x" * 60000), 0
        async with asyncio.timeout(5):
            while server.transport.send(big, dest):
                accepted += 1
                await asyncio.sleep(0)
        assert server.transport.connections.dropped == 1
        assert await asyncio.wait_for(reader.readexactly(len(big) * accepted), 10) == big * accepted
        writer.write(message(3))                        # reading goes on once the queue is gone
        await server.until(lambda: len(server.got) == 2)
        writer.close()
        server.transport.close()
    run(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_too_many_connections_are_refused(loop: str) -> None:
    async def work() -> None:
        server = Side(tcp_max_connections=1)
        _, first = await asyncio.open_connection("127.0.0.1", server.local.port)
        first.write(message())
        await server.until(lambda: server.got)
        reader, second = await asyncio.open_connection("127.0.0.1", server.local.port)
        try:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        except ConnectionResetError:
            pass
        assert server.transport.connections.refused == 1
        assert not server.transport.send(message(), Dest("tcp", "127.0.0.1", 9, server.local))
        first.close()
        second.close()
        server.transport.close()
    run(loop, work())


TCP = socket.IPPROTO_TCP


@pytest.mark.parametrize(("settings", "expected"), [
    ({}, {(socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1}),
    ({"tcp_keepalive": 0, "tcp_keepidle": 33}, {(socket.SOL_SOCKET, socket.SO_KEEPALIVE): 0}),
    ({"tcp_keepidle": 33}, {(TCP, socket.TCP_KEEPIDLE): 33}), ({"tcp_keepinterval": 7}, {(TCP, socket.TCP_KEEPINTVL): 7}),
    ({"tcp_keepcount": 4}, {(TCP, socket.TCP_KEEPCNT): 4}),
    ({"tos": "0xb8"}, {(socket.IPPROTO_IP, socket.IP_TOS): 0xb8})])
@pytest.mark.parametrize("loop", LOOPS)
def test_socket_options_reach_accepted_and_made_connections(loop: str, settings: dict[str, Any],
                                                            expected: dict[tuple[int, int], int]) -> None:
    async def work() -> None:
        server, client = Side(**settings), Side(**settings)
        assert client.transport.send(message(), server.dest)
        await server.until(lambda: server.got)
        for side in (server, client):
            [conn] = side.transport.connections
            sock = conn.stream.get_extra_info("socket")
            assert {key: sock.getsockopt(*key) for key in expected} == expected
            side.transport.close()
    run(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_message_has_its_time(loop: str) -> None:
    """tcp_max_msg_time: one byte after the other does not prolong it; a whole message in time does no harm."""
    async def work() -> None:
        server = Side(tcp_max_msg_time=1)
        reader, slow = await asyncio.open_connection("127.0.0.1", server.local.port)
        _, good = await asyncio.open_connection("127.0.0.1", server.local.port)
        began, sent = time.monotonic(), 0
        async with asyncio.timeout(8):
            while True:
                slow.write(message()[sent:][:1] if sent < 20 else b"x")
                good.write(message(sent))
                try:
                    assert await asyncio.wait_for(reader.read(1), 0.05) == b""
                    break
                except TimeoutError:
                    sent += 1
                    server.env.timers.run(time.monotonic())
                except ConnectionError:                 # it was closed with a byte of ours unread
                    break
        assert 0.9 < time.monotonic() - began < 6 and server.transport.connections.faults == 1
        assert len(server.transport.connections) == 1 and len(server.got) >= sent > 5
        for writer in (slow, good):
            writer.close()
        server.transport.close()
    run(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_an_idle_connection_has_its_time(loop: str) -> None:
    """tcp_connection_lifetime, from the last message on."""
    async def work() -> None:
        server = Side(tcp_connection_lifetime=1)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.local.port)
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            writer.write(message())
            server.env.timers.run(time.monotonic())
            await asyncio.sleep(0.05)               # traffic is what is under test
        assert len(server.transport.connections) == 1
        async with asyncio.timeout(8):
            while True:
                server.env.timers.run(time.monotonic())
                try:
                    assert await asyncio.wait_for(reader.read(1), 0.05) == b""
                    break
                except TimeoutError:
                    continue
        assert len(server.transport.connections) == 0 and server.transport.connections.faults == 0
        writer.close()
        server.transport.close()
    run(loop, work())


@pytest.mark.parametrize("host", ["name.invalid", "::1"])
def test_what_cannot_be_reached_is_refused_at_once(host: str) -> None:
    async def work() -> None:
        side = Side()
        assert not side.transport.send(message(), Dest("tcp", host, 5060))
        side.transport.close()
    run("asyncio", work())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_proxy_header_names_the_peer(loop: str) -> None:
    async def work() -> None:
        side = Side(params={"proxy_protocol_from": ["127.0.0.1"]})          # type: ignore[dict-item]
        _, writer = await asyncio.open_connection("127.0.0.1", side.local.port)
        for piece in (b"PROXY TCP4 192.0.2.9 ", b"127.0.0.1 4711 5060\r\n" + message(1), message(2)):
            writer.write(piece)
            await writer.drain()
        await side.until(lambda: len(side.got) == 2)
        assert {(source.host, source.port) for _, source in side.got} == {("192.0.2.9", 4711)}
        assert side.transport.send(message(3), Dest("tcp", "192.0.2.9", 4711))      # found by the address it names
        assert len(side.transport.connections) == 1
        writer.close()
        side.transport.close()
    run(loop, work())
