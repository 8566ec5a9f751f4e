"""Limit how much passes in a time, by named pipes. See `pipe` for the algorithms."""
from __future__ import annotations

import inspect
import re
from typing import Annotated, Any

from osip.api import (
    Complaint,
    Ctx,
    MIError,
    Module,
    ModuleError,
    Parse,
    Scope,
    SharedCounts,
    StoreError,
    Var,
    function,
    mi,
    param,
    pvar,
    timer,
)
from osip.modules.ratelimit.pipe import Controller, Load, Pipe, parse_algorithm

PIPES = 65536
"""Pipes at most: their names may come from the network."""
SHARED, CLUSTER = "/s", "/b"
FLUSH_SECONDS = 0.2         # between two exchanges with the cache
_LONE = "pipes are not shared in a cluster yet; workers of one server share them always"
Algorithm = Annotated[str, Parse(parse_algorithm)]


class Ratelimit(Module):
    """Pipes that let so much pass in a time.

    All workers count together. A pipe whose name ends in `/s` is shared by servers through the cache `cachedb_url`;
    one that ends in `/b` is counted in this server.
    """

    timer_interval = param(10, ge=1, doc="Seconds of an interval.")
    expire_time = param(3600, ge=1, live=True, doc="Seconds after which an unused pipe is forgotten.")
    hash_size = param(1024, removed="tables grow as needed")
    default_algorithm = param("TAILDROP", parse=parse_algorithm, live=True, doc="For pipes that name none.")
    cachedb_url = param("", doc="Cache that pipes with /s are shared by.")
    db_prefix = param("rl_pipe_", doc="Stands before the name of a pipe in the cache.")
    window_size = param(10, ge=1, doc="Seconds of the window of SBT.")
    slot_period = param(200, ge=1, doc="Milliseconds of a slot of the window.")
    limit_per_interval = param(0, ge=0, le=1, live=True, doc="0: limits are for a second; 1: for a whole interval (SBT: "
                                                             "for the window).")
    repl_buffer_threshold = param(32767, removed=_LONE)
    repl_timer_interval = param(200, removed=_LONE)
    repl_timer_expire = param(10, removed=_LONE)
    bridge_replication = param(0, removed=_LONE)
    bridge_repl_timer_interval = param(500, removed=_LONE)
    bridge_repl_timer_expire = param(20, removed=_LONE)
    pipe_replication_cluster = param(0, removed=_LONE)

    def mod_init(self) -> None:
        """Start without pipes."""
        if self.slot_period > self.window_size * 1000:
            raise ModuleError(f"ratelimit: slot_period ({self.slot_period} ms) is longer than window_size "
                              f"({self.window_size} s)")
        self.pipes: dict[str, Pipe] = {}
        self.controller, self._load = Controller(), Load()
        self._wanted, self._waiting = 1.0, 0
        self._interval = int(self.env.now // self.timer_interval)
        self._counts = SharedCounts(self.env, "ratelimit", PIPES)
        self._counts.on_remote = self._on_remote
        self._complain = Complaint(self.env.log, clock=lambda: self.env.now)
        self.env.bus.subscribe("ratelimit.reset", self._on_reset)

    # --- pipes -----------------------------------------------------------------------------------------------------

    def _pipe(self, name: str, limit: int, algorithm: str | None) -> Pipe:
        """Return a pipe, made when needed; the one that was used least lately makes room."""
        now = self.env.now
        pipe = self.pipes.pop(name, None)
        if pipe is None:
            if len(self.pipes) >= PIPES:
                self.pipes.pop(next(iter(self.pipes)))
                self._complain("ratelimit_pipes", "pipes=%d are all that there can be: the one not used longest was "
                               "forgotten. Do the names come from the network?", PIPES)
            pipe = Pipe(algorithm or self.default_algorithm, limit, now)
            pipe.counter = self._counts.get(name)           # what other workers saw of it
            if name.endswith(SHARED) and not self.cachedb_url:
                self._complain("ratelimit_shared", "pipe=%s is not shared: set cachedb_url", name)
        self.pipes[name] = pipe                             # the last one is the one used last
        pipe.limit, pipe.used = limit, now
        if algorithm is not None and algorithm != pipe.algorithm:
            pipe.algorithm = algorithm
            pipe.reset()
        return pipe

    def _turn(self) -> None:
        """Begin a new interval when it is time; it begins at the same moment in every worker."""
        interval = int(self.env.now // self.timer_interval)
        if interval == self._interval:
            return
        is_next = interval == self._interval + 1
        self._interval = interval
        self._counts.clear()
        gone = self.env.now - self.expire_time
        for name, pipe in list(self.pipes.items()):
            pipe.turn()
            if not is_next:
                pipe.last = 0
            if pipe.used <= gone:
                del self.pipes[name]
        if any(pipe.algorithm == "FEEDBACK" for pipe in self.pipes.values()):
            self.controller.step(self._wanted, self._load.look())

    @timer(1.0)
    def look(self) -> None:
        """Go on to the next interval also when nothing comes, and look how much waits to be read."""
        self._turn()
        if any(pipe.algorithm == "NETWORK" for pipe in self.pipes.values()):
            self._waiting = sum(stat.read() for stat in self.env.stats.select("net:")
                                if stat.name.startswith("waiting_"))

    def _most(self, limit: int) -> int:
        return limit if self.limit_per_interval else limit * self.timer_interval

    def _slot(self) -> int:
        return int(self.env.now * 1000) // self.slot_period

    def _count(self, name: str, pipe: Pipe, amount: int = 1) -> None:
        pipe.counter += amount
        pipe.unsent += amount
        self._counts.add(name, amount)

    def _on_remote(self, name: str, amount: int) -> None:
        self._turn()
        pipe = self.pipes.get(name)
        if pipe is not None:
            pipe.counter = max(0, pipe.counter + amount)
            if pipe.algorithm == "SBT":
                pipe.put(self._slot(), amount)

    def _on_reset(self, name: str) -> None:
        self._counts.set(name, 0)
        pipe = self.pipes.get(name)
        if pipe is not None:
            pipe.reset()

    # --- sharing with other servers --------------------------------------------------------------------------------

    @timer(FLUSH_SECONDS)
    async def exchange(self) -> None:
        """Tell the cache what this worker counted in pipes with `/s`, and learn what all servers did."""
        if not self.cachedb_url:
            return
        for name, pipe in list(self.pipes.items()):
            if name.endswith(SHARED):
                try:
                    await self._exchange(name, pipe)
                except StoreError as error:
                    self._complain("ratelimit_cache", "url=%s %s", self.cachedb_url, error)
                    return

    async def _exchange(self, name: str, pipe: Pipe) -> None:
        interval, amount = self._interval, pipe.unsent
        if not amount and not pipe.counter:
            return
        pipe.unsent = 0
        key = f"{self.db_prefix}{name.removesuffix(SHARED)}_{int(self.env.wall() // self.timer_interval)}"
        try:
            answer = self.env.cache(self.cachedb_url).add(key, amount, self.timer_interval * 2)
            total = await answer if inspect.isawaitable(answer) else answer
        except StoreError:
            if interval == self._interval:
                pipe.unsent += amount                       # told the next time
            raise
        if interval == self._interval:                      # the interval may have ended while we waited
            pipe.others = max(0, int(total or 0) - (pipe.counter - pipe.unsent))

    # --- words -----------------------------------------------------------------------------------------------------

    @function("QFRBELTV")
    def rl_check(self, ctx: Ctx, name: str, limit: int, algorithm: Algorithm | None = None) -> bool:
        """Count in a pipe and say whether it is below its limit: 1, or -1 when this one is too many."""
        self._turn()
        pipe = self._pipe(name, limit, algorithm)
        if pipe.algorithm == "SBT":
            return self._slides(name, pipe)
        self._count(name, pipe)
        if pipe.algorithm == "TAILDROP":
            return pipe.total() <= self._most(limit)
        if pipe.algorithm == "RED":
            return pipe.thin(self._most(limit))
        if pipe.algorithm == "NETWORK":
            return self._waiting <= limit
        self._wanted = min(100, max(0, limit)) / 100
        return self.controller.passes()

    def _slides(self, name: str, pipe: Pipe) -> bool:
        most = pipe.limit if self.limit_per_interval else pipe.limit * self.window_size
        slot = self._slot()
        if pipe.window(slot, self.window_size * 1000 // self.slot_period) + pipe.others >= most:
            return False
        pipe.put(slot, 1)
        self._count(name, pipe)
        return True

    @function("QFRBELTV")
    def rl_dec_count(self, ctx: Ctx, name: str) -> bool:
        """Give one back to a pipe; -1 when there is no such pipe or it is at zero."""
        self._turn()
        pipe = self.pipes.get(name)
        if pipe is None or not pipe.take_back():
            return False
        pipe.unsent -= 1
        self._counts.add(name, -1)
        return True

    @function("QFRBELTV")
    def rl_reset_count(self, ctx: Ctx, name: str) -> bool:
        """Count from zero in a pipe; -1 when there is none of that name."""
        if name not in self.pipes:
            return False
        self.env.bus.publish("ratelimit.reset", name)
        return True

    @function()
    def rl_values(self, ctx: Ctx, ret_avp: Var, regexp: re.Pattern[str] | None = None) -> bool:
        """Write the names of the pipes, those that a regular expression matches, into an AVP, one value each."""
        for name in list(self.pipes):
            if regexp is None or regexp.search(name):
                ret_avp.set(ctx, name)
        return True

    @pvar("rl_count", type="i", key="required")
    def rl_count(self, ctx: Ctx, key: str) -> int | None:
        """What came in this interval by a pipe (SBT: what passed in the window); null when there is none."""
        self._turn()
        pipe = self.pipes.get(key)
        return None if pipe is None else self._shown(pipe)

    def _shown(self, pipe: Pipe) -> int:
        if pipe.algorithm == "SBT":
            return pipe.window(self._slot(), self.window_size * 1000 // self.slot_period)
        return pipe.total()

    # --- management ------------------------------------------------------------------------------------------------

    @mi("list", aliases=("rl_list",), named_only=True,
        recipes=((), ("pipe",), ("filter",), ("filter_out",), ("filter", "filter_out")))
    def mi_list(self, pipe: str | None = None, filter: str | None = None,
                filter_out: str | None = None) -> dict[str, Any]:
        """List the pipes, one of them, or those that regular expressions choose."""
        self._turn()
        if pipe is not None:
            return {"Pipes": [self._entry(pipe, self._known(pipe))]}
        try:
            wanted, unwanted = re.compile(filter or ""), re.compile(filter_out) if filter_out else None
        except re.error as error:
            raise MIError(400, "Bad regular expression", str(error)) from None
        return {"Pipes": [self._entry(name, one) for name, one in self.pipes.items()
                          if wanted.search(name) and not (unwanted and unwanted.search(name))]}

    def _entry(self, name: str, pipe: Pipe) -> dict[str, Any]:
        found = {"id": name, "algorithm": pipe.algorithm, "limit": pipe.limit, "counter": self._shown(pipe)}
        if pipe.algorithm == "SBT":
            found["window"] = {"seconds": self.window_size, "slot_milliseconds": self.slot_period}
        return found

    def _known(self, name: str) -> Pipe:
        if name not in self.pipes:
            raise MIError(404, "Pipe Not Found")
        return self.pipes[name]

    @mi("dump_pipe", aliases=("rl_dump_pipe",))
    def mi_dump_pipe(self, pipe: str) -> dict[str, Any]:
        """Show all that is known of a pipe."""
        self._turn()
        found = self._known(pipe)
        return {**self._entry(pipe, found), "last_counter": found.last, "others": found.others,
                "unused_seconds": int(self.env.now - found.used), "slots": [count for _, count in found.slots],
                "nodes": []}

    @mi("reset_pipe", aliases=("rl_reset_pipe",))
    def mi_reset_pipe(self, pipe: str) -> None:
        """Count from zero in a pipe, in all workers."""
        self._known(pipe)
        self.env.bus.publish("ratelimit.reset", pipe)

    @mi("set_pid", aliases=("rl_set_pid",), scope=Scope.EACH)
    def mi_set_pid(self, ki: str, kp: str, kd: str) -> None:
        """Set the factors of the controller behind FEEDBACK: integral, proportional, derivative."""
        try:
            values = [float(text) for text in (ki, kp, kd)]
        except ValueError as error:
            raise MIError(400, "Bad factor", str(error)) from None
        self.controller.ki, self.controller.kp, self.controller.kd = values

    @mi("get_pid", aliases=("rl_get_pid",))
    def mi_get_pid(self) -> dict[str, float]:
        """Show the factors of the controller, and what it drops."""
        pid = self.controller
        return {"ki": pid.ki, "kp": pid.kp, "kd": pid.kd, "drop_rate": round(pid.drop, 2)}


