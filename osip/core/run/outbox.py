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
Instead = Callable[[str], None]
"""Takes an item back that could not be delivered, and is told why."""


class Outbox:
    """A queue for one destination. `send(item)` raises when it fails; the item is then lost, and it says so once.

    While the destination fails there is an attempt each second, not one for every item. What was put with `instead` is
    never lost here: when an attempt fails, all such items are given back, those too that only waited.
    """

    def __init__(self, env: Env, name: str, send: Callable[[Any], Awaitable[None]], limit: int = LIMIT,
                 pause: float = PAUSE) -> None:
        self._env, self._name, self._send, self._limit, self._pause = env, name, send, limit, pause
        self._items: deque[tuple[Any, Instead | None]] = deque()
        self._task: asyncio.Task[None] | None = None
        self.sent = self.lost = 0
        self.failing = False

    def put(self, item: Any, instead: Instead | None = None) -> None:
        """Hand an item over; OsipError when the queue is full. Who has another destination for it says so by `instead`."""
        if len(self._items) >= self._limit:
            self.lost += instead is None
            raise OsipError(f"{self._name}: {self._limit} wait already")
        self._items.append((item, instead))
        if self._task is None or self._task.done():
            self._task = self._env.spawn(self._work(), self._name)

    async def _work(self) -> None:
        while self._items:
            item, instead = self._items.popleft()
            try:
                await self._send(item)
            except Exception as error:      # whatever a client library raises, the queue goes on
                why = str(error) or type(error).__name__
                if not self.failing:
                    self.failing = True
                    self._env.log.error("%s: not delivered: %s", self._name, why)
                if instead is None:
                    self.lost += 1
                else:
                    instead(why)
                self._give_back(why)
                await asyncio.sleep(self._pause)
            else:
                self.sent += 1
                if self.failing:
                    self.failing = False
                    self._env.log.info("%s: delivers again, %d were lost", self._name, self.lost)

    def _give_back(self, why: str) -> None:
        waiting = [instead for _, instead in self._items if instead is not None]
        self._items = deque(one for one in self._items if one[1] is None)
        for instead in waiting:
            instead(why)

    async def drained(self) -> None:
        """Wait until the queue is empty."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    def close(self) -> None:
        """Stop; what waits is lost."""
        self._items.clear()
        if self._task is not None:
            self._task.cancel()


class Posting:
    """How events reach one destination through its outbox; `write` makes an item of an event."""
    __slots__ = ("_box", "_write")

    def __init__(self, box: Outbox, write: Callable[[str, dict[str, Any]], Any]) -> None:
        self._box, self._write = box, write

    def __call__(self, name: str, params: dict[str, Any]) -> None:
        """Deliver an event, or lose it; OsipError when too many wait."""
        self._box.put(self._write(name, params))

    def offer(self, name: str, params: dict[str, Any], instead: Instead) -> None:
        """Deliver an event, or give it back, now or later; OsipError when too many wait."""
        self._box.put(self._write(name, params), instead)
