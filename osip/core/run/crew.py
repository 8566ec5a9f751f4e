"""Serve as one of several workers: hand over what belongs to another one, send on connections that others have.

A worker owns the calls whose Call-ID leads to it (`inbox`, `steer`); a connection is owned by the worker that accepted
or made it. Everything else is the same as with one worker.
"""
from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from osip.core.errors import OsipError
from osip.core.exports.registry import Registry
from osip.core.net.connections import WORKER_BITS
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run import log
from osip.core.run.bus import MeshBus
from osip.core.run.env import Env, Ids
from osip.core.run.gather import GatheredCommands
from osip.core.run.group import Group
from osip.core.run.inbox import Inbox
from osip.core.run.stats import Stats, Told, total
from osip.core.run.worker import Worker

if TYPE_CHECKING:
    from osip.core.run.line import Line

_log = logging.getLogger("osip.core")

MASK = (1 << WORKER_BITS) - 1
CATCH_UP_SECONDS = 30.0
EARLY = 10_000                                  # messages for a worker that starts; peers repeat the rest
_SIP, _SEND, _UNSENT, _STREAMS, _STREAM = "sip", "sip.send", "sip.unsent", "streams", "stream"
_IN_USE = "socket.in_use"


class CrewWorker(Worker):
    """One of several workers. The master makes one, forks, and each child takes its seat."""

    def __init__(self, env: Env, registry: Registry, local: list[LocalSocket], workers: int) -> None:
        self.mesh = MeshBus(workers)
        env.workers = workers
        super().__init__(env, registry, local, bus=self.mesh)
        self.sender.elsewhere = self._send_elsewhere
        self.groups: dict[LocalSocket, Group] = {}
        self.offered: dict[str, Group] = {}             # for sockets that a reload brings, by name
        self.handed = self.taken = 0                    # messages given to and got from other workers
        self._early: list[tuple[int, str, int, int, bytes]] | None = None     # handed over while it starts
        self._line: Line | None = None
        self.unsteered: set[LocalSocket] = set()        # the kernel does not place what arrives there
        self._told_in_use: dict[str, bool] = {}         # sockets that are to be closed: what was said of them here
        self._busy: dict[str, set[int]] = {}            # the same: which other workers still need them
        self._streams: dict[tuple[str, str, int], int] = {}     # (protocol, host, port) -> another's id
        env.mi = self.commands = GatheredCommands(registry, self.mesh)
        env.gather_stats = self.gather_stats
        self.mesh.subscribe(_SIP, self._on_sip)
        self.mesh.subscribe(_SEND, self._on_send)
        self.mesh.subscribe(_UNSENT, lambda value: self.on_unsent(value[0], self._dest(*value[1:])))
        self.mesh.subscribe(_IN_USE, self._on_in_use)
        self.mesh.subscribe(_STREAMS, self._on_streams)
        self.mesh.share(_STREAMS, self._known_streams, lambda items: [self._on_streams(one) for one in items])
        self.mesh.serve(_STREAM, self._on_stream_call)
        self.mesh.serve("stats", lambda peer, value: self._stats())
        self.mesh.on_lost.append(self._on_lost)
        self.mesh.batch_start, self.mesh.batch_end = self.batch_start, self.batch_end
        env.stats.register("net", "handed_over", lambda: self.handed)
        env.stats.register("net", "taken_over", lambda: self.taken)
        for name in ("sent", "received", "dropped"):
            env.stats.register("bus", name, lambda name=name: self.mesh.counts()[name])

    def take_seat(self, number: int, groups: dict[LocalSocket, Group], is_first: bool, line: Line) -> None:
        """Become worker `number`, right after the fork."""
        env = self.env
        self.number = env.number = self.mesh.number = number
        self.groups, self.is_first, self._line = groups, is_first, line
        self.unsteered = {local for local, group in groups.items() if not group.is_steered}
        self.inbox = Inbox(self.dispatch, env.workers, number, self.unsteered, self._hand)
        self.receive, self.dispatch.elsewhere = self.inbox.receive, self.inbox.elsewhere
        env.ids = Ids(worker=number, workers=env.workers)
        env.pid = os.getpid()
        env.config.worker = f"w{number}"
        log.set_up(env.config)
        for listener in env.on_reload:          # what hangs on the handlers of the log
            listener()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve; what others hand over waits until the sockets are open, as nothing could leave before."""
        self._early = early = []
        self.commands.opened = opened = asyncio.Event()

        def open_up() -> None:
            ready()
            opened.set()
            self._early = None
            for value in early:
                self._on_sip(value)

        await super().run(open_up)

    async def _join(self) -> None:
        """Learn what the others know, before the first message comes."""
        self._number_connections()
        for peer in sorted(self.mesh.links):
            try:
                async with asyncio.timeout(CATCH_UP_SECONDS):
                    count = await self.mesh.catch_up(peer)
                _log.info("state learned from=w%d items=%d", peer, count)
                break
            except (OsipError, TimeoutError) as error:
                _log.warning("state not learned from=w%d error=%s", peer, error)
        self.mesh.is_complete = True

    def _number_connections(self) -> None:
        for proto, transport in self.transports.items():
            table = getattr(transport, "connections", None)
            if table is not None:
                table.begin(self.number, int(self.env.wall()) << 16)
                table.told = lambda is_there, host, port, id, proto=proto: self.mesh.others(
                    _STREAMS, (is_there, proto, host, port, id))
                table.elsewhere = lambda what, id, value, proto=proto: self._call_stream(proto, what, id, value)

    def _listen(self, transport: Any, socket: LocalSocket, loop: asyncio.AbstractEventLoop) -> None:
        group = self.groups.get(socket)
        if group is None or len(group.workers) <= 1:        # one alone: worker 0 serves it for all
            if self.number == 0:
                transport.open(socket, loop, self, *(group.workers if group else ()))
            return
        transport.open(socket, loop, self, group.workers[self.number])
        if group.strays is not None and self.number == 0:
            transport.listen_also(socket, loop, Strays(self), group.strays)

    def add_socket(self, socket: LocalSocket) -> None:
        """Listen on one more socket; the template in the master only notes it."""
        group = self.groups[socket] = self.offered.pop(socket.text, Group())
        if not group.is_steered:
            self.unsteered.add(socket)
        if self._stop is not None:
            super().add_socket(socket)
        else:
            self._note_socket(socket)

    def drop_socket(self, socket: LocalSocket) -> bool:
        """Close a socket when nothing in flight needs it; the template in the master gives up its copies at once."""
        group = self.groups.get(socket)
        if group is None or not group.workers:
            return False
        if self._stop is None:
            self.env.sockets.remove(socket)
            self.groups.pop(socket).close()
            return True
        self.unsteered.add(socket)              # the kernel numbers the sockets of a group anew when one is closed
        return super().drop_socket(socket)

    def _is_in_use(self, socket: LocalSocket) -> bool:
        """Say whether any worker needs a socket: all close it together, as what arrives is spread over all of them."""
        own = super()._is_in_use(socket)
        told = self._told_in_use.get(socket.text)
        if own is not told:
            self._told_in_use[socket.text] = own
            self.mesh.others(_IN_USE, (socket.text, self.number, own))
        return told is None or own or bool(self._busy.get(socket.text))     # at first the others have not said yet

    def _on_in_use(self, value: tuple[str, int, bool]) -> None:
        text, number, is_busy = value
        if is_busy:
            self._busy.setdefault(text, set()).add(number)
        else:
            self._busy.get(text, set()).discard(number)

    def _shut(self, socket: LocalSocket) -> None:
        super()._shut(socket)
        self._told_in_use.pop(socket.text, None)
        self._busy.pop(socket.text, None)
        self.unsteered.discard(socket)
        group = self.groups.pop(socket, None)
        if group is not None:
            group.close()

    def _drained(self) -> None:
        assert self._line is not None           # the others may not be ready: the master says when to go
        self._line.send("drained")

    def leave(self) -> None:
        """Stop now."""
        if self._stop is not None:
            self._stop.set()

    # --- receiving --------------------------------------------------------------------------------------------------

    def _hand(self, number: int, raw: bytes, source: Source) -> bool:
        if not self.mesh.tell(number, _SIP, (source.socket.index, source.host, source.port, source.conn, raw)):
            return False                # that worker is being replaced: its transactions are gone anyway
        self.handed += 1
        return True

    def _on_sip(self, value: tuple[int, str, int, int, bytes]) -> None:
        if self._early is not None:
            if len(self._early) < EARLY:
                self._early.append(value)
            return
        index, host, port, conn, raw = value
        self.taken += 1
        self.dispatch.receive(raw, Source(self.env.known_sockets[index], host, port, conn))

    # --- sending ----------------------------------------------------------------------------------------------------

    def _send_elsewhere(self, data: bytes, dest: Dest) -> bool:
        """Let the worker that has the connection send; False when that is nobody else."""
        number = self._holder(dest)
        return number >= 0 and self.mesh.tell(number, _SEND, (self.number, data, *self._packed(dest)))

    def is_connected(self, proto: str, host: str, port: int, conn: int) -> bool:
        """Say whether a stream connection of this id to a peer is there, in any worker."""
        if conn & MASK == self.number:
            return super().is_connected(proto, host, port, conn)
        return self._streams.get((proto, host, port)) == conn

    def _holder(self, dest: Dest) -> int:
        """Return the worker that has the connection for a destination; -1 when it is this one or none."""
        if dest.conn and dest.conn & MASK != self.number:
            return dest.conn & MASK
        transport = self.transports.get(dest.proto)
        table = getattr(transport, "connections", None)
        if table is None:
            group = self.groups.get(dest.socket) if dest.socket is not None else None
            return 0 if self.number and group is not None and not group.workers else -1
        if self._streams and table.find(dest) is None:
            number = self._streams.get((dest.proto, dest.host, dest.port))
            return number & MASK if number is not None else -1
        return -1

    def _packed(self, dest: Dest) -> tuple[Any, ...]:
        index = dest.socket.index if dest.socket is not None else -1
        return dest.proto, dest.host, dest.port, index, dest.conn, dest.only_reuse, dest.name, dest.domain, \
            dest.tried

    def _dest(self, proto: str, host: str, port: int, index: int, conn: int, only_reuse: bool,
              name: str, domain: str, tried: int) -> Dest:
        dest = Dest(proto, host, port, self.env.known_sockets[index] if index >= 0 else None, conn)
        dest.only_reuse, dest.name, dest.domain, dest.tried = only_reuse, name, domain, tried
        return dest

    def _on_send(self, value: tuple[Any, ...]) -> None:
        sender, data, *packed = value
        dest = self._dest(*packed)
        dest_conn_is_mine = not dest.conn or dest.conn & MASK == self.number
        if not dest_conn_is_mine or not self.sender.send_here(data, dest):
            self.mesh.tell(sender, _UNSENT, (data, *packed))

    # --- connections of other workers -------------------------------------------------------------------------------

    def _on_streams(self, value: tuple[bool, str, str, int, int]) -> None:
        is_there, proto, host, port, number = value
        if is_there:
            self._streams[proto, host, port] = number
        elif self._streams.get((proto, host, port)) == number:
            del self._streams[proto, host, port]

    def _known_streams(self) -> list[tuple[bool, str, str, int, int]]:
        found = [(True, proto, host, port, id) for (proto, host, port), id in self._streams.items()]
        for proto, transport in self.transports.items():
            table = getattr(transport, "connections", None)
            if table is not None:
                found += [(True, proto, host, port, id) for host, port, id in table.peers()]
        return found

    def _on_lost(self, peer: int) -> None:
        for busy in self._busy.values():
            busy.discard(peer)
        self._streams = {key: id for key, id in self._streams.items() if id & MASK != peer}

    def _call_stream(self, proto: str, what: str, id: int, value: Any) -> bool:
        number = id & MASK
        if number == self.number or number not in self.mesh.links:
            return False
        self.env.spawn(self.mesh.ask(number, _STREAM, (proto, what, id, value)), "stream")
        return True

    def _on_stream_call(self, peer: int, value: tuple[str, str, int, Any]) -> bool:
        proto, what, id, argument = value
        transport = self.transports.get(proto)
        if transport is None or what not in ("alias", "hold", "disconnect"):
            return False
        return bool(getattr(transport, what)(id, *([argument] if argument is not None else [])))

    # --- all together -----------------------------------------------------------------------------------------------

    def _stats(self) -> list[Told]:
        return [stat.tell() for stat in self.env.stats.all()]

    async def gather_stats(self) -> Stats:
        """Return the statistics of all workers as one: sums, but for what all know alike and for means."""
        asked = [self.mesh.ask(peer, "stats", None) for peer in sorted(self.mesh.links)]
        own = self._stats()
        found = await asyncio.gather(*asked, return_exceptions=True)
        return total([own, *(one for one in found if not isinstance(one, BaseException))])


class Strays:
    """Take datagrams of which the kernel could not tell whose they are."""

    def __init__(self, worker: CrewWorker) -> None:
        self._worker = worker
        self.receive: Callable[[bytes, Source], None] = worker.inbox.steer
        self.batch_start, self.batch_end, self.on_unsent = worker.batch_start, worker.batch_end, worker.on_unsent

