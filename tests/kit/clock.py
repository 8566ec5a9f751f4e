"""A clock that only moves when told to, and drives an `Env`'s timers with it."""
from __future__ import annotations

from typing import Any


class FakeClock:
    """Time for one `Env`: `advance` turns the wheel in steps, so that timers fire in the order of their time."""

    def __init__(self, env: Any, now: float = 1000.0) -> None:
        self.env, self.now = env, now
        env.now = now
        env.timers.reset(now)

    def advance(self, seconds: float, step: float = 0.1) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now = min(self.now + step, end)
            self.env.now = self.now
            self.env.timers.run(self.now + 1e-6)
