"""Let time stand still until a test turns it: an event loop that never waits."""
from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

START = 1000.0
"""Monotonic seconds at which every virtual clock starts."""
WALL = 1767268800.0
"""Wall-clock time at the start: 2026-01-01 12:00:00 UTC."""


class _Restless(selectors.DefaultSelector):
    """A selector that ends the loop's round where others would wait."""
    stop: Callable[[], None]

    def select(self, timeout: float | None = None) -> list[Any]:
        """Return what is ready now; with nothing ready the loop has come to rest."""
        events = super().select(0)
        if not events and (timeout is None or timeout > 0):
            self.stop()
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is `clock()`; `settle` runs it until everything waits for time or for messages."""

    def __init__(self, clock: Callable[[], float]) -> None:
        restless = _Restless()
        super().__init__(restless)
        restless.stop = self.stop
        self._clock = clock

    def time(self) -> float:
        """Return the virtual time."""
        return self._clock()

    def settle(self, run: Callable[..., Any] | None = None, *args: Any) -> None:
        """Call `run(*args)` inside the loop, then go on until nothing moves any more; what `run` raises is raised."""
        failure: list[BaseException] = []

        def guarded() -> None:
            try:
                run(*args)          # type: ignore[misc]
            except BaseException as error:
                failure.append(error)
        if run is not None:
            self.call_soon(guarded)
        self.run_forever()
        if failure:
            raise failure[0]

    def complete(self, coro: Any) -> Any:
        """Run a coroutine to its end and return its result; RuntimeError when it waits for what never comes."""
        task = self.create_task(coro)
        self.settle()
        if not task.done():
            task.cancel()
            self.settle()
            raise RuntimeError("it waits for something that does not happen in a test")
        return task.result()
