"""Keep time for one worker: a wheel of coarse slots, as performance.md section C measured.

Adding costs one list append and there is no cancel: an entry is re-checked when its slot comes round. The wheel turns
once in 6.4 s, and what is due later is looked at in each turn: most transactions are over by then, and what is over is
let go of. The same class runs in tests, driven by `run(now)`. Compiled classes derive from `Alarm`, whose attributes
are then read as C does; any other class that looks like `Sleeper` is woken too.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

TICK: Final = 0.1
SLOTS: Final = 64
NEVER: Final = float("inf")


class Sleeper(Protocol):
    """Something with a deadline: `wake` (NEVER = none), `scheduled` (kept by the wheel), `on_wake(now)`."""
    wake: float
    scheduled: float

    def on_wake(self, now: float) -> None:
        """Do what was due at `wake`; set `wake` anew (the wheel looks at it afterwards)."""


class Alarm:
    """A `Sleeper` of which the wheel knows what it looks like; `turn` says which of its entries counts."""
    __slots__ = ("wake", "scheduled", "turn")

    def __init__(self) -> None:
        self.wake = self.scheduled = NEVER
        self.turn = -1

    def on_wake(self, now: float) -> None:
        """Do what was due at `wake`; set `wake` anew (the wheel looks at it afterwards)."""
        raise NotImplementedError


class Call(Alarm):
    """A single callback at a time; `cancel()` forgets it."""
    __slots__ = ("_run", "_args")

    def __init__(self, when: float, run: Callable[..., Any], args: tuple[Any, ...]) -> None:
        super().__init__()
        self.wake, self._run, self._args = when, run, args

    def cancel(self) -> None:
        """Do not call."""
        self.wake = NEVER
        self._args = ()

    def on_wake(self, now: float) -> None:
        """Call once."""
        self.wake = NEVER
        self._run(*self._args)


class Guest(Alarm):
    """The entry of a sleeper that is no `Alarm`; of several, the one that `scheduled` names counts."""
    __slots__ = ("_timers", "_sleeper", "_due")

    def __init__(self, timers: Timers, sleeper: Any, due: float) -> None:
        super().__init__()
        self._timers, self._sleeper, self.wake, self._due = timers, sleeper, due, due

    def on_wake(self, now: float) -> None:
        """Wake the sleeper when it is due, and look at it again later when it is not."""
        self.wake = NEVER
        sleeper: Any = self._sleeper
        if sleeper.scheduled != self._due:
            return
        sleeper.scheduled = NEVER
        try:
            if sleeper.wake <= now:
                sleeper.on_wake(now)
        except Exception:
            sleeper.wake = NEVER
            raise
        if sleeper.wake != NEVER:
            self._timers.watch(sleeper)


class Timers:
    """The wheel. `now` is the time of the last `run`; seconds are monotonic."""
    __slots__ = ("now", "count", "_slots", "_turn", "_due", "_on_error")

    def __init__(self, now: float = 0.0, on_error: Callable[[BaseException], None] | None = None) -> None:
        self.reset(now, on_error)

    def reset(self, now: float, on_error: Callable[[BaseException], None] | None = None) -> None:
        """Forget everything and count time from `now` on; `on_error` is told of sleepers that fail."""
        self.now = now
        self.count = 0                                  # entries in the wheel, stale ones included
        self._slots: list[list[Alarm]] = [[] for _ in range(SLOTS)]
        self._turn = int(now / TICK)                    # the last turn that was begun
        self._due: list[Alarm] = []                     # what is left of it, the first one last
        self._on_error = on_error

    def watch(self, sleeper: Sleeper) -> None:
        """Take notice of a new or earlier `sleeper.wake`; later ones need no call."""
        if isinstance(sleeper, Alarm):
            self.schedule(sleeper)
        elif sleeper.wake < sleeper.scheduled:
            sleeper.scheduled = due = sleeper.wake
            self.schedule(Guest(self, sleeper, due))

    def schedule(self, alarm: Alarm) -> None:
        """Do what `watch` does for an `Alarm`."""
        wake = alarm.wake
        if wake < alarm.scheduled:
            turn = int(wake / TICK) + 1
            if turn <= self._turn:
                turn = self._turn + 1
            elif turn - self._turn >= SLOTS:            # too far: look again when the wheel has turned once
                turn = self._turn + SLOTS - 1
            alarm.turn, alarm.scheduled = turn, turn * TICK
            self._slots[turn % SLOTS].append(alarm)
            self.count += 1

    def call_at(self, when: float, run: Callable[..., Any], *args: Any) -> Call:
        """Call `run(*args)` at `when`, not earlier and at most a tick later."""
        call = Call(when, run, args)
        self.schedule(call)
        return call

    def run(self, now: float, most: int = -1) -> bool:
        """Turn the wheel to `now` and wake what is due; True when `most` entries were looked at and more are left."""
        self.now = now
        last = int(now / TICK)
        while True:
            due = self._due
            while due:
                if most == 0:
                    return True
                most -= 1
                alarm = due.pop()
                self.count -= 1
                if alarm.turn == self._turn:            # else a stale entry: it was moved to an earlier slot
                    self._wake(alarm, now)
            if self._turn >= last:
                return False
            self._turn += 1
            at = self._turn % SLOTS
            self._due, self._slots[at] = self._slots[at], []
            self._due.reverse()

    def _wake(self, alarm: Alarm, now: float) -> None:
        alarm.scheduled = NEVER
        alarm.turn = -1
        if alarm.wake <= now:
            try:
                alarm.on_wake(now)
            except Exception as error:                  # one broken sleeper must not stop the wheel
                alarm.wake = NEVER
                if self._on_error is None:
                    raise
                self._on_error(error)
        if alarm.wake != NEVER:
            self.schedule(alarm)
