"""The management commands and statistics about the process: connections, memory, load, profiles (MI section 2).

osip has no memory of its own making. Its `pkmem:` is that of one process, its `shmem:` that of all workers together,
each against what the machine or the container may use.
"""
from __future__ import annotations

import asyncio
import cProfile
import gc
import io
import logging
import os
import pstats
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from osip.core.errors import MIError
from osip.core.exports.declare import mi, timer
from osip.core.exports.module import Module
from osip.core.exports.spec import Scope
from osip.core.mi.commands import BAD_PARAMS
from osip.core.net.endpoint import Dest, parse_endpoint
from osip.core.run.log import NOTICE, python_level

MINUTE, TEN_MINUTES = 60, 600
SAMPLE = 100_000            # objects that a memory dump looks at
LONGEST_PROFILE = 600.0     # seconds; one that was forgotten would slow the server for good
_log = logging.getLogger("osip.core")


class Load:
    """The share of a core that this process used, in the last second, minute and ten minutes."""
    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=TEN_MINUTES + 1)

    def look(self) -> None:
        """Note how much was used until now; to be called each second."""
        self._seen.append((time.monotonic(), time.process_time()))

    def percent(self, seconds: int) -> float:
        """Return the share in percent over the last seconds."""
        if len(self._seen) < 2:
            return 0.0
        (since, before), (now, used) = self._seen[-min(seconds + 1, len(self._seen))], self._seen[-1]
        return 100 * (used - before) / max(now - since, 0.001)


class Memory:
    """What the operating system says of the memory of this process."""
    __slots__ = ("limit",)

    def __init__(self) -> None:
        self.limit = _limit()

    @staticmethod
    def used() -> tuple[int, int]:
        """Return the bytes in use, and the most that ever were."""
        found = {"VmRSS": 0, "VmHWM": 0}
        try:
            for line in Path("/proc/self/status").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in found:
                    found[name] = int(rest.split()[0]) * 1024
        except (OSError, ValueError):
            pass                        # not Linux: it is not known
        return found["VmRSS"], max(found["VmHWM"], found["VmRSS"])


def _limit() -> int:
    """Return the bytes that the container, else the machine, may use."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return min(int(Path(path).read_text()), machine)
        except (OSError, ValueError):
            continue                    # "max", or no such file
    return machine


class CoreUpkeep(Module):
    """Management commands about connections, memory and profiles."""
    name = "core_upkeep"

    def mod_init(self) -> None:
        """Register the statistics."""
        self.load, self.memory = Load(), Memory()
        self._profile: cProfile.Profile | None = None
        self._profile_end: asyncio.TimerHandle | None = None
        stats, env = self.env.stats, self.env
        stats.register("core", "timestamp", lambda: int(time.time() - env.started_at), shared=True)
        for name, seconds in (("load", 1), ("load1m", MINUTE), ("load10m", TEN_MINUTES)):
            # The sum over all workers is then the mean.
            for full in (name, f"{name}-all"):
                stats.register("load", full, lambda seconds=seconds: round(self.load.percent(seconds) / env.workers))
            for number in range(env.workers):
                def read(seconds: int = seconds, number: int = number) -> int:
                    return self._own(number, round(self.load.percent(seconds)))
                stats.register("load", f"{name}-proc-{number + (env.workers > 1)}", read)
        stats.register("load", "processes_number", lambda: env.workers + (env.workers > 1), shared=True)
        self._register_memory()

    def _register_memory(self) -> None:
        stats, env, memory = self.env.stats, self.env, self.memory
        values = {"total_size": lambda: memory.limit, "used_size": lambda: memory.used()[0],
                  "real_used_size": lambda: memory.used()[0], "max_used_size": lambda: memory.used()[1],
                  "free_size": lambda: memory.limit // env.workers - memory.used()[0],
                  "fragments": sys.getallocatedblocks}
        for name, read in values.items():
            stats.register("shmem", name, read, shared=name == "total_size")
        values["free_size"] = lambda: memory.limit - memory.used()[0]
        for number in range(env.workers):
            for name, read in values.items():
                stats.register("pkmem", f"{number + (env.workers > 1)}-{name}",
                               lambda read=read, number=number: self._own(number, read))

    def _own(self, number: int, value: Any) -> int:
        """Return a value of this worker, 0 in the place of those of other workers."""
        if number != self.env.number:
            return 0
        return int(value() if callable(value) else value)

    @timer(1)
    def look(self) -> None:
        """Note the load."""
        self.load.look()

    # --- connections -----------------------------------------------------------------------------------------------

    @mi("list", group="tcp", aliases=("list_tcp_conns",), scope=Scope.EACH)
    def tcp_list(self, proto: str | None = None) -> dict[str, Any]:
        """List the connections of stream transports, of one protocol or of all."""
        found = [one for name, transport in self.env.transports.items() if proto in (None, name)
                 and hasattr(transport, "listing") for one in transport.listing()]
        return {"Connections": found}

    @mi("close", group="tcp", scope=Scope.OWNER, recipes=(("ipport",), ("id",)))
    def tcp_close(self, ipport: str | None = None, id: int | None = None) -> None:
        """Close a connection, named by its id or its peer as ip:port; what waits to be sent leaves first."""
        for transport in self.env.transports.values():
            table = getattr(transport, "connections", None)
            if table is None:
                continue
            found = table.get(id) if id is not None else self._by_peer(transport, table, ipport or "")
            if found is not None:
                found.close()
                return
        raise MIError(404, "Connection not found", "tcp:list lists them")

    @staticmethod
    def _by_peer(transport: Any, table: Any, text: str) -> Any:
        try:
            end = parse_endpoint(text)
        except ValueError as error:
            raise MIError(BAD_PARAMS, "Invalid params", f'"ipport" must be ip:port: {error}') from None
        if not end.port or end.proto not in ("", transport.proto):
            return None
        return table.find(Dest(transport.proto, end.host.strip("[]"), end.port))

    # --- memory ----------------------------------------------------------------------------------------------------

    @mi("shm_check", group="mem", aliases=("mem_shm_check", "shm_check"))
    def shm_check(self) -> None:
        """Answer OK: memory is Python's and needs no check; kept for tools."""

    @mi("pkg_dump", group="mem", aliases=("mem_pkg_dump",), scope=Scope.EACH)
    def pkg_dump(self, pid: int, log_level: int | None = None) -> None:
        """Write to the log what the memory of one process is used for."""
        self._check_pid(pid)
        self._dump(log_level)

    @mi("shm_dump", group="mem", aliases=("mem_shm_dump",), scope=Scope.EACH)
    def shm_dump(self, log_level: int | None = None) -> None:
        """Write to the log what the memory of every worker is used for."""
        self._dump(log_level)

    @mi("rpm_dump", group="mem", aliases=("mem_rpm_dump",))
    def rpm_dump(self, log_level: int | None = None) -> None:
        """Write to the log that there is no memory that outlives a restart: stores keep what must last."""
        _log.log(self._level(log_level), "restart-persistent memory: none; databases and caches keep what must last")

    def _dump(self, log_level: int | None) -> None:
        level = self._level(log_level)
        used, most = self.memory.used()
        objects = gc.get_objects()
        step = max(1, len(objects) // SAMPLE)
        kinds = Counter(type(one).__qualname__ for one in objects[::step])
        _log.log(level, "memory used=%d most=%d limit=%d objects=%d blocks=%d", used, most, self.memory.limit,
                 len(objects), sys.getallocatedblocks())
        for kind, count in kinds.most_common(20):
            _log.log(level, "memory type=%s objects=%s%d", kind, "about " if step > 1 else "", count * step)

    @staticmethod
    def _level(level: int | None) -> int:
        return NOTICE if level is None else python_level(level)

    @staticmethod
    def _check_pid(pid: int) -> None:
        if pid != os.getpid():
            raise MIError(BAD_PARAMS, "Invalid params", f"no process {pid}; ps lists them")

    # --- profiles --------------------------------------------------------------------------------------------------

    @mi("profiling_proc", group="core", aliases=("profiling_proc",), scope=Scope.EACH,
        recipes=((), ("id",), ("pid",), ("id", "level"), ("pid", "level")))
    def profiling_proc(self, id: int | None = None, pid: int | None = None, level: int | None = None) -> Any:
        """List which processes are profiled, or begin (level 1) and end (0) a profile of one; its end goes to the log.

        The log then has the functions that took longest. A profile slows the process and ends after ten minutes.
        """
        number = self.env.number + (self.env.workers > 1)
        if pid is not None:
            self._check_pid(pid)
        if id is not None and id != number:
            raise MIError(BAD_PARAMS, "Invalid params", f"no process with ID {id}; ps lists them")
        if level is None:
            return {"Processes": [{"ID": number, "PID": os.getpid(), "Type": "worker",
                                   "Profiling level": int(self._profile is not None)}]}
        if level not in (0, 1):
            raise MIError(BAD_PARAMS, "Invalid params", "a profiling level is 0 or 1")
        if level:
            self._begin_profile()
        else:
            self._end_profile()
        return None

    def _begin_profile(self) -> None:
        if self._profile is not None:
            return
        try:
            profile = cProfile.Profile()
            profile.enable()
        except ValueError:
            raise MIError(500, "Profiling not possible", "another profiler runs in this process") from None
        self._profile = profile
        self._profile_end = asyncio.get_running_loop().call_later(LONGEST_PROFILE, self._end_profile)
        _log.log(NOTICE, "profile begun pid=%d", os.getpid())

    def _end_profile(self) -> None:
        profile, self._profile = self._profile, None
        if profile is None:
            return
        profile.disable()
        if self._profile_end is not None:
            self._profile_end.cancel()
        text = io.StringIO()
        pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(30)
        _log.log(NOTICE, "profile ended pid=%d", os.getpid())
        for line in filter(str.strip, text.getvalue().splitlines()):
            _log.log(NOTICE, "profile %s", line.strip())

    async def destroy(self) -> None:
        """End a profile that still runs."""
        self._end_profile()
