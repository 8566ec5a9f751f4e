"""Ask stores on other machines: a deadline on everything, quick refusals while one is down, one line for what is slow."""
from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from osip.core.errors import StoreError
from osip.core.store.tally import Tally

FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0
"""Seconds for which a store that could not be reached is not asked again: doubled at each failure, up to the last."""


class Remote:
    """What every remote store is asked through; `name` stands in what it complains of.

    `threshold` is in microseconds (0: none); `slow(name, what, microseconds)` hears of what took longer.
    `tally` counts that, too; how many questions go into one `ask` only the asker knows.
    """

    def __init__(self, name: str, deadline: float, threshold: int = 0,
                 slow: Callable[[str, str, int], None] | None = None, tally: Tally | None = None) -> None:
        self.name, self.deadline = name, deadline
        self.asked = self.failed = 0
        self._threshold, self._slow = threshold, slow
        self.tally = tally or Tally()
        self._pause, self._closed_until, self._reason = 0.0, 0.0, ""

    @property
    def is_down(self) -> bool:
        """Say whether the store is not asked at present."""
        return time.monotonic() < self._closed_until

    async def ask(self, what: str, answer: Callable[[], Awaitable[Any]], lost: tuple[type[BaseException], ...],
                  wrong: tuple[type[BaseException], ...]) -> Any:
        """Return what `await answer()` gives. `lost` are the errors of a store that is not there,
        `wrong` those of a question that it refuses."""
        self.asked += 1
        if self.is_down:
            self.failed += 1
            raise StoreError(f"{self.name} is down, asked again in {self._closed_until - time.monotonic():.1f} s: "
                             f"{self._reason}")
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self.deadline):
                result = await answer()
        except TimeoutError:
            raise self._lose(f"no answer within {self.deadline:g} seconds") from None
        except (OSError, *lost) as error:
            raise self._lose(str(error) or type(error).__name__) from error
        except wrong as error:
            self.failed += 1
            self._pause = 0.0
            raise StoreError(f"{self.name}: {error}") from error
        self._pause = 0.0
        took = int((time.perf_counter() - began) * 1_000_000)
        if self._threshold and took > self._threshold:
            self.tally.slow += 1
            if self._slow is not None:
                self._slow(self.name, what, took)
        return result

    def _lose(self, reason: str) -> StoreError:
        self.failed += 1
        self._pause = min(LAST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        self._closed_until, self._reason = time.monotonic() + self._pause, reason
        return StoreError(f"{self.name}: {reason}")
