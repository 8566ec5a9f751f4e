"""Let connections in, a limited number of them, and put those out that keep a place without asking for anything."""
from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from osip.api import Complaint

AT_ONCE = 16                # connections that are accepted before other work has its turn
SILENT = 1.0                # seconds that a connection has before it may be given up for another
HEAD_SECONDS = 10.0         # for the whole head of the first request, and for a TLS handshake
PAUSE = 1.0                 # seconds without accepting when files are short
BACKLOG = 1024


class Guest:
    """One connection: since when it keeps us waiting, whether a request of it is being served."""
    __slots__ = ("peer", "since", "is_busy", "asked", "http", "task", "_conn")

    def __init__(self, conn: socket.socket, peer: str, since: float) -> None:
        self._conn, self.peer, self.since = conn, peer, since
        self.is_busy, self.asked = False, 0
        self.http: Any = None               # aiohttp's handler of the connection, once there is one
        self.task: asyncio.Task[Any] | None = None

    def is_gone(self) -> bool:
        """Say whether the connection has ended."""
        return self.http is not None and self.http.transport is None

    def put_out(self) -> None:
        """End the connection now; what it has not read is lost."""
        if self.http is None:           # it shakes hands: that fails at once, while a cancelled task leaves it be
            with suppress(OSError):
                self._conn.shutdown(socket.SHUT_RDWR)
        elif self.http.transport is not None:
            self.http.transport.abort()


class Door:
    """Listen for HTTP and count the guests. `make` makes the protocol of one connection."""

    def __init__(self, make: Callable[[], Any], complain: Complaint, *, limit: int, idle: float,
                 context: ssl.SSLContext | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._make, self._complain, self._limit, self._idle = make, complain, limit, idle
        self._context, self._clock = context, clock
        self._sockets: list[socket.socket] = []
        self._guests: list[Guest] = []
        self._by_http: dict[Any, Guest] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self.refused = self.put_out = 0

    def __len__(self) -> int:
        return len(self._guests)

    async def open(self, host: str, port: int) -> None:
        """Listen; OSError when no address of the host can be had."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        failure: OSError | None = None
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                self._sockets.append(_listening(family, address))
            except OSError as error:
                failure = failure or error
                if error.errno != errno.EADDRNOTAVAIL:      # a name may have addresses that this machine has not
                    break
        if failure is not None and (not self._sockets or failure.errno != errno.EADDRNOTAVAIL):
            self.close()
            raise failure
        for one in self._sockets:
            loop.add_reader(one.fileno(), self._on_readable, one)
        self._sweeper = loop.call_later(1.0, self._sweep)

    def close(self) -> None:
        """Stop listening and put the silent ones out; requests being served go on."""
        loop = asyncio.get_running_loop()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for one in self._sockets:
            loop.remove_reader(one.fileno())
            one.close()
        self._sockets.clear()
        for guest in self._guests:
            if not guest.is_busy:
                guest.put_out()

    # --- requests ----------------------------------------------------------------------------------------------------

    def note(self, http: Any) -> Guest | None:
        """Note that the head of a request has come; its body may still be on the way, and keep us waiting."""
        guest = self._by_http.get(http)
        if guest is not None:
            guest.since = self._clock()
            guest.asked += 1
        return guest

    def begin(self, guest: Guest | None) -> None:
        """Note that a request is whole and being served: its connection stays."""
        if guest is not None:
            guest.is_busy = True

    def end(self, guest: Guest | None) -> None:
        """Note that it was served: the connection keeps us waiting again."""
        if guest is not None:
            guest.is_busy, guest.since = False, self._clock()

    # --- accepting ---------------------------------------------------------------------------------------------------

    def _on_readable(self, one: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                conn, address = one.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._complain("http_accept_failed", "error=%s pause=%g", error.strerror or error, PAUSE)
                self._pause(one)
                return
            conn.setblocking(False)
            peer = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
            if not self._has_room():
                self.refused += 1
                self._complain("http_full", "source=%s connections=%d max_connections=%d", peer, len(self._guests),
                               self._limit)
                conn.close()
                continue
            guest = Guest(conn, peer, self._clock())
            self._guests.append(guest)
            guest.task = asyncio.get_running_loop().create_task(self._receive(guest, conn))

    def _pause(self, one: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(one.fileno())

        def go_on() -> None:
            if one in self._sockets:
                loop.add_reader(one.fileno(), self._on_readable, one)
        loop.call_later(PAUSE, go_on)

    async def _receive(self, guest: Guest, conn: socket.socket) -> None:
        """Take a connection in; with TLS that is a handshake, for which there is a limited time."""
        options: dict[str, Any] = {"ssl": self._context}
        if self._context is not None:
            options["ssl_handshake_timeout"] = HEAD_SECONDS
        http = self._make()                     # uvloop returns its TLS layer in the place of what it was given
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: http, conn, **options)
            guest.http = http
            if guest in self._guests:
                self._by_http[http] = guest
            else:                           # put out at the last moment
                guest.put_out()
            guest.since = self._clock()
        except (OSError, ssl.SSLError, TimeoutError) as error:
            if guest in self._guests:       # else it was put out
                self._complain("http_handshake", "source=%s error=%s", guest.peer, error)
            self._forget(guest)
            conn.close()
        except BaseException:
            self._forget(guest)
            conn.close()
            raise
        finally:
            guest.task = None

    def _has_room(self) -> bool:
        """Say whether one more may come; when all places are taken, the one that is silent for longest may go."""
        if len(self._guests) < self._limit:
            return True
        for guest in [one for one in self._guests if one.is_gone()]:
            self._forget(guest)
        if len(self._guests) < self._limit:
            return True
        waiting = [one for one in self._guests if not one.is_busy]
        oldest = min(waiting, key=lambda one: one.since, default=None)
        if oldest is None or self._clock() - oldest.since < SILENT:
            return False
        self._end(oldest, "silent while all connections are taken")
        return True

    def _sweep(self) -> None:
        now = self._clock()
        for guest in list(self._guests):
            if guest.is_gone():
                self._forget(guest)
                continue
            patience = self._idle if guest.asked else min(HEAD_SECONDS, self._idle)
            if not guest.is_busy and now - guest.since >= patience:
                if guest.asked:
                    self._forget(guest)
                    guest.put_out()
                else:
                    self._end(guest, "no request in time")
        self._sweeper = asyncio.get_running_loop().call_later(1.0, self._sweep)

    def _end(self, guest: Guest, reason: str) -> None:
        self.put_out += 1
        self._complain("http_put_out", "source=%s reason=%s", guest.peer, reason)
        self._forget(guest)
        guest.put_out()

    def _forget(self, guest: Guest) -> None:
        if guest in self._guests:
            self._guests.remove(guest)
        self._by_http.pop(guest.http, None)


def _listening(family: int, address: Any) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(BACKLOG)
    except BaseException:
        one.close()
        raise
    return one
