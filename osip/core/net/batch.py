"""Receive and send UDP in batches: one system call for up to 64 datagrams (needs the compiled leaf).

What is sent while a batch is received waits for its end, or until 32 wait, and leaves together. Anything else is sent
at once. The first datagram to a host always goes alone: an address that cannot be reached is so refused at once, and
the sender can take the next one. A later refusal is told through `on_unsent`.
"""
from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from typing import Any, Final

from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.net.port import BATCH, CACHE, UdpPort
from osip.core.net.transport import Complaint, Receiver

GATHERED = 32               # datagrams that wait for the end of a batch at most
LONGEST: Final = 60000             # what is longer goes alone, since the system may find it too long
_WAIT = frozenset((errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.EINTR))


class Gathering:
    """What the ports of a transport share: the buffers, and whether a batch is being received."""
    __slots__ = ("batch", "is_open", "ports")

    def __init__(self, batch: Any) -> None:
        self.batch = batch
        self.is_open = False
        self.ports: list[BatchPort] = []        # those that hold something back


class BatchPort(UdpPort):
    """One UDP socket, read and written in batches."""
    __slots__ = ("_gathering", "_items", "_packed", "_most")

    def __init__(self, local: LocalSocket, sock: socket.socket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
                 complain: Complaint, limit: int, gathering: Gathering) -> None:
        super().__init__(local, sock, loop, receiver, complain, limit)
        self._gathering = gathering
        self._items: list[tuple[bytes, bytes, int, Dest]] = []
        self._packed: dict[str, bytes] = {}     # hosts that took a datagram before
        self._most = GATHERED

    def on_readable(self) -> None:
        """Hand over up to 64 datagrams; what one of them raises never costs the others."""
        arrived = self._arrived()
        if not arrived:
            return
        receiver, gathering = self._receiver, self._gathering
        receiver.batch_start()
        gathering.is_open = True
        try:
            self._hand_over(arrived)
        finally:
            gathering.is_open = False
            try:
                receiver.batch_end()
            finally:
                while gathering.ports:
                    gathering.ports[0].flush()

    def _arrived(self) -> list[tuple[bytes, Any]]:
        for _ in range(BATCH):
            try:
                return self._gathering.batch.receive(self._fileno)      # type: ignore[no-any-return]
            except OSError:                     # an ICMP error of something sent earlier: what arrived is behind it
                self.receive_errors += 1
        return []

    def _source_of(self, address: Any) -> Source:
        if isinstance(address, int):
            host, port = socket.inet_ntop(socket.AF_INET, (address >> 16).to_bytes(4, "big")), address & 0xffff
        else:
            port = int.from_bytes(address[2:4], "big")
            host = socket.inet_ntop(socket.AF_INET6, address[8:24])
            scope = int.from_bytes(address[24:28], sys.byteorder)
            if scope:
                host += "%" + socket.if_indextoname(scope)
        if len(self._sources) >= CACHE:
            self._sources.clear()
        source = self._sources[address] = Source(self.local, host, port)
        return source

    def send(self, data: bytes, dest: Dest) -> bool:
        """Send one datagram, or keep it for the end of the batch; False when it was refused."""
        if self._gathering.is_open:
            packed = self._packed.get(dest.host)
            port = dest.port
            if packed is not None and not self._queue and len(data) < LONGEST and 0 < port < 65536:
                items = self._items
                if not items:
                    self._gathering.ports.append(self)
                items.append((data, packed, port, dest))
                if len(items) >= self._most:
                    self._receiver.batch_end()
                    self.flush()
                    self._receiver.batch_start()
                return True
        if self._items:
            self.flush()                        # nothing overtakes what was sent before
        if not super().send(data, dest):
            return False
        if dest.host not in self._packed and "%" not in dest.host:
            if len(self._packed) >= CACHE:
                self._packed.clear()
            self._packed[dest.host] = socket.inet_pton(
                socket.AF_INET6 if ":" in dest.host else socket.AF_INET, dest.host.strip("[]"))
        return True

    def flush(self) -> None:
        """Send what was gathered, with one system call if the system takes it."""
        items, self._items = self._items, []
        if self in self._gathering.ports:
            self._gathering.ports.remove(self)
        start = 0
        while start < len(items):
            before = start
            start, fault = self._gathering.batch.send(self._fileno, items, start)
            self.sent += start - before
            if fault in _WAIT:
                for data, _, _, dest in items[start:]:
                    if not self._enqueue(data, (dest.host, dest.port)):
                        self._tell_unsent(data, dest)
                return
            if fault:
                data, _, _, dest = items[start]
                start += 1
                self.send_errors += 1
                self._packed.pop(dest.host, None)
                self._complain("send_failed", "socket=%s dest=%s length=%d reason=%s", self.local.text, dest, len(data),
                               os.strerror(fault))
                self._tell_unsent(data, dest)

    def _tell_unsent(self, data: bytes, dest: Dest) -> None:
        told = getattr(self._receiver, "on_unsent", None)
        if told is not None:
            told(data, dest)

    def close(self) -> None:
        """Send what was gathered, stop reading and close the socket."""
        if self._items:
            self.flush()
        super().close()
