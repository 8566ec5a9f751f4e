"""Move SIP over TCP: listen, connect when nothing is there to reuse, and leave the rest to the connections."""
from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

from osip.core.net.connections import Connection, Connections, StreamLimits, Timers
from osip.core.net.endpoint import Dest, LocalSocket, is_ip
from osip.core.net.proxied import ProxiedLayer
from osip.core.net.transport import Receiver, make_socket, set_tos


class TcpTransport:
    """All TCP sockets and connections of a worker.

    A message to a named connection (`Dest.conn`) goes there while it lives; else to a connection with that address;
    else a connection is made, and the message waits for it. When it cannot be made, the receiver's
    `on_unsent(data, dest)` hears of each message that waited. A transport over TCP overrides
    `make_connection`, `layer` or `make_client`.
    """
    proto = "tcp"

    def __init__(self, config: Any, timers: Timers, limits: StreamLimits | None = None, *, worker: int = 0,
                 log: logging.Logger | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits or StreamLimits(config)
        self.connections = Connections(self.limits, timers, worker=worker, log=log, clock=clock)
        self.connect_failures = 0
        self._config, self._clock = config, clock
        self._loop: asyncio.AbstractEventLoop = None                # type: ignore[assignment]  # set by `open`
        self._on_unsent: Callable[[bytes, Dest], None] | None = None
        self._bound: dict[LocalSocket, socket.socket] = {}          # listening, but not yet served by the loop
        self._locals: list[LocalSocket] = []
        self._servers: dict[LocalSocket, asyncio.AbstractServer] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    # --- listening ---------------------------------------------------------------------------------------------------

    def bind(self, local: LocalSocket, reuse_port: bool = False) -> socket.socket:
        """Make the listening socket; what it accepts inherits its options."""
        sock = make_socket(local, socket.SOCK_STREAM, reuse_port, self._config.tos)
        self._set_keepalive(sock)
        sock.listen(self._config.tcp_socket_backlog)
        self._bound[local] = sock
        return sock

    def open(self, local: LocalSocket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
             bound: socket.socket | None = None) -> None:
        """Accept connections on a socket; those that come before the loop turns wait in the system's queue."""
        sock = bound or self._bound.get(local) or self.bind(local)
        self._bound[local] = sock
        self._loop, self.connections.receiver = loop, receiver
        self._on_unsent = getattr(receiver, "on_unsent", None)
        self._locals.append(local)
        local.transport = self
        self._spawn(self._serve(local, sock))

    async def _serve(self, local: LocalSocket, sock: socket.socket) -> None:
        server = await self._loop.create_server(lambda: self.make_protocol(local), sock=sock,
                                                backlog=self._config.tcp_socket_backlog)
        del self._bound[local]
        if local in self._locals:
            self._servers[local] = server
        else:                                   # it was shut in the meantime
            server.close()

    def make_connection(self, local: LocalSocket, host: str = "", port: int = 0) -> Connection:
        """Make a connection: accepted without, to be made with an address; transports over TCP have their own kind."""
        return Connection(self.connections, local, host, port)

    def make_protocol(self, local: LocalSocket) -> asyncio.Protocol:
        """Make what serves an accepted stream: the connection itself, or layers below it (TLS, PROXY header)."""
        protocol = self.layer(self.make_connection(local), True)
        if not self.limits.proxies:
            return protocol
        return ProxiedLayer(protocol, self.limits.proxies, self._loop, self.limits.message_time,
                            self.connections.complain)

    def layer(self, conn: Connection, is_server: bool) -> asyncio.Protocol:
        """Return what stands between the loop and a connection: nothing, it speaks for itself; TLS puts itself there."""
        return conn

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, data: bytes, dest: Dest) -> bool:
        """Send on a connection that is there or being made, else make one; False when it cannot leave."""
        conn = self.connections.find(dest)
        if conn is None:
            conn = self._connect(dest)
            if conn is None:
                return False
        return conn.write(data, dest)

    def reaches(self, dest: Dest) -> bool:
        """Say whether a connection for the destination is there, so that none would have to be made."""
        return self.connections.find(dest) is not None

    def alias(self, number: int, port: int) -> bool:
        """Let requests to this port of the peer use connection `number` (force_tcp_alias)."""
        return self.connections.alias(number, port)

    def hold(self, number: int, until: float) -> bool:
        """Keep a connection open until then (monotonic seconds) even without traffic; False when it is gone."""
        conn = self.connections.get(number)
        if conn is None:
            return self.connections.elsewhere is not None and self.connections.elsewhere("hold", number, until)
        conn.hold_until = max(conn.hold_until, until)
        return True

    def disconnect(self, number: int) -> bool:
        """Close one connection; False when there is none of this id."""
        conn = self.connections.get(number)
        if conn is None:
            return self.connections.elsewhere is not None and self.connections.elsewhere("disconnect", number, None)
        conn.close()
        return True

    # --- connecting --------------------------------------------------------------------------------------------------

    def _connect(self, dest: Dest) -> Connection | None:
        local = dest.socket or self._local_for(dest.host)
        if local is None or self._closed or not is_ip(dest.host) or not self.connections.has_room():
            self.connect_failures += 1
            return None
        conn = self.make_connection(local, dest.host, dest.port)
        conn.wanted = dest
        self.connections.add(conn)
        self._spawn(self._make(conn))
        return conn

    async def _make(self, conn: Connection) -> None:
        sock = None
        try:
            async with asyncio.timeout(self.limits.connect_timeout):
                sock = self._client_socket(conn.local)
                await self._loop.sock_connect(sock, (conn.host, conn.port))
            mine, sock = sock, None                 # the loop's transport closes it from now on
            await self.make_client(conn, mine)
        except (OSError, OverflowError, TimeoutError) as error:
            if sock is not None:
                sock.close()
            self._on_connect_failed(conn, error)
        except asyncio.CancelledError:
            if sock is not None:
                sock.close()
            conn.failed()
            raise

    async def make_client(self, conn: Connection, sock: socket.socket) -> None:
        """Put the connection upon a connected socket; what shakes hands first does that here, with a deadline."""
        await self._loop.create_connection(lambda: self.layer(conn, False), sock=sock)

    def _client_socket(self, local: LocalSocket) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if local.is_ipv6 else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            self._set_keepalive(sock)
            set_tos(sock, local.options.get("tos") or self._config.tos)
            sock.bind((local.host, 0))          # the peer sees the address that our Via shows
        except BaseException:
            sock.close()
            raise
        return sock

    def _on_connect_failed(self, conn: Connection, error: BaseException) -> None:
        self.connect_failures += 1
        reason = str(error) or f"no connection in {self.limits.connect_timeout} s"
        self.connections.complain("connect_failed", "proto=%s dest=%s:%d reason=%s", self.proto, conn.host, conn.port,
                                  reason)
        if self.connections.watcher is not None:
            self.connections.watcher("failed", conn, reason)
        for data, dest in conn.failed():
            if self._on_unsent is not None:
                self._on_unsent(data, dest)

    def _local_for(self, host: str) -> LocalSocket | None:
        is_ipv6 = ":" in host
        return next((local for local in self._locals if local.is_ipv6 == is_ipv6), None)

    def _set_keepalive(self, sock: socket.socket) -> None:
        config = self._config
        if not config.tcp_keepalive:
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", config.tcp_keepidle), ("TCP_KEEPINTVL", config.tcp_keepinterval),
                            ("TCP_KEEPCNT", config.tcp_keepcount)):
            if value and hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    # --- the whole ---------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Count the bytes received that are not whole messages yet."""
        return sum(conn.unfinished for conn in self.connections)

    def listing(self) -> list[dict[str, Any]]:
        """Describe the connections for `tcp:list`."""
        now = self._clock()
        return [conn.listing(now) for conn in self.connections]

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def shut(self, local: LocalSocket) -> None:
        """Accept nothing more on one socket; the connections that it brought stay, and new ones may be made from it."""
        self._locals.remove(local)
        server = self._servers.pop(local, None)
        if server is not None:
            server.close()

    def close(self) -> None:
        """Stop listening, give up connecting, and close every connection once its queue is sent."""
        self._closed = True
        for server in self._servers.values():
            server.close()
        for task in list(self._tasks):
            task.cancel()
        for conn in self.connections:
            conn.close()
        for sock in self._bound.values():
            sock.close()
        self._servers.clear()
        self._bound.clear()
