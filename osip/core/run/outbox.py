"""Send things to a slow outside in order, without ever holding up who hands them over: a bounded queue and one task."""
from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from osip.core.errors import OsipError

if TYPE_CHECKING:
    from osip.core.run.env import Env

LIMIT = 1000
PAUSE = 1.0         # seconds after a failure before the next attempt


class Outbox:
    """A queue for one destination. `send(item)` raises when it fails; the item is then lost, and it says so once.

    While the destination fails there is an attempt each second, not one for every item.
    """

    def __init__(self, env: Env, name: str, send: Callable[[Any], Awaitable[None]], limit: int = LIMIT,
                 pause: float = PAUSE) -> None:
        self._env, self._name, self._send, self._limit, self._pause = env, name, send, limit, pause
        self._items: deque[Any] = deque()
        self._task: asyncio.Task[None] | None = None
        self.sent = self.lost = 0
        self.failing = False

    def put(self, item: Any) -> None:
        """Hand an item over; OsipError when the queue is full."""
        if len(self._items) >= self._limit:
            self.lost += 1
            raise OsipError(f"{self._name}: {self._limit} wait already")
        self._items.append(item)
        if self._task is None or self._task.done():
            self._task = self._env.spawn(self._work(), self._name)

    async def _work(self) -> None:
        while self._items:
            item = self._items.popleft()
            try:
                await self._send(item)
            except Exception as error:      # whatever a client library raises, the queue goes on
                self.lost += 1
                if not self.failing:
                    self.failing = True
                    self._env.log.error("%s: not delivered: %s", self._name, error or type(error).__name__)
                await asyncio.sleep(self._pause)
            else:
                self.sent += 1
                if self.failing:
                    self.failing = False
                    self._env.log.info("%s: delivers again, %d were lost", self._name, self.lost)

    async def drained(self) -> None:
        """Wait until the queue is empty."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    def close(self) -> None:
        """Stop; what waits is lost."""
        self._items.clear()
        if self._task is not None:
            self._task.cancel()
