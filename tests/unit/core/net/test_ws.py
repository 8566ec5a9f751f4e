"""WebSocket connections on a fake stream and a fake clock: handshake, queue, deadlines, goodbyes."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from osip.core.net.connections import CLOSED, CONNECTING, OPEN, Connections, StreamLimits
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.websocket import WebSocket, WsLimits
from osip.core.net.ws import WsConnection, WsTransport
from osip.core.run.config import Config
from osip.core.run.timers import Timers

LOCAL = LocalSocket("ws", "192.0.2.1", 80)
PEER = ("192.0.2.7", 40000)
SIP = b"OPTIONS sip:a@b SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n"
DEST = Dest("ws", *PEER)


class Stream:
    """A loop transport that remembers what was done to it."""

    def __init__(self) -> None:
        self.written, self.calls = b"", []
        self.buffered = 0

    def get_extra_info(self, name: str) -> Any:
        return PEER if name == "peername" else None

    def write(self, data: bytes) -> None:
        self.written += data

    def take(self) -> bytes:
        out, self.written = self.written, b""
        return out

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


class Bench:
    """A table, its receiver, wheel and clock; `browser` is the other end of an accepted connection."""

    def __init__(self, queue: int = 1000) -> None:
        self.now = 1000.0
        self.timers = Timers(self.now)
        self.table = Connections(StreamLimits(Config(), queue), self.timers, clock=lambda: self.now)
        self.table.receiver = self              # type: ignore[assignment]
        self.got: list[bytes] = []
        self.stream = Stream()
        self.browser = WebSocket(WsLimits(), "ws://192.0.2.1:80/", "http://page")

    def batch_start(self) -> None: ...

    def batch_end(self) -> None: ...

    def receive(self, raw: bytes, source: Any) -> None:
        self.got.append(raw)

    def accept(self, shake: bool = True) -> WsConnection:
        conn = WsConnection(self.table, LOCAL, "", 0, WsLimits(handshake_time=2.0))
        conn.connection_made(self.stream)
        if shake:
            self.browser.start()
            conn.data_received(self.browser.take_output())
            self.browser.feed(self.stream.take())
            assert self.browser.open and conn.web.open
        return conn

    def connect(self) -> WsConnection:
        conn = WsConnection(self.table, LOCAL, *PEER, WsLimits(handshake_time=2.0))
        self.table.add(conn)
        return conn

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.1
            self.timers.run(self.now)


def test_messages_both_ways() -> None:
    bench = Bench()
    conn = bench.accept()
    conn.data_received(bench.browser.wrap(SIP))
    assert bench.got == [SIP] and conn.received == 1
    assert conn.write(SIP, DEST)
    assert bench.browser.feed(bench.stream.take()) == [SIP] and conn.sent == 1


def test_keep_alives_are_answered_in_frames() -> None:
    bench = Bench()
    conn = bench.accept()
    conn.data_received(bench.browser.wrap(b"\r\n\r\n"))
    assert bench.stream.take() == b"\x81\x02\r\n"
    conn.data_received(bench.browser.ping())
    assert bench.stream.take() == b"\x8a\x00"


def test_keep_alives_of_ours_are_pings() -> None:
    bench = Bench()
    conn = bench.accept()
    assert conn.write(b"\r\n\r\n", DEST)
    assert bench.stream.take() == b"\x89\x00"
    conn.close()
    assert not conn.write(b"\r\n\r\n", DEST)


def test_garbage_is_answered_and_closed() -> None:
    bench = Bench()
    conn = bench.accept(shake=False)
    conn.data_received(SIP)
    assert bench.stream.take().startswith(b"HTTP/1.1 400 ") and bench.stream.calls == ["close"]
    assert conn.state == CLOSED and bench.table.faults == 1 and len(bench.table) == 0
    conn.data_received(SIP)
    conn.connection_lost(None)


def test_a_huge_frame_is_refused() -> None:
    bench = Bench()
    conn = bench.accept()
    conn.data_received(b"\x81\xff" + (1 << 31).to_bytes(8, "big") + b"\0" * 4 + b"a" * 999)
    assert bench.stream.take()[2:4] == (1009).to_bytes(2, "big")
    assert conn.state == CLOSED and bench.table.faults == 1


def test_the_peer_says_goodbye() -> None:
    bench = Bench()
    conn = bench.accept()
    conn.data_received(bench.browser.close(1000))
    assert bench.stream.take() == b"\x88\x02\x03\xe8" and bench.stream.calls == ["close"]
    assert conn.state == CLOSED and bench.table.faults == 0
    assert not conn.write(SIP, DEST)


def test_we_say_goodbye_once() -> None:
    bench = Bench()
    conn = bench.accept()
    conn.close()
    conn.close()
    assert bench.stream.take() == b"\x88\x02\x03\xe9" and bench.stream.calls == ["close"]


def test_what_is_sent_before_the_handshake_waits_within_bounds() -> None:
    bench = Bench(queue=100)
    conn = bench.accept(shake=False)
    assert conn.listing(bench.now)["State"] == "connecting"
    assert conn.write(SIP, DEST) and conn.write(SIP, DEST) and not conn.write(SIP, DEST)
    bench.browser.start()
    conn.data_received(bench.browser.take_output())
    assert bench.browser.feed(bench.stream.take()) == [SIP, SIP]
    assert conn.listing(bench.now)["State"] == "open" and bench.table.dropped == 1


def test_a_full_queue_does_not_break_the_stream() -> None:
    bench = Bench(queue=100)
    conn = bench.accept()
    bench.stream.buffered = 80
    assert not conn.write(SIP, DEST) and bench.stream.take() == b""
    bench.stream.buffered = 0
    assert conn.write(SIP, DEST) and bench.browser.feed(bench.stream.take()) == [SIP]


@pytest.mark.parametrize(("data", "reason"), [(b"", "handshake"), (b"GET / HT", "handshake")])
def test_slow_handshakes_are_given_up(data: bytes, reason: str) -> None:
    bench = Bench()
    conn = bench.accept(shake=False)
    if data:
        conn.data_received(data)
    bench.advance(1.8)
    assert conn.state == OPEN
    bench.advance(0.5)
    assert conn.state == CLOSED and bench.table.faults == 1


def test_an_open_websocket_lives_as_long_as_it_is_used_or_held() -> None:
    bench = Bench()
    conn = bench.accept()
    bench.advance(bench.table.limits.lifetime - 5)
    assert conn.state == OPEN
    conn.data_received(bench.browser.ping())
    bench.advance(bench.table.limits.lifetime - 5)
    assert conn.state == OPEN
    conn.hold_until = bench.now + 1000
    bench.advance(900)
    assert conn.state == OPEN
    bench.advance(110)
    assert conn.state == CLOSED and bench.table.faults == 0


async def test_a_connection_of_ours_shakes_hands_and_then_sends_what_waited() -> None:
    bench = Bench()
    conn = bench.connect()
    assert conn.state == CONNECTING and conn.write(SIP, DEST)
    conn.opened = asyncio.get_running_loop().create_future()
    conn.connection_made(bench.stream)
    far = WebSocket(WsLimits())
    assert far.feed(bench.stream.take()) == [] and far.open and not conn.opened.done()
    conn.data_received(far.take_output())
    await conn.opened
    assert far.feed(bench.stream.take()) == [SIP]
    conn.data_received(far.wrap(SIP))
    assert bench.got == [SIP]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"nonsense", None])
async def test_a_connection_of_ours_that_fails_gives_back_what_waited(answer: bytes | None) -> None:
    bench = Bench()
    conn = bench.connect()
    conn.write(SIP, DEST)
    conn.opened = asyncio.get_running_loop().create_future()
    conn.connection_made(bench.stream)
    if answer is None:
        conn.connection_lost(None)
    else:
        conn.data_received(answer)
    with pytest.raises(ConnectionError):
        await conn.opened
    assert conn.failed() == [(SIP, DEST)]


def test_the_transport_makes_its_own_kind() -> None:
    transport = WsTransport(Config(), Timers(0.0), web=WsLimits("/sip"))
    conn = transport.make_connection(LOCAL)
    assert isinstance(conn, WsConnection) and conn.accepted and conn.web._limits.resource == "/sip"
    assert not transport.make_connection(LOCAL, *PEER).accepted
