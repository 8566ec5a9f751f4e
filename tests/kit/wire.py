"""Stand in for the socket, the event loop and the receiver of a UDP port."""
from __future__ import annotations

import logging
from typing import Any

from osip.core.net.endpoint import LocalSocket
from osip.core.net.port import UdpPort
from osip.core.net.transport import Complaint

PEER = ("192.0.2.7", 5070)


def message(number: int = 1) -> bytes:
    return b"OPTIONS sip:a@b SIP/2.0\r\nCSeq: %d OPTIONS\r\n\r\n" % number


class Wire:
    """A socket that hands out what it was given and refuses to send while `blocked`."""

    def __init__(self, arriving: list[Any] | None = None) -> None:
        self.arriving = arriving or []
        self.sent: list[tuple[bytes, Any]] = []
        self.blocked = False
        self.error: Exception | None = None
        self.closed = False

    def fileno(self) -> int:
        return 7

    def recvfrom(self, size: int) -> Any:
        if not self.arriving:
            raise BlockingIOError
        item = self.arriving.pop(0)
        if isinstance(item, Exception):
            raise item
        return item if isinstance(item, tuple) else (item, PEER)

    def sendto(self, data: bytes, address: Any) -> int:
        if self.blocked:
            raise BlockingIOError
        if self.error is not None:
            raise self.error
        self.sent.append((data, address))
        return len(data)

    def close(self) -> None:
        self.closed = True


class Loop:
    def __init__(self) -> None:
        self.readers: dict[int, Any] = {}
        self.writers: dict[int, Any] = {}

    def add_reader(self, fileno: int, call: Any) -> None:
        self.readers[fileno] = call

    def add_writer(self, fileno: int, call: Any) -> None:
        self.writers[fileno] = call

    def remove_reader(self, fileno: int) -> None:
        self.readers.pop(fileno, None)

    def remove_writer(self, fileno: int) -> None:
        self.writers.pop(fileno, None)


class Receiver:
    def __init__(self, failing: bytes = b"never") -> None:
        self.calls: list[Any] = []
        self.sources: list[Any] = []
        self.failing = failing

    def batch_start(self) -> None:
        self.calls.append("start")

    def receive(self, raw: bytes, source: Any) -> None:
        self.calls.append(raw)
        self.sources.append(source)
        if self.failing in raw:
            raise KeyError("broken on purpose")

    def batch_end(self) -> None:
        self.calls.append("end")


def port_of(wire: Wire, receiver: Receiver, limit: int = 4) -> tuple[UdpPort, Loop]:
    loop = Loop()
    port = UdpPort(LocalSocket("udp", "192.0.2.1", 5060), wire, loop, receiver,  # type: ignore[arg-type]
                   Complaint(logging.getLogger("osip.test")), limit)
    return port, loop
