"""Run one of several workers in its process, at the orders of the master."""
from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from typing import Any, Protocol

import uvloop

from osip.core.errors import OsipError
from osip.core.exports.diagnostic import Diagnostic
from osip.core.net.endpoint import LocalSocket
from osip.core.run import trap
from osip.core.run.crew import CrewWorker
from osip.core.run.group import Group
from osip.core.run.line import Line, pack, unpack
from osip.core.run.master import drop_privileges

_log = logging.getLogger("osip.core")


class Change(Protocol):
    """A changed script, checked and compiled but not yet in use."""
    found: list[Diagnostic]


class Reloader(Protocol):
    """What reads the script again: in the master and in every worker."""

    def prepare(self) -> Change:
        """Check and compile the script; nothing changes."""

    def new_sockets(self, change: Change) -> list[LocalSocket]:
        """Return the sockets that the changed script adds."""

    def swap(self, change: Change) -> None:
        """Put it in use; what could not be taken over is added to its findings."""


class Seat:
    """The place of one worker: its line to the master and what is done at its orders."""

    def __init__(self, worker: CrewWorker, line: Line, reloader: Reloader, *, grace: float = 10.0, user: str = "",
                 group: str = "") -> None:
        self._worker, self._line, self._reloader = worker, line, reloader
        self._grace, self._user, self._group = grace, user, group
        self._change: Change | None = None
        self._count = 0
        self._asked: dict[int, asyncio.Future[list[Diagnostic]]] = {}

    async def run(self, links: dict[int, socket.socket]) -> None:
        """Serve until the master says leave, or is gone."""
        loop, env = asyncio.get_running_loop(), self._worker.env
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        for quiet in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):    # a terminal sends them to the whole group
            signal.signal(quiet, signal.SIG_IGN)
        trap.set_up(loop)
        env.shutdown = lambda drain: self._line.send("shutdown", drain)
        env.reload = self.reload
        for peer, sock in links.items():
            self._worker.mesh.connect(peer, sock)
        loop.add_reader(self._line.fileno(), self._on_order)
        try:
            await self._worker.run(self._started)
        finally:
            loop.remove_reader(self._line.fileno())
            self._worker.mesh.close()

    def _started(self) -> None:
        drop_privileges(self._user, self._group)
        self._line.send("ready", list(self._worker.env.announcements))

    def _terminate(self) -> None:
        self._worker.stop(drain=True, grace=self._grace)

    def _on_order(self) -> None:
        order, files = self._line.receive()
        if order is None:
            return
        if not order:
            _log.critical("the master is gone: stopping")
            asyncio.get_running_loop().remove_reader(self._line.fileno())
            self._worker.leave()
            return
        getattr(self, "_" + order[0])(*order[1:], *([files] if files else []))

    # --- orders: each is named by its word --------------------------------------------------------------------------

    def _peer(self, number: int, files: list[int]) -> None:
        self._worker.mesh.connect(number, socket.socket(fileno=files[0]))

    def _drain(self, grace: float) -> None:
        self._worker.stop(drain=True, grace=grace)

    def _leave(self) -> None:
        self._worker.leave()

    def _detach(self) -> None:
        """Let go of the terminal."""
        null = os.open(os.devnull, os.O_RDWR)
        for file in (0, 1, 2):
            os.dup2(null, file)
        os.close(null)

    def _hang_up(self) -> None:
        for listener in self._worker.env.on_hang_up:
            listener()

    def _dump(self) -> None:
        for stat in self._worker.env.stats.all():
            _log.warning("statistic %s=%d", stat.full_name, stat.read())

    def _prepare(self, number: int) -> None:
        self._worker.env.spawn(self._prepare_beside(number), "reload")

    async def _prepare_beside(self, number: int) -> None:
        try:
            self._change = await asyncio.to_thread(self._reloader.prepare)
            found = self._change.found
        except OsipError as error:
            found = [Diagnostic("E311", str(error))]
        self._line.send("prepared", number, pack([one for one in found if one.is_error]))

    def _abort(self) -> None:
        self._change = None

    def _commit(self, number: int, offers: list[tuple[str, bool, bool]], files: list[int] | None = None) -> None:
        """Swap; `offers` are new sockets: name, is there one for strays, does the kernel steer."""
        rest = [socket.socket(fileno=file) for file in files or ()]
        for text, has_strays, is_steered in offers:
            group = Group([], rest.pop(0) if has_strays else None, is_steered)
            # Only the own place in the group matters here.
            group.workers = [rest.pop(0)] * self._worker.env.workers
            self._worker.offered[text] = group
        change, self._change = self._change, None
        if change is not None:
            self._reloader.swap(change)
        self._line.send("swapped", number, pack(change.found if change is not None else []))

    def _reloaded(self, number: int, found: list[Any]) -> None:
        future = self._asked.pop(number, None)
        if future is not None and not future.done():
            future.set_result(unpack(found))

    # --- what the worker asks of the master -------------------------------------------------------------------------

    async def reload(self, dry_run: bool = False) -> list[Diagnostic]:
        """Have the script read again in the master and in all workers; return the findings."""
        self._count += 1
        future = self._asked[self._count] = asyncio.get_running_loop().create_future()
        if not self._line.send("reload", self._count, dry_run):
            raise OsipError("the master does not listen")
        return await future


def sit(worker: CrewWorker, number: int, groups: dict[LocalSocket, Group], line: Line, links: dict[int, socket.socket],
        reloader: Reloader, is_first: bool, **options: Any) -> int:
    """Be worker `number` in a process that was just forked; return its exit code."""
    worker.take_seat(number, groups, is_first, line)
    try:
        uvloop.run(Seat(worker, line, reloader, **options).run(links))
    except (OsipError, PermissionError) as error:
        line.send("failed", str(error), os.getpid())
        return 1
    return 0
