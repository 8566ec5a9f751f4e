"""Fork several workers and look after them: replace one that dies, stop and reload all together.

The master opens every socket and keeps it, so that what arrives for a worker that died waits for its successor. It has
no event loop, no threads and no connections: it waits for its lines to the workers and for signals.
"""
from __future__ import annotations

import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from osip.core.errors import OsipError
from osip.core.exports.diagnostic import Diagnostic
from osip.core.net.endpoint import LocalSocket
from osip.core.run import log, trap
from osip.core.run.crew import CrewWorker
from osip.core.run.group import Group, bind_all, transports_of
from osip.core.run.line import Line, pack, unpack
from osip.core.run.master import limit_dumps, limit_files
from osip.core.run.seat import Change, Reloader, sit

_log = logging.getLogger("osip.core")

STEADY = 10.0               # seconds after which a worker counts as one that runs
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)
START_SECONDS = 60.0
RELOAD_SECONDS = 30.0
LEAVE_SECONDS = 60.0        # between the order to leave and SIGKILL: a store may have much to write
_WATCH = 0.5


class Member:
    """One worker as the master sees it."""
    __slots__ = ("number", "pid", "line", "started", "is_ready", "is_drained", "deaths", "due")

    def __init__(self, number: int) -> None:
        self.number, self.pid = number, 0
        self.line: Line | None = None
        self.started = self.due = 0.0
        self.is_ready = self.is_drained = False
        self.deaths = 0                         # in a row, each soon after its start

    def on_death(self, now: float) -> float:
        """Note that it died; return how long to wait before it is replaced (seconds)."""
        self.deaths = self.deaths + 1 if now - self.started < STEADY else 0
        self.pid, self.is_ready = 0, False
        pause = 0.0 if self.deaths <= 1 else min(FIRST_PAUSE * 2 ** (self.deaths - 2), LONGEST_PAUSE)
        self.due = now + pause
        return pause

    def tell(self, *order: Any, files: list[int] | None = None) -> bool:
        """Give it an order; False when it is not there."""
        return self.line is not None and self.line.send(*order, files=files)


class Reload:
    """A reload under way: which workers have still to answer, and what was found."""
    __slots__ = ("number", "asker", "dry_run", "change", "waiting", "found", "until", "is_swapping")

    def __init__(self, number: int, asker: tuple[Member, int] | None, dry_run: bool, change: Change,
                 until: float) -> None:
        self.number, self.asker, self.dry_run, self.change, self.until = number, asker, dry_run, change, until
        self.waiting: set[int] = set()
        self.found: list[Diagnostic] = []
        self.is_swapping = False


class Supervisor:
    """The master of several workers; `worker` is the one that each of them begins as a copy of."""

    def __init__(self, worker: CrewWorker, reloader: Reloader, *, grace: float = 10.0, pid_file: str = "",
                 user: str = "", group: str = "", ready: Callable[[], None] = lambda: None,
                 is_daemon: bool = False) -> None:
        self._is_daemon = is_daemon
        self.worker, self._reloader, self._grace = worker, reloader, grace
        self._pid_file, self._user, self._group, self._ready = pid_file, user, group, ready
        self.members = [Member(number) for number in range(worker.env.workers)]
        self._groups: dict[LocalSocket, Group] = {}
        self._transports: dict[str, Any] = {}
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._failure = ""
        self._is_up = self._is_stopping = self._is_leaving = False
        self._deadline = float("inf")
        self._reload: Reload | None = None
        self._waiting_reloads: list[tuple[tuple[Member, int] | None, bool]] = []
        self._reloads = 0

    def run(self) -> None:
        """Serve until a signal or MI says stop. OsipError when the start fails."""
        config = self.worker.env.config
        limit_files(config.open_files_limit)
        limit_dumps(config.disable_core_dump)
        config.worker = "master"
        log.set_up(config)
        for instance in self.worker.registry.start_order():
            if hasattr(instance, "make_transport"):
                self._transports.update(transports_of(instance, self.worker.env))
        self._groups = bind_all(self._transports, self.worker.env.sockets, len(self.members))
        self.worker.groups = self._groups
        self._catch_signals()
        gc.collect()
        gc.freeze()
        try:
            self._write_pid()
            self._start()
            self._serve()
        finally:
            self._end()

    # --- start and end ----------------------------------------------------------------------------------------------

    def _catch_signals(self) -> None:
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda number, _: self._signals.append(number))
        trap.set_up()
        self._wakeup = reader, writer
        self._selector.register(reader, selectors.EVENT_READ, self._on_wakeup)

    def _on_wakeup(self) -> None:
        try:
            self._wakeup[0].recv(4096)
        except BlockingIOError:
            pass

    def _write_pid(self) -> None:
        if self._pid_file:
            try:
                Path(self._pid_file).write_text(f"{os.getpid()}\n")
            except OSError as error:
                raise OsipError(f"cannot write the pid file {self._pid_file}: {error.strerror}") from None

    def _start(self) -> None:
        """Start worker 0, which runs the startup route, and then the others."""
        until = time.monotonic() + START_SECONDS
        for batch in (self.members[:1], self.members[1:]):
            for member in batch:
                self._fork(member, is_first=True)
            while not all(member.is_ready for member in batch) and not self._is_stopping:
                self._turn()
                if self._failure:
                    raise OsipError(self._failure)
                if time.monotonic() > until:
                    raise OsipError(f"a worker was not ready after {START_SECONDS:g} seconds")
        self._is_up = True
        if not self._is_stopping:
            self._ready()
            if self._is_daemon:                 # it let go of the terminal just now
                for member in self.members:
                    member.tell("detach")

    def _serve(self) -> None:
        while any(member.pid for member in self.members) or not self._is_stopping:
            self._turn()

    def _turn(self) -> None:
        """Wait for the next thing to happen, at most half a second, and see what is due."""
        now = time.monotonic()
        until = min((member.due for member in self.members if not member.pid), default=now + _WATCH)
        for key, _ in self._selector.select(max(0.0, min(_WATCH, until - now))):
            key.data()
        while self._signals:
            self._on_signal(self._signals.pop(0))
        now = time.monotonic()
        self._check_deadline(now)
        if self._is_up and not self._is_stopping and self._reload is None:
            for member in self.members:
                if not member.pid and member.due <= now:
                    self._fork(member, is_first=False)

    def _end(self) -> None:
        for member in self.members:
            if member.pid:
                os.kill(member.pid, signal.SIGKILL)
                os.waitpid(member.pid, 0)
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self._selector.close()
        for end in self._wakeup:
            end.close()
        for group in self._groups.values():
            group.close()
        if self._pid_file:
            Path(self._pid_file).unlink(missing_ok=True)

    # --- workers ----------------------------------------------------------------------------------------------------

    def _fork(self, member: Member, is_first: bool) -> None:
        mine, theirs = Line.pair()
        peers = {other.number: socket.socketpair() for other in self.members if other.pid and other is not member}
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            mine.close()                        # or the end of the master would go unnoticed
            for pair in peers.values():
                pair[1].close()
            self._be(member.number, theirs, {number: pair[0] for number, pair in peers.items()}, is_first)
        theirs.close()
        member.pid, member.line, member.started = pid, mine, time.monotonic()
        member.is_ready = member.is_drained = False
        self._selector.register(mine, selectors.EVENT_READ, lambda: self._on_line(member, mine))
        for number, pair in peers.items():
            self.members[number].tell("peer", member.number, files=[pair[1].fileno()])
            for end in pair:
                end.close()

    def _be(self, number: int, line: Line, links: dict[int, socket.socket], is_first: bool) -> None:
        """Turn into a worker; never returns."""
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            for member in self.members:
                if member.line is not None:
                    member.line.close()
            for known in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(known, signal.SIG_DFL)
            code = sit(self.worker, number, self._groups, line, links, self._reloader, is_first, grace=self._grace,
                       user=self._user, group=self._group)
        except BaseException:
            traceback.print_exc()
        finally:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        for member in self.members:
            if not member.pid:
                continue
            pid, status = os.waitpid(member.pid, os.WNOHANG)
            if pid:
                if member.line is not None:
                    self._on_line(member, member.line)      # its last words
                self._on_death(member, status)

    def _on_death(self, member: Member, status: int) -> None:
        pid, code = member.pid, os.waitstatus_to_exitcode(status)
        if member.line is not None:
            self._hang_up(member, member.line)
        pause = member.on_death(time.monotonic())
        if self._reload is not None:
            self._reload.waiting.discard(member.number)
            self._go_on()
        if self._is_stopping:
            return
        if not self._is_up:
            self._failure = self._failure or f"worker {member.number} ended with code {code} while it started"
            return
        _log.error("worker ended worker=w%d pid=%d code=%d replaced_in=%g", member.number, pid, code, pause)

    def _hang_up(self, member: Member, line: Line) -> None:
        if line.fileno() >= 0:
            self._selector.unregister(line)
            line.close()
        if member.line is line:
            member.line = None

    def _on_line(self, member: Member, line: Line) -> None:
        while line.fileno() >= 0:
            value, _ = line.receive()
            if value is None:
                return
            if not value:
                self._hang_up(member, line)
                return
            getattr(self, "_on_" + value[0])(member, *value[1:])

    # --- what workers say: each method is named by its word ---------------------------------------------------------

    def _on_ready(self, member: Member, announcements: list[str]) -> None:
        member.is_ready = True
        if self._is_up:
            _log.warning("worker replaced worker=w%d pid=%d", member.number, member.pid)
        elif member.number == 0:
            self.worker.env.announcements[:] = announcements

    def _on_failed(self, member: Member, text: str, pid: int) -> None:
        if not self._is_up:
            self._failure = self._failure or text
        _log.error("worker failed worker=w%d pid=%d error=%s", member.number, pid, text)

    def _on_drained(self, member: Member) -> None:
        member.is_drained = True
        if not self._is_stopping:               # it was told so by somebody else: let it go and replace it
            member.tell("leave")
        elif all(other.is_drained for other in self.members if other.pid):
            self._leave()

    def _on_shutdown(self, member: Member, drain: bool) -> None:
        self._stop(drain)

    def _on_reload(self, member: Member, number: int, dry_run: bool) -> None:
        self._begin_reload((member, number), dry_run)

    def _on_prepared(self, member: Member, number: int, found: list[Any]) -> None:
        self._answered(member, number, unpack(found), is_swapped=False)

    def _on_swapped(self, member: Member, number: int, found: list[Any]) -> None:
        self._answered(member, number, unpack(found), is_swapped=True)

    # --- stopping ---------------------------------------------------------------------------------------------------

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGHUP:
            self._tell_all("hang_up")
            self._begin_reload(None, False)
        elif number == signal.SIGUSR1:
            self._tell_all("dump")
        else:
            self._stop(drain=number == signal.SIGTERM)

    def _tell_all(self, order: str) -> None:
        for member in self.members:
            member.tell(order)

    def _stop(self, drain: bool) -> None:
        if not drain or self._is_stopping:
            self._leave()
            return
        _log.info("stopping: finishing what is in flight, at most %g seconds", self._grace)
        self._is_stopping = True
        self._deadline = time.monotonic() + self._grace + 2
        for member in self.members:
            member.tell("drain", self._grace)

    def _leave(self) -> None:
        self._is_stopping = True
        if not self._is_leaving:
            self._is_leaving = True
            self._deadline = time.monotonic() + LEAVE_SECONDS
        for member in self.members:
            member.tell("leave")

    def _check_deadline(self, now: float) -> None:
        if self._reload is not None and now > self._reload.until:
            self._reload.found += [Diagnostic("E311", f"worker {number} did not answer")
                                   for number in sorted(self._reload.waiting)]
            self._reload.waiting.clear()
            self._go_on()
        if self._is_stopping and now > self._deadline:
            if not self._is_leaving:
                self._leave()
                return
            for member in self.members:
                if member.pid:
                    _log.error("worker does not leave: killed worker=w%d pid=%d", member.number, member.pid)
                    os.kill(member.pid, signal.SIGKILL)
            self._deadline = now + LEAVE_SECONDS

    # --- reload: all prepare, then all swap; when one cannot, none does ---------------------------------------------

    def _begin_reload(self, asker: tuple[Member, int] | None, dry_run: bool) -> None:
        if self._reload is not None:
            self._waiting_reloads.append((asker, dry_run))
            return
        self._reloads += 1
        change = self._reloader.prepare()       # the master keeps the program for workers to come
        reload = self._reload = Reload(self._reloads, asker, dry_run, change, time.monotonic() + RELOAD_SECONDS)
        if not any(one.is_error for one in change.found):
            for member in self.members:
                if member.pid and member.tell("prepare", reload.number):
                    reload.waiting.add(member.number)
        self._go_on()

    def _answered(self, member: Member, number: int, found: list[Diagnostic], is_swapped: bool) -> None:
        reload = self._reload
        if reload is None or reload.number != number or reload.is_swapping is not is_swapped:
            return
        reload.waiting.discard(member.number)
        reload.found += [one for one in found if one not in reload.found and one not in reload.change.found]
        self._go_on()

    def _go_on(self) -> None:
        reload = self._reload
        if reload is None or reload.waiting:
            return
        errors = [one for one in reload.change.found + reload.found if one.is_error]
        if not reload.is_swapping and not errors and not reload.dry_run and self._commit(reload):
            if not reload.waiting:
                self._go_on()
            return
        if not reload.is_swapping:
            for member in self.members:
                member.tell("abort")
        self._finish(reload)

    def _commit(self, reload: Reload) -> bool:
        fresh = self._reloader.new_sockets(reload.change)
        try:
            groups = bind_all(self._transports, fresh, len(self.members))
        except OsipError as error:
            reload.found.append(Diagnostic("E311", str(error)))
            return False
        reload.is_swapping = True
        reload.until = time.monotonic() + RELOAD_SECONDS
        for member in self.members:
            offers, files = [], []
            for local, group in groups.items():
                strays = group.strays if member.number == 0 else None
                own = group.workers[member.number:member.number + 1]
                if own:
                    offers.append((local.text, strays is not None, group.is_steered))
                    files += [sock.fileno() for sock in (*([strays] if strays is not None else []), *own)]
            if member.pid and member.tell("commit", reload.number, offers, files=files):
                reload.waiting.add(member.number)
        self.worker.offered = {local.text: group for local, group in groups.items()}
        self._reloader.swap(reload.change)
        self._groups = self.worker.groups
        return True

    def _finish(self, reload: Reload) -> None:
        self._reload = None
        found = reload.change.found + reload.found
        for one in found:
            if one.is_error:
                _log.error("reload refused at=%s:%d:%d code=%s %s", one.span.file, one.span.line, one.span.col,
                           one.code, one.message)
                break
        if reload.asker is not None:
            member, number = reload.asker
            member.tell("reloaded", number, pack(found[:100]))
        if self._waiting_reloads:
            self._begin_reload(*self._waiting_reloads.pop(0))
