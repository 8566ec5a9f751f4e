"""Read and write one UDP socket: drain it in batches, send at once, queue only when the system says wait.

An asyncio protocol reads one datagram for each turn of the loop; draining the socket ourselves is several times
cheaper (performance.md, section A).
"""
from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from typing import Any, Final

from osip.core.net.endpoint import Dest, LocalSocket, Source, is_ip
from osip.core.net.transport import Complaint, Receiver

BATCH: Final = 64                  # datagrams for each wake-up; then timers and streams get their turn
BIGGEST: Final = 65535
SHORTEST: Final = 20               # no SIP message is shorter; what is, keeps a NAT binding open or is noise
CACHE = 8192                # addresses remembered; the cache is emptied when it is full
QUEUE = 1024                # datagrams that wait for the system
_SO_MEMINFO: Final = 55            # Linux; the first word is the memory that received datagrams take
_SPACE: Final = b"\r\n\0 \t"


class UdpPort:
    """One UDP socket: its reader, its send queue and its counts."""
    __slots__ = ("local", "received", "sent", "keepalives", "short", "failures", "receive_errors", "send_errors",
                 "dropped", "_sock", "_fileno", "_loop", "_receiver", "_complain", "_recvfrom", "_sendto", "_sources",
                 "_literals", "_queue", "_limit")

    def __init__(self, local: LocalSocket, sock: socket.socket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
                 complain: Complaint, limit: int = QUEUE) -> None:
        self.local = local
        self.received = self.sent = self.keepalives = self.short = 0
        self.failures = self.receive_errors = self.send_errors = self.dropped = 0
        self._sock, self._fileno, self._loop, self._receiver = sock, sock.fileno(), loop, receiver
        self._complain, self._limit = complain, limit
        self._recvfrom: Any = sock.recvfrom
        self._sendto: Any = sock.sendto
        self._sources: dict[Any, Source] = {}
        self._literals: set[str] = set()
        self._queue: deque[tuple[bytes, tuple[str, int]]] = deque()
        loop.add_reader(self._fileno, self.on_readable)

    def on_readable(self) -> None:
        """Hand over up to 64 datagrams; what one of them raises never costs the others."""
        arrived = self._arrived()
        if not arrived:
            return
        self._receiver.batch_start()                # after all has arrived: nothing counts as older than it is
        self._hand_over(arrived)
        self._receiver.batch_end()

    def _hand_over(self, arrived: list[tuple[bytes, Any]]) -> None:
        receiver, sources = self._receiver, self._sources
        receive = receiver.receive
        last: Any = None                            # the address of the datagram before, whose source is known
        source: Source | None = None
        for raw, address in arrived:
            if len(raw) < SHORTEST:
                self._on_short(raw)
                continue
            if address is not last or source is None:
                source = sources.get(address)
                if source is None:
                    source = self._source_of(address)
                last = address
            self.received += 1
            try:
                receive(raw, source)
            except Exception as error:
                self.failures += 1
                self._complain("receive_failed", "socket=%s source=%s:%d", self.local.text, source.host, source.port,
                               error=error)

    def _arrived(self) -> list[tuple[bytes, Any]]:
        found = []
        for _ in range(BATCH):
            try:
                found.append(self._recvfrom(BIGGEST))
            except BlockingIOError:
                break
            except OSError:                         # an ICMP error of something sent earlier
                self.receive_errors += 1
        return found

    def _on_short(self, raw: bytes) -> None:
        if raw.strip(_SPACE):
            self.short += 1
        else:
            self.keepalives += 1

    def _source_of(self, address: Any) -> Source:
        if len(self._sources) >= CACHE:
            self._sources.clear()
        source = self._sources[address] = Source(self.local, address[0], address[1])
        return source

    def send(self, data: bytes, dest: Dest) -> bool:
        """Send one datagram; False when it was refused, by the system or by a full queue."""
        host = dest.host
        if host not in self._literals and not self._learn(host):
            return False
        if self._queue:
            return self._enqueue(data, (host, dest.port))
        try:
            self._sendto(data, (host, dest.port))
        except BlockingIOError:
            return self._enqueue(data, (host, dest.port))
        except (OSError, OverflowError) as error:
            self.send_errors += 1
            self._complain("send_failed", "socket=%s dest=%s length=%d reason=%s", self.local.text, dest, len(data),
                           error)
            return False
        self.sent += 1
        return True

    def _learn(self, host: str) -> bool:
        # sendto would look a name up and block the worker; only addresses may pass
        if not is_ip(host):
            self.send_errors += 1
            self._complain("send_failed", "socket=%s dest=%s reason=not an IP address", self.local.text, host)
            return False
        if len(self._literals) >= CACHE:
            self._literals.clear()
        self._literals.add(host)
        return True

    def _enqueue(self, data: bytes, address: tuple[str, int]) -> bool:
        if len(self._queue) >= self._limit:
            self.dropped += 1
            self._complain("send_queue_full", "socket=%s waiting=%d", self.local.text, len(self._queue))
            return False
        if not self._queue:
            self._loop.add_writer(self._fileno, self._on_writable)
        self._queue.append((data, address))
        return True

    def _on_writable(self) -> None:
        queue = self._queue
        while queue:
            try:
                self._sendto(*queue[0])
                self.sent += 1
            except BlockingIOError:
                return
            except (OSError, OverflowError):
                self.send_errors += 1
            queue.popleft()
        self._loop.remove_writer(self._fileno)

    @property
    def waiting(self) -> int:
        """Count the bytes that arrived and were not read yet, as the system accounts for them."""
        if self._fileno < 0:
            return 0
        return int.from_bytes(self._sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4), sys.byteorder)

    @property
    def queued(self) -> int:
        """Count the datagrams that wait to be sent."""
        return len(self._queue)

    def close(self) -> None:
        """Stop reading and close the socket."""
        if self._fileno >= 0:
            self._loop.remove_reader(self._fileno)
            self._loop.remove_writer(self._fileno)
            self._queue.clear()
            self._sock.close()
            self._fileno = -1
