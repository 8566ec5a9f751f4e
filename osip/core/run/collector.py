"""Let Python's collector of cycles look at little at a time, and at everything only when it holds nobody up.

What serves messages makes no cycles, so the collector finds next to nothing. But each of its looks takes a quarter of a
microsecond for every object that it passes, and nobody is answered meanwhile: with a million contacts Python's own rules
mean a second. Here a look passes 2,000 objects that are new, and none is passed again until everything is looked at.
"""
from __future__ import annotations

import gc
import time

THRESHOLD = (2_000, 1_000_000_000, 1_000_000_000)
"""New objects of a look; looks until one at what they left over, and such ones until one at everything: never."""
EACH = 0.25e-6
"""Seconds that an object takes."""
PERIOD = 10.0
"""Seconds between two questions whether to look at everything."""
QUIET = 20.0
"""Messages a second, at most, of a worker that has time for that."""
PAUSE, SHARE = 0.02, 0.001
"""Seconds, and part of all time, that it may take of a worker that is busier."""
SOON, LATE = 10, 100_000
"""Looks at new objects after which a quiet worker looks at everything, and any worker does (half an hour's)."""


class Collector:
    """Decide when everything is looked at; there is one in each worker."""
    __slots__ = ("_last", "_next", "_served", "_took")

    def __init__(self) -> None:
        self._next, self._served = 0.0, 0
        self._last, self._took = 0.0, 0.0       # when everything was looked at, and how long that took

    def begin(self, now: float) -> None:
        """What is there now stays: nobody need look at it again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLD)
        self._last, self._next = now, now + PERIOD

    def look(self, now: float, served: int) -> bool:
        """Look at everything if it is time; `served` counts the messages until now. Say whether that was done."""
        if now < self._next:
            return False
        rate = (served - self._served) / PERIOD
        self._next, self._served = now + PERIOD, served
        looks = gc.get_count()[1]
        if looks < SOON or (rate > QUIET and looks < LATE and not self._is_short(looks, now - self._last)):
            return False
        started = time.perf_counter()
        gc.collect()
        self._last, self._took = now, time.perf_counter() - started
        return True

    def _is_short(self, looks: int, since: float) -> bool:
        """Say whether a busy worker can bear it, so many looks at new objects and seconds after the last."""
        pause = self._took + looks * THRESHOLD[0] * EACH        # at most: some of them are gone
        return pause <= PAUSE and pause <= since * SHARE
