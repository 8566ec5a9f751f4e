"""Stand in for the kernel's SCTP: datagram sockets that show the face of SCTP ones."""
from __future__ import annotations

import asyncio
import socket
from typing import Any

from osip.core.net.association import IPPROTO_SCTP
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.net.sctp import SctpTransport
from osip.core.net.transport import make_socket
from osip.core.run.config import Config

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/SCTP h;branch=z9hG4bK1\r\n\r\n"


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
