"""Keep stream connections: what one does with its bytes, and the table that finds one by id, peer or alias.

A connection is an asyncio protocol, since on streams the loop's own transports are good; TLS and WebSocket use the
same class with another framer or with a layer beneath. (More than 400 lines: what a connection does and the table that
bounds it change together.)
"""
from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from osip.core.errors import ParseError
from osip.core.net.endpoint import Dest, LocalSocket, Source, bracket
from osip.core.net.limit import StreamLimits
from osip.core.net.transport import Complaint, Receiver
from osip.core.sip.framing import PING, Framer
from osip.core.sip.message import parse

CONNECTING, OPEN, CLOSED = 0, 1, 2
STATES = ("connecting", "open", "closed")
NEVER = float("inf")
GATHERED = 65536            # bytes of a connection that wait for the end of a batch at most
STUCK = 32.0                # seconds in which a peer must take something of what waits for it
SILENT = 1.0                # seconds that a new connection has before it may be given up for another
ALIAS_NEVER, ALIAS_ASKED, ALIAS_ALWAYS = 0, 1, 2
WORKER_BITS = 8             # low bits of a connection id: the worker that has the connection


def worker_of(number: int) -> int:
    """Return the worker that has the connection of this id."""
    return number & (1 << WORKER_BITS) - 1


class Timers(Protocol):
    """The timer wheel, as far as a connection needs it."""

    def watch(self, sleeper: Any) -> None:
        """Call `sleeper.on_wake(now)` at `sleeper.wake`."""


class Connection(asyncio.Protocol):
    """One stream to a peer, accepted or made by us; a sleeper of the timer wheel for its deadlines."""
    __slots__ = ("id", "local", "host", "port", "alias_port", "state", "accepted", "received", "sent", "last_used",
                 "hold_until", "wake", "scheduled", "_table", "_framer", "_stream", "_source", "_pending", "_size",
                 "_part_since", "_blocked_since", "_alias_tried", "wanted", "held", "_gathered", "_ahead")
    gathers = True          # what is sent while a batch is served leaves together at its end, with one system call

    def __init__(self, table: Connections, local: LocalSocket, host: str = "", port: int = 0) -> None:
        self.id = table.next_id()
        self.local, self.host, self.port = local, host, port
        self.alias_port = 0
        self.state, self.accepted = CONNECTING, not host
        self.received = self.sent = 0
        self.last_used = table.clock()
        self.hold_until = 0.0
        self.wake = self.scheduled = NEVER
        self._table, self._framer = table, table.make_framer()
        self._stream: Any = None
        self._source: Source = None                         # type: ignore[assignment]  # known once connected
        self._pending: list[tuple[bytes, Dest]] = []        # waits for the connection to be made
        self._size = 0
        self._gathered: list[bytes] = []                    # waits for the end of the batch
        self._ahead = 0                                     # how many bytes that is
        self._part_since = self._blocked_since = 0.0
        self._alias_tried = False
        self.held = 0                                       # bytes of an unfinished message, as the table counts them
        self.wanted: Dest | None = None                     # what a connection of ours was made for

    # --- called by the loop ------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Begin: note the peer, send what waited."""
        self._stream = transport
        if self.accepted:
            peer = transport.get_extra_info("peername")
            if not peer or not self._table.may_accept(peer[0]):
                self.state = CLOSED
                transport.abort()
                return
            self.host, self.port = peer[0], peer[1]
            self._table.add(self)
        elif self.state == CLOSED:                          # given up meanwhile
            transport.abort()
            return
        self.state = OPEN
        self._source = Source(self.local, self.host, self.port, self.id)
        self.last_used = self._table.clock()
        self._watch(self.last_used + self._table.limits.lifetime)
        pending, self._pending, self._size = self._pending, [], 0
        for data, _ in pending:
            transport.write(data)
        self.sent += len(pending)
        if self._table.watcher is not None:
            self._table.watcher("accepted" if self.accepted else "connected", self, "")

    def data_received(self, data: bytes) -> None:
        """Frame what came and hand the whole messages over; a stream that cannot be framed is closed."""
        if self.state == CLOSED:
            return
        table = self._table
        self.last_used = now = table.clock()
        fault = None
        try:
            found = self._framer.feed(data)
        except ParseError as error:
            fault, found = error, error.partial or []
        if found:
            self._part_since = 0.0
            self._deliver(found)
        if fault is not None:
            table.faults += 1
            table.complain("bad_stream", "proto=%s source=%s:%d reason=%s", self.local.proto, self.host, self.port,
                           fault.reason)
            self.close()
            return
        part = self._framer.pending
        if part != self.held:
            table.weigh(self, part)
        if not part:
            self._part_since = 0.0
        elif not self._part_since and self.state == OPEN:
            self._part_since = now
            self._watch(now + table.limits.message_time)

    def pause_writing(self) -> None:
        """The peer does not take what we send: take no more from it, if it was the peer that connected.

        Of two servers only one may stop reading, or both could wait for each other.
        """
        self._blocked_since = now = self._table.clock()
        self._watch(now + STUCK)
        if self.accepted:
            self._stream.pause_reading()

    def resume_writing(self) -> None:
        """The peer took enough: go on."""
        self._blocked_since = 0.0
        if self.accepted and self.state == OPEN:
            self._stream.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: nobody finds this connection any more."""
        if self._table.watcher is not None and self._source is not None:
            self._table.watcher("closed", self, str(exc or ("by us" if self.state == CLOSED else "by the peer")))
        self.state, self.wake = CLOSED, NEVER
        self._table.remove(self)
        self._gathered, self._ahead = [], 0
        self._stream = self._framer = None          # the wheel may know this object for another minute

    # --- called by the transport and the timers ----------------------------------------------------------------------

    def write(self, data: bytes, dest: Dest) -> bool:
        """Send, or keep until connected; False when closed or too much waits already."""
        table = self._table
        waiting = self._size if self.state == CONNECTING else self._waiting()
        if self.state == CLOSED or waiting + len(data) > table.limits.queue:
            table.dropped += 1
            table.complain("send_refused", "proto=%s dest=%s:%d state=%s waiting=%d", self.local.proto, self.host,
                           self.port, STATES[self.state], waiting)
            return False
        self.last_used = table.clock()
        if self.state == OPEN:
            self.sent += 1
            if table.ready is None or not self.gathers:
                self._stream.write(data)
                return True
            if not self._gathered:
                table.ready.append(self)
            self._gathered.append(data)
            self._ahead += len(data)
            if self._ahead >= GATHERED:
                table.receiver.batch_end()
                self.flush()
                table.receiver.batch_start()
        else:
            self._pending.append((data, dest))
            self._size += len(data)
        return True

    def flush(self) -> None:
        """Send what was gathered."""
        gathered, self._gathered, self._ahead = self._gathered, [], 0
        if gathered and self.state == OPEN:
            self._stream.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    @property
    def is_connecting(self) -> bool:
        """Say whether it is not made yet."""
        return self.state == CONNECTING

    def failed(self) -> list[tuple[bytes, Dest]]:
        """The connection could not be made: forget it and return what waited for it."""
        pending, self._pending = self._pending, []
        self.state, self.wake = CLOSED, NEVER
        self._table.remove(self)
        return pending

    def close(self) -> None:
        """Close after what waits was sent; at once when the peer does not take it."""
        if self._gathered:
            self.flush()
        was, self.state, self.wake = self.state, CLOSED, NEVER
        self._table.remove(self)
        if was == OPEN:
            if self._blocked_since:
                self._stream.abort()
            else:
                self._stream.close()

    def abort(self) -> None:
        """Close at once, whatever waits to be sent."""
        self.close()
        if self._stream is not None:
            self._stream.abort()

    def on_wake(self, now: float) -> None:
        """Close when a deadline has passed, else sleep until the next one."""
        limits = self._table.limits
        until = max(self.last_used + limits.lifetime, self.hold_until)
        why = "idle"
        if self._part_since and self._part_since + limits.message_time < until:
            until, why = self._part_since + limits.message_time, "message incomplete"
        if self._blocked_since and self._blocked_since + STUCK < until:
            until, why = self._blocked_since + STUCK, "peer does not read"
        if self.state != OPEN:
            self.wake = NEVER
        elif now < until:
            self.wake = until
        else:
            if why != "idle":
                self._table.faults += 1
                self._table.complain("closed", "proto=%s source=%s:%d reason=%s", self.local.proto, self.host,
                                     self.port, why)
            self.close()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _deliver(self, found: list[Any]) -> None:
        table = self._table
        receiver = table.receiver
        receiver.batch_start()
        begun = table.begin_batch()
        try:
            self._hand_over(found)
        finally:
            try:
                receiver.batch_end()
            finally:
                if begun:
                    table.end_batch()

    def _hand_over(self, found: list[Any]) -> None:
        table = self._table
        for item in found:
            if item is PING:
                if table.limits.pong and self.state == OPEN:
                    self._pong()
                continue
            self.received += 1
            if self.received == 1 and self.accepted:
                table.proven(self)
            if table.limits.aliases and self.accepted and not self._alias_tried:
                self._learn_alias(item)
            try:
                table.receiver.receive(item, self._source)
            except Exception as error:
                table.failures += 1
                table.complain("receive_failed", "socket=%s source=%s:%d", self.local.text, self.host, self.port,
                               error=error)

    def _pong(self) -> None:
        if self._gathered:
            self.flush()                        # nothing overtakes what was sent before
        self._stream.write(b"\r\n")

    def _learn_alias(self, raw: bytes) -> None:
        """Take requests towards the Via's port on this connection when the peer asks for it (RFC 5923)."""
        asked = self._table.limits.aliases == ALIAS_ALWAYS
        if not asked and self._table.may_alias is not None and not self._table.may_alias(self):
            return
        if not asked and b"alias" not in raw:
            return
        try:
            message = parse(raw)
            if not message.is_request or not (asked or message.via1.param("alias") is not None):
                return
            port = message.via1.port or 5060
        except ParseError:
            return
        self._alias_tried = True
        self._table.alias(self.id, port)

    def _waiting(self) -> int:
        return int(self._stream.get_write_buffer_size()) + self._ahead if self.state == OPEN else 0

    def _watch(self, when: float) -> None:
        if when < self.wake:
            self.wake = when
            self._table.timers.watch(self)

    @property
    def tls(self) -> Any:
        """Return the `ssl.SSLObject` of an open TLS connection, else None."""
        return self._stream.get_extra_info("ssl_object") if self.state == OPEN else None

    @property
    def stream(self) -> Any:
        """Return what carries the bytes: a transport of the loop or a layer; None while there is none."""
        return self._stream

    @property
    def unfinished(self) -> int:
        """Return the bytes received that are not a whole message yet."""
        return self._framer.pending if self._framer is not None else 0

    def listing(self, now: float) -> dict[str, Any]:
        """Describe the connection as `tcp:list` shows it."""
        left = max(self.last_used + self._table.limits.lifetime, self.hold_until) - now
        return {"ID": self.id, "Type": self.local.proto, "State": STATES[self.state],
                "Remote": f"{bracket(self.host)}:{self.port}",
                "Local": f"{bracket(self.local.host)}:{self.local.port}", "Lifetime": max(0, round(left)),
                "Alias port": self.alias_port, "Sent": self.sent, "Received": self.received}


class Connections:
    """All connections of one stream protocol of one worker."""

    def __init__(self, limits: StreamLimits, timers: Timers, *, worker: int = 0, log: logging.Logger | None = None,
                 clock: Callable[[], float] = time.monotonic, make_framer: Callable[[], Any] = Framer) -> None:
        self.limits, self.timers, self.clock, self.make_framer = limits, timers, clock, make_framer
        self.receiver: Receiver = None          # type: ignore[assignment]  # set when the first socket is opened
        self.complain = Complaint(log or logging.getLogger("osip.tcp"), clock=clock)
        self.faults = self.failures = self.dropped = self.refused = self.greeting = 0
        self.worker, self._count = worker, 0
        # With several workers: hear of what comes and goes, (is_there, host, port, id), and act on connections of
        # other workers, (what, id, argument) -> bool.
        self.told: Callable[[bool, str, int, int], None] | None = None
        self.elsewhere: Callable[[str, int, Any], bool] | None = None
        self.watcher: Callable[[str, Connection, str], None] | None = None      # (what happened, to whom, why)
        self.may_alias: Callable[[Connection], bool] | None = None      # whether a peer that asks for an alias gets it
        self._by_id: dict[int, Connection] = {}
        self._by_peer: dict[tuple[str, int], Connection] = {}
        self._silent: dict[int, Connection] = {}        # accepted, and no message came yet; the oldest first
        self._counts: dict[str, int] = {}               # address -> accepted connections, when that is limited
        self.shed = 0
        self.greeting = 0                               # accepted streams that still shake hands in a layer beneath
        self.unfinished = 0                             # bytes of messages that are not whole yet
        self.ready: list[Connection] | None = None      # those that hold something back; None outside of a batch

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._by_id.values()))

    def begin_batch(self) -> bool:
        """Gather what is sent from now on; False when that goes on already."""
        if self.ready is not None:
            return False
        self.ready = []
        return True

    def end_batch(self) -> None:
        """Send what was gathered."""
        ready, self.ready = self.ready, None
        for conn in ready or ():
            try:
                conn.flush()
            except Exception as error:          # of one connection; the others still get theirs
                self.complain("send_failed", "socket=%s dest=%s:%d", conn.local.text, conn.host, conn.port, error=error)

    def next_id(self) -> int:
        """Return a new connection id; its low bits name the worker."""
        self._count += 1
        return self._count << WORKER_BITS | self.worker

    def begin(self, worker: int, count: int) -> None:
        """Make ids for this worker from `count` on: a worker that takes another's place must not repeat its ids."""
        self.worker, self._count = worker, count

    def has_room(self) -> bool:
        """Say whether one more connection is allowed; counts and logs when not."""
        if len(self._by_id) + self.greeting < self.limits.connections:
            return True
        self.refused += 1
        self.complain("too_many_connections", "limit=%d", self.limits.connections)
        return False

    def may_accept(self, host: str) -> bool:
        """Say whether an address may have one more connection; when all are taken, the oldest silent one goes.

        So those who connect and say nothing cannot keep others out.
        """
        limit = self.limits.per_address
        if limit and self._counts.get(host, 0) >= limit:
            self.refused += 1
            self.complain("too_many_of_one_address", "source=%s limit=%d", host, limit)
            return False
        if len(self._by_id) + self.greeting >= self.limits.connections and self._silent:
            oldest = next(iter(self._silent.values()))
            if self.clock() - oldest.last_used >= SILENT:
                self.shed += 1
                self.complain("shed", "source=%s:%d reason=silent while all connections are taken", oldest.host,
                              oldest.port)
                oldest.close()
        return self.has_room()

    def weigh(self, conn: Connection, size: int) -> None:
        """Note how much of an unfinished message a connection holds; when all hold too much, the one with most goes."""
        if conn.id not in self._by_id:
            return
        self.unfinished += size - conn.held
        conn.held = size
        while self.unfinished > self.limits.unfinished:
            biggest = max(self._by_id.values(), key=lambda one: one.held)
            self.faults += 1
            self.complain("shed", "source=%s:%d reason=unfinished messages take too much bytes=%d", biggest.host,
                          biggest.port, biggest.held)
            biggest.abort()

    def proven(self, conn: Connection) -> None:
        """A message came on an accepted connection: it is in use."""
        self._silent.pop(conn.id, None)

    def add(self, conn: Connection) -> None:
        """Make a connection known by its id and by its peer."""
        self._by_id[conn.id] = conn
        if conn.accepted:
            self._silent[conn.id] = conn
            if self.limits.per_address:
                self._counts[conn.host] = self._counts.get(conn.host, 0) + 1
        self._by_peer[conn.host, conn.port] = conn
        if self.told is not None:
            self.told(True, conn.host, conn.port, conn.id)

    def remove(self, conn: Connection) -> None:
        """Forget a connection and its alias; a newer one to the same peer stays."""
        if self._by_id.pop(conn.id, None) is not None:
            self._silent.pop(conn.id, None)
            self.unfinished -= conn.held
            conn.held = 0
            if conn.accepted and conn.host in self._counts:
                self._counts[conn.host] -= 1
                if not self._counts[conn.host]:
                    del self._counts[conn.host]
            for port in (conn.port, conn.alias_port):
                if self._by_peer.get((conn.host, port)) is conn:
                    del self._by_peer[conn.host, port]
                    if self.told is not None:
                        self.told(False, conn.host, port, conn.id)

    def get(self, number: int) -> Connection | None:
        """Return the connection of this id."""
        return self._by_id.get(number)

    def peers(self) -> list[tuple[str, int, int]]:
        """List (host, port, id) of what `find` finds by address."""
        return [(host, port, conn.id) for (host, port), conn in self._by_peer.items()]

    def find(self, dest: Dest) -> Connection | None:
        """Return the connection for a destination: the one it names while that lives, else one to its address."""
        conn = self._by_id.get(dest.conn) if dest.conn else None
        return conn or self._by_peer.get((dest.host, dest.port))

    def alias(self, number: int, port: int) -> bool:
        """Let requests to this port of the peer use the connection; refused while another one serves that port."""
        conn = self._by_id.get(number)
        if conn is None:
            return self.elsewhere is not None and self.elsewhere("alias", number, port)
        key = conn.host, port
        other = self._by_peer.get(key)
        if other is not None and other is not conn:
            self.complain("alias_refused", "source=%s:%d port=%d reason=another connection serves it", conn.host,
                          conn.port, port)
            return False
        if conn.alias_port and conn.alias_port not in (port, conn.port):
            self._by_peer.pop((conn.host, conn.alias_port), None)
        conn.alias_port = port
        self._by_peer[key] = conn
        if self.told is not None:
            self.told(True, conn.host, port, conn.id)
        return True
