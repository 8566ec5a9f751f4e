"""Start a worker, watch the signals, stop: TERM drains, INT stops fast, HUP reloads the script."""
from __future__ import annotations

import asyncio
import grp
import logging
import os
import pwd
import resource
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from osip.core.errors import OsipError
from osip.core.run import trap
from osip.core.run.worker import Worker

_log = logging.getLogger("osip.core")


class Master:
    """Run one worker in this process. `reload` reads the script again and returns its diagnostics.

    `grace` is how long a drain may take (seconds); `user` and `group` are taken on once the sockets are open.
    """

    def __init__(self, worker: Worker, reload: Callable[[], Coroutine[Any, Any, object]], *, grace: float = 10.0,
                 pid_file: str = "", user: str = "", group: str = "", ready: Callable[[], None] = lambda: None) -> None:
        self.worker, self._reload, self._grace = worker, reload, grace
        self._pid_file, self._user, self._group, self._ready = pid_file, user, group, ready

    def run(self) -> None:
        """Serve until a signal or MI says stop. OsipError when the start fails."""
        config = self.worker.env.config
        limit_files(config.open_files_limit)
        limit_dumps(config.disable_core_dump)
        uvloop.run(self._main())

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, self.worker.stop)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        loop.add_signal_handler(signal.SIGUSR1, self._dump)
        trap.set_up(loop)
        self.worker.env.shutdown = self._shutdown
        try:
            await self.worker.run(self._started)
        finally:
            if self._pid_file:
                Path(self._pid_file).unlink(missing_ok=True)

    def _hang_up(self) -> None:
        for listener in self.worker.env.on_hang_up:
            listener()
        self.worker.env.spawn(self._reload(), "reload")

    def _terminate(self) -> None:
        _log.info("stopping: finishing what is in flight, at most %g seconds", self._grace)
        self.worker.stop(drain=True, grace=self._grace)

    def _shutdown(self, drain: bool) -> None:
        self.worker.stop(drain=drain, grace=self._grace)

    def _dump(self) -> None:
        for stat in self.worker.env.stats.all():
            _log.warning("statistic %s=%d", stat.full_name, stat.read())

    def _started(self) -> None:
        if self._pid_file:
            try:
                Path(self._pid_file).write_text(f"{os.getpid()}\n")
            except OSError as error:
                raise OsipError(f"cannot write the pid file {self._pid_file}: {error.strerror}") from None
        drop_privileges(self._user, self._group)
        self._ready()


def limit_files(number: int) -> None:
    """Set how many files may be open (`open_files_limit`); a negative number leaves it. OsipError when not allowed."""
    if number < 0:
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, number if hard == resource.RLIM_INFINITY else max(number, hard)))
    except (OSError, ValueError) as error:
        raise OsipError(f"cannot set open_files_limit to {number}: {error}; at most {hard} are allowed") from None


def limit_dumps(are_off: int) -> None:
    """Leave no core file when something kills this process or a child (`disable_core_dump`)."""
    if are_off:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def drop_privileges(user: str, group: str) -> None:
    """Become another user and group, by name or number; OsipError when that cannot be."""
    if not user and not group:
        return
    try:
        entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user) if user else None
        gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid if group \
            else entry.pw_gid if entry else os.getgid()
        os.setgroups([gid])
        os.setgid(gid)
        if entry is not None:
            os.setuid(entry.pw_uid)
    except KeyError as error:
        raise OsipError(f"-u/-g: {error.args[0]}") from None
    except PermissionError:
        raise OsipError("-u/-g: only root can become another user") from None
