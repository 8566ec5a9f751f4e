"""Keep time for one worker: a wheel of coarse slots, as performance.md section C measured.

Adding costs one list append and there is no cancel: an entry is re-checked when its slot comes round. The wheel turns
once in 6.4 s, and what is due later is looked at in each turn: most transactions are over by then, and what is over is
let go of. The same class runs in tests, driven by `run(now)`.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

TICK = 0.1
SLOTS = 64
NEVER = float("inf")


class Sleeper(Protocol):
    """Something with a deadline: `wake` (NEVER = none), `scheduled` (kept by the wheel), `on_wake(now)`."""
    wake: float
    scheduled: float

    def on_wake(self, now: float) -> None:
        """Do what was due at `wake`; set `wake` anew (the wheel looks at it afterwards)."""


class Call:
    """A single callback at a time; `cancel()` forgets it."""
    __slots__ = ("wake", "scheduled", "_run", "_args")

    def __init__(self, when: float, run: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.wake, self.scheduled, self._run, self._args = when, NEVER, run, args

    def cancel(self) -> None:
        """Do not call."""
        self.wake = NEVER
        self._args = ()

    def on_wake(self, now: float) -> None:
        """Call once."""
        self.wake = NEVER
        self._run(*self._args)


class Timers:
    """The wheel. `now` is the time of the last `run`; seconds are monotonic."""
    __slots__ = ("now", "count", "_slots", "_turn", "_on_error")

    def __init__(self, now: float = 0.0, on_error: Callable[[BaseException], None] | None = None) -> None:
        self.reset(now, on_error)

    def reset(self, now: float, on_error: Callable[[BaseException], None] | None = None) -> None:
        """Forget everything and count time from `now` on; `on_error` is told of sleepers that fail."""
        self.now = now
        self.count = 0                                  # entries in the wheel, stale ones included
        self._slots: list[list[tuple[float, Sleeper]]] = [[] for _ in range(SLOTS)]
        self._turn = int(now / TICK)                    # the last turn that ran
        self._on_error = on_error

    def watch(self, sleeper: Sleeper) -> None:
        """Take notice of a new or earlier `sleeper.wake`; later ones need no call."""
        wake = sleeper.wake
        if wake < sleeper.scheduled:
            turn = int(wake / TICK) + 1
            if turn <= self._turn:
                turn = self._turn + 1
            sleeper.scheduled = when = turn * TICK
            if turn - self._turn >= SLOTS:              # too far: look again when the wheel has turned once
                turn = self._turn + SLOTS - 1
                sleeper.scheduled = when = turn * TICK
            self._slots[turn % SLOTS].append((when, sleeper))
            self.count += 1

    def call_at(self, when: float, run: Callable[..., Any], *args: Any) -> Call:
        """Call `run(*args)` at `when`, not earlier and at most a tick later."""
        call = Call(when, run, args)
        self.watch(call)
        return call

    def run(self, now: float) -> None:
        """Turn the wheel to `now`: wake what is due."""
        self.now = now
        last = int(now / TICK)
        while self._turn < last:
            self._turn += 1
            entries = self._slots[self._turn % SLOTS]
            if entries:
                self._slots[self._turn % SLOTS] = []
                self.count -= len(entries)
                for when, sleeper in entries:
                    if when == sleeper.scheduled:       # else a stale entry: it was moved to an earlier slot
                        self._wake(sleeper, now)

    def _wake(self, sleeper: Sleeper, now: float) -> None:
        sleeper.scheduled = NEVER
        if sleeper.wake <= now:
            try:
                sleeper.on_wake(now)
            except Exception as error:                  # one broken sleeper must not stop the wheel
                sleeper.wake = NEVER
                if self._on_error is None:
                    raise
                self._on_error(error)
        if sleeper.wake != NEVER:
            self.watch(sleeper)
