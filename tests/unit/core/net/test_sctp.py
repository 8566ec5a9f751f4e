"""SCTP: over the kernel where it has some; a datagram socket stands in for one everywhere."""
from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest

from osip.core.errors import OsipError
from osip.core.net import sctp
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.net.sctp import (
    IPPROTO_SCTP,
    MSG_NOTIFICATION,
    SEND_FAILED,
    SctpTransport,
)
from osip.core.net.transport import make_socket
from osip.core.run.config import Config

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/SCTP h;branch=z9hG4bK1\r\n\r\n"


def has_sctp() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, IPPROTO_SCTP).close()
    except OSError:
        return False
    return True


class StandIn:
    """A datagram socket that shows the face of an SCTP one; `pieces` overrules what `recvmsg` says of the next reads."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.options, self.records = sock, {}, []
        self.pieces: list[tuple[bytes, int]] = []
        for name in ("fileno", "close", "recvfrom", "sendto", "getsockopt", "getsockname"):
            setattr(self, name, getattr(sock, name))

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        assert level == IPPROTO_SCTP
        self.options[option] = value

    def listen(self, backlog: int) -> None:
        self.options["backlog"] = backlog

    def sendmsg(self, parts: list[bytes], records: list[Any], flags: int, address: Any) -> int:
        self.records += records
        return self.sock.sendto(parts[0], address)

    def recvmsg(self, size: int) -> tuple[bytes, list[Any], int, Any]:
        raw, address = self.sock.recvfrom(size)
        if self.pieces:
            raw, flags = self.pieces.pop(0)
            return raw, [], flags, address
        return raw, [], socket.MSG_EOR, address


class StandInTransport(SctpTransport):
    made: list[StandIn] = []        # noqa: RUF012  # a fixture empties it

    @staticmethod
    def make(local: LocalSocket, reuse_port: bool, tos: Any) -> Any:
        StandInTransport.made.append(StandIn(make_socket(local, socket.SOCK_DGRAM, reuse_port, tos)))
        return StandInTransport.made[-1]


class Inbox:
    def __init__(self) -> None:
        self.got: list[tuple[bytes, Source]] = []
        self.unsent: list[tuple[bytes, Dest]] = []
        self.changed = asyncio.Event()

    def batch_start(self) -> None: ...

    def batch_end(self) -> None:
        self.changed.set()

    def receive(self, raw: bytes, source: Source) -> None:
        self.got.append((raw, source))

    def on_unsent(self, data: bytes, dest: Dest) -> None:
        self.unsent.append((data, dest))

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(5):
            while not true():
                self.changed.clear()
                await self.changed.wait()


def open_one(kind: type[SctpTransport] = StandInTransport) -> tuple[SctpTransport, LocalSocket, Inbox]:
    StandInTransport.made.clear()
    transport, local, inbox = kind(Config()), LocalSocket("sctp", "127.0.0.1", 0), Inbox()
    transport.open(local, asyncio.get_running_loop(), inbox)
    return transport, local, inbox


async def test_messages_go_both_ways_unordered_over_stream_0() -> None:
    transport, local, inbox = open_one()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(5)
        try:
            peer.sendto(OPTIONS, ("127.0.0.1", local.port))
            await inbox.until(lambda: inbox.got)
            raw, source = inbox.got[0]
            assert raw == OPTIONS and (source.socket, source.port) == (local, peer.getsockname()[1])
            assert transport.send(b"SIP/2.0 200 OK\r\n\r\n", Dest("sctp", source.host, source.port, local))
            assert peer.recv(100) == b"SIP/2.0 200 OK\r\n\r\n"
            made = StandInTransport.made[0]
            (level, kind, content), = made.records
            assert (level, kind, len(content), struct.unpack_from("=HHH", content)) == (132, 1, 32, (0, 0, 1))
            assert made.options == {3: 1, 4: 120, 11: bytes((0, 0, 0, 1, 0, 0, 0, 0)), "backlog": 10}
            assert local.via_start.startswith(b"Via: SIP/2.0/SCTP 127.0.0.1:")
            assert not transport.send(OPTIONS, Dest("sctp", "name.example", 5060, local))
        finally:
            transport.close()


@pytest.mark.parametrize(("pieces", "got"), [
    ([(OPTIONS[:30], 0), (OPTIONS[30:], socket.MSG_EOR)], [OPTIONS]),
    ([(b"\r\n", socket.MSG_EOR), (OPTIONS, socket.MSG_EOR)], [OPTIONS]),
    ([(b"x" * 200_000, 0), (b"x" * 200_000, 0), (OPTIONS, socket.MSG_EOR)], [OPTIONS]),
    ([(struct.pack("=HHI", 0x8001, 0, 8), MSG_NOTIFICATION), (OPTIONS, socket.MSG_EOR)], [OPTIONS])])
async def test_parts_are_put_together(pieces: list[tuple[bytes, int]], got: list[bytes]) -> None:
    transport, local, inbox = open_one()
    StandInTransport.made[0].pieces = pieces
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        try:
            for _ in list(pieces):
                peer.sendto(b"any", ("127.0.0.1", local.port))
            await inbox.until(lambda: not pieces)
            assert [raw for raw, _ in inbox.got] == got
        finally:
            transport.close()


async def test_an_undelivered_message_is_told() -> None:
    transport, local, inbox = open_one()
    notice = struct.pack("=HHII32si", SEND_FAILED, 0, 48 + len(OPTIONS), 0, bytes(32), 7) + OPTIONS
    StandInTransport.made[0].pieces = [(notice, MSG_NOTIFICATION)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        try:
            peer.sendto(b"any", ("127.0.0.1", local.port))
            await inbox.until(lambda: inbox.unsent)
            (data, dest), = inbox.unsent
            assert data == OPTIONS and dest == Dest("sctp", "127.0.0.1", peer.getsockname()[1])
        finally:
            transport.close()


def test_a_kernel_without_sctp_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> Any:
        raise OSError(93, "Protocol not supported")
    monkeypatch.setattr(sctp, "make_socket", refuse)
    with pytest.raises(OsipError, match=r"sctp:127.0.0.1:5060: this system's kernel has no SCTP. Load it"):
        SctpTransport(Config()).bind(LocalSocket("sctp", "127.0.0.1", 5060))


@pytest.mark.skipif(not has_sctp(), reason="the kernel has no SCTP")
async def test_over_the_kernel() -> None:
    (one, near, box), (two, far, other) = open_one(SctpTransport), open_one(SctpTransport)
    try:
        assert one.send(OPTIONS * 900, Dest("sctp", "127.0.0.1", far.port, near))
        await other.until(lambda: other.got)
        raw, source = other.got[0]
        assert raw == OPTIONS * 900 and source.port == near.port
        assert two.send(OPTIONS, Dest("sctp", source.host, source.port, far))
        await box.until(lambda: box.got)
    finally:
        one.close()
        two.close()
