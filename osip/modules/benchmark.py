"""Time parts of a script: how often, how long, and a line in the log now and then."""
from __future__ import annotations

import time
from typing import Any

from osip.api import Ctx, MIError, Module, Scope, Value, function, mi, param, pvar, python_level

MAX_TIMERS = 1000


class Timer:
    """What was measured under one name; microseconds."""
    __slots__ = (
        "calls",
        "enabled",
        "last_calls",
        "last_least",
        "last_most",
        "last_total",
        "least",
        "most",
        "started",
        "total",
    )

    def __init__(self) -> None:
        self.enabled: int | None = None         # None: as the module says
        self.started = -1
        self.calls = self.total = self.most = self.last_calls = self.last_total = self.last_most = 0
        self.least = self.last_least = -1

    def add(self, spent: int) -> None:
        """Count one measurement, over all and since the last report."""
        self.calls += 1
        self.total += spent
        self.most = max(self.most, spent)
        self.least = spent if self.least < 0 else min(self.least, spent)
        self.last_calls += 1
        self.last_total += spent
        self.last_most = max(self.last_most, spent)
        self.last_least = spent if self.last_least < 0 else min(self.last_least, spent)

    def begin_report(self) -> None:
        """Start a new period."""
        self.last_calls = self.last_total = self.last_most = 0
        self.last_least = -1


class Benchmark(Module):
    """Timers for scripts."""

    enable = param(0, ge=-1, le=1, doc="1 all timers run, 0 those that were enabled by name, -1 none.")
    granularity = param(100, ge=0, doc="Log each time after so many measurements of a timer; 0 never.")
    loglevel = param(3, ge=-3, le=4, doc="Level of these log lines.")

    def mod_init(self) -> None:
        """Begin without timers."""
        self.timers: dict[str, Timer] = {}
        self.last_spent = 0

    def _running(self, name: str) -> Timer | None:
        if self.enable < 0:
            return None
        timer = self.timers.get(name)
        if timer is None:
            if len(self.timers) >= MAX_TIMERS:      # a script may make names of what a peer sent
                return None
            timer = self.timers[name] = Timer()
        return timer if (self.enable if timer.enabled is None else timer.enabled) > 0 else None

    @function("QFRBLSTV")
    def bm_start_timer(self, ctx: Ctx, name: str) -> int:
        """Start (or start again) a timer."""
        timer = self._running(name)
        if timer is not None:
            timer.started = time.perf_counter_ns()
        return 1

    @function("QFRBLSTV")
    def bm_log_timer(self, ctx: Ctx, name: str) -> int:
        """Stop a timer, add what passed, and log a report after `granularity` runs; -1 when it was not started."""
        timer = self._running(name)
        if timer is None:
            return 1
        if timer.started < 0:
            self.env.log.warning("benchmark: timer=%s was not started", name)
            return -1
        self.last_spent = (time.perf_counter_ns() - timer.started) // 1000
        timer.started = -1
        timer.add(self.last_spent)
        if self.granularity and timer.last_calls >= self.granularity:
            self.env.log.log(python_level(self.loglevel),
                             "benchmark timer=%s runs=%d last_us=%d total_us=%d min_us=%d max_us=%d avg_us=%.1f "
                             "all_runs=%d all_total_us=%d all_min_us=%d all_max_us=%d all_avg_us=%.1f", name,
                             timer.last_calls, self.last_spent, timer.last_total, timer.last_least, timer.last_most,
                             timer.last_total / timer.last_calls, timer.calls, timer.total, timer.least, timer.most,
                             timer.total / timer.calls)
            timer.begin_report()
        return 1

    @pvar("BM_time_diff", type="i")
    def time_diff(self, ctx: Ctx) -> Value:
        """Microseconds of the last measurement."""
        return self.last_spent

    @mi("enable_global", aliases=("bm_enable_global",), scope=Scope.EACH)
    def mi_enable_global(self, enable: int) -> None:
        """Set parameter `enable`: -1, 0 or 1."""
        if enable not in (-1, 0, 1):
            raise MIError(400, "enable must be -1, 0 or 1")
        self.enable = enable

    @mi("enable_timer", aliases=("bm_enable_timer",), scope=Scope.EACH)
    def mi_enable_timer(self, timer: str, enable: int) -> None:
        """Switch one timer on or off."""
        if enable not in (0, 1):
            raise MIError(400, "enable must be 0 or 1")
        if timer not in self.timers:
            raise MIError(404, "no such timer")
        self.timers[timer].enabled = enable

    @mi("granularity", aliases=("bm_granularity",), scope=Scope.EACH)
    def mi_granularity(self, granularity: int) -> None:
        """Set parameter `granularity`."""
        if granularity < 0:
            raise MIError(400, "granularity must not be negative")
        self.granularity = granularity

    @mi("loglevel", aliases=("bm_loglevel",), scope=Scope.EACH)
    def mi_loglevel(self, log_level: int) -> None:
        """Set parameter `loglevel`."""
        if not -3 <= log_level <= 4:
            raise MIError(400, "log_level must be from -3 to 4")
        self.loglevel = log_level

    @mi("poll_results", aliases=("bm_poll_results",), scope=Scope.EACH)
    def mi_poll_results(self) -> dict[str, Any]:
        """Return the measurements of each timer since the last report, and over all."""
        return {"timers": [{
            "name": name,
            "last": {"count": one.last_calls, "total": one.last_total, "min": max(one.last_least, 0),
                     "max": one.last_most, "avg": round(one.last_total / one.last_calls, 1) if one.last_calls else 0},
            "global": {"count": one.calls, "total": one.total, "min": max(one.least, 0), "max": one.most,
                       "avg": round(one.total / one.calls, 1) if one.calls else 0}}
            for name, one in self.timers.items()]}
