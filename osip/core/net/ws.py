"""Move SIP over WebSockets on TCP (RFC 7118): connections that shake hands first, and their transport."""
from __future__ import annotations

import asyncio
import socket
from typing import Any

from osip.core.net.connections import CLOSED, OPEN, Connection, Connections
from osip.core.net.endpoint import Dest, LocalSocket, bracket
from osip.core.net.tcp import TcpTransport
from osip.core.net.tls import TlsTransport
from osip.core.net.websocket import WebSocket, WsLimits

KEEP_ALIVE = b"\r\n\r\n"
"""What goes over streams to keep them open (RFC 5626 section 4.4.1)."""


class WsConnection(Connection):
    """A connection whose messages are frames. What is to be sent waits until the handshake is done."""
    __slots__ = ("web", "opened", "_limit", "_patience")
    gathers = False         # frames of its own go between the messages

    def __init__(self, table: Connections, local: LocalSocket, host: str, port: int, limits: WsLimits) -> None:
        super().__init__(table, local, host, port)
        scheme = "wss" if local.proto == "wss" else "ws"
        where = f"{scheme}://{bracket(host)}:{port}{limits.resource}" if host else ""
        origin = f"http{scheme[2:]}://{bracket(local.adv_host)}" if host else ""
        self.web = WebSocket(limits, where, origin)
        self._framer = self.web             # feeds and counts like one
        self._limit, self._patience = 0.0, limits.handshake_time
        self.opened: asyncio.Future[None] | None = None     # of a connection that we make

    def connection_made(self, transport: Any) -> None:
        """Begin: a client asks for the upgrade, a server waits for that."""
        pending, size, self._pending = self._pending, self._size, []
        super().connection_made(transport)
        self._pending, self._size = pending, size
        if self.state == OPEN:
            self._limit = self._table.clock() + self._patience
            self.web.start()
            self._flush()
            self._watch(self._limit)

    def data_received(self, data: bytes) -> None:
        """Take frames apart; what the protocol has to say itself (pongs, closing) follows."""
        if self.state == CLOSED:
            return
        was_open = self.web.open
        super().data_received(data)
        if self.state == CLOSED:
            return
        self._flush()
        web = self.web
        if web.finished:
            if web.fault:
                table = self._table
                table.faults += 1
                table.complain("bad_websocket", "proto=%s source=%s:%d reason=%s", self.local.proto, self.host,
                               self.port, web.fault)
            self.close()
        elif web.open and not was_open:
            self._begin()

    def _begin(self) -> None:
        """The handshake is done: send what waited."""
        pending, self._pending, self._size = self._pending, [], 0
        for data, _ in pending:
            self._stream.write(self.web.wrap(data))
        self.sent += len(pending)
        if self._table.watcher is not None:
            self._table.watcher("websocket", self, "")
        if self.opened is not None and not self.opened.done():
            self.opened.set_result(None)

    def _flush(self) -> None:
        out = self.web.take_output()
        if out:
            self._stream.write(out)

    def _pong(self) -> None:
        self._stream.write(self.web.wrap(b"\r\n"))

    def write(self, data: bytes, dest: Dest) -> bool:
        """Send as a frame, or keep until the handshake is done; False when closed or too much waits already."""
        if self.state == OPEN and not self.web.open:
            if self._size + len(data) > self._table.limits.queue:
                self._table.dropped += 1
                return False
            self._pending.append((data, dest))
            self._size += len(data)
            return True
        if data == KEEP_ALIVE:
            # RFC 7118 section 6: every WebSocket answers a ping by itself, not every SIP stack a CRLF.
            if self.state == OPEN:
                self._stream.write(self.web.ping())
            return self.state == OPEN
        if self.state == OPEN:
            # Whether it fits is asked first: a frame that is built and not sent would break the stream.
            if self._waiting() + len(data) + 16 <= self._table.limits.queue:
                data = self.web.wrap(data)
            if not data:
                return False
        return super().write(data, dest)

    def close(self) -> None:
        """Say goodbye, then close."""
        if self.state == OPEN:
            out = self.web.close()
            if out and not self._blocked_since:
                self._stream.write(out)
        super().close()
        self._give_up("closed")

    def connection_lost(self, exc: Exception | None) -> None:
        """End; a connection that was being made has failed."""
        super().connection_lost(exc)
        self._give_up(str(exc or "closed by the peer"))
        self.web.free()

    def _give_up(self, why: str) -> None:
        if self.opened is not None and not self.opened.done():
            self.opened.set_exception(ConnectionError(f"no WebSocket: {self.web.fault or why}"))

    def on_wake(self, now: float) -> None:
        """Close also when the handshake takes too long."""
        if self.state == OPEN and not self.web.open:
            if now >= self._limit:
                self._table.faults += 1
                self._table.complain("closed", "proto=%s source=%s:%d reason=no WebSocket handshake in time",
                                     self.local.proto, self.host, self.port)
                self.web.fault = "handshake timed out"
                self.close()
            else:
                self.wake = self._limit
            return
        super().on_wake(now)

    def listing(self, now: float) -> dict[str, Any]:
        """Describe the connection as `tcp:list` shows it."""
        shown = super().listing(now)
        if self.state == OPEN and not self.web.open:
            shown["State"] = "connecting"
        return shown


class WsTransport(TcpTransport):
    """All WebSockets of a worker. What it connects to itself are other servers: no browser can be connected to."""
    proto = "ws"

    def __init__(self, *args: Any, web: WsLimits | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.web = web or WsLimits()

    def make_connection(self, local: LocalSocket, host: str = "", port: int = 0) -> Connection:
        """Make a connection of our kind."""
        return WsConnection(self.connections, local, host, port, self.web)

    def _connect(self, dest: Dest) -> Connection | None:
        # A connection that is named and gone was a browser's, mostly: no other leads there.
        return None if dest.conn else super()._connect(dest)

    async def make_client(self, conn: Connection, sock: socket.socket) -> None:
        """Shake hands with the server that we connected to."""
        assert isinstance(conn, WsConnection)
        conn.opened = self._loop.create_future()
        await super().make_client(conn, sock)
        await conn.opened


class WssTransport(WsTransport, TlsTransport):
    """All secure WebSockets of a worker: WebSocket over TLS over TCP."""
    proto = "wss"
