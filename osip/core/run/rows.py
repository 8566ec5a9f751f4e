"""Write rows to SQL tables without holding up who hands them over: bounded, gathered while the last insert runs."""
from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from osip.core.errors import StoreError, StoreLost

if TYPE_CHECKING:
    from osip.core.net.transport import Complaint
    from osip.core.run.env import Env

LIMIT, BATCH = 10_000, 200  # rows that wait, and of one insert
PAUSE, TRIES = 1.0, 30      # seconds between two tries of an insert, and how many
LOOK = 3                    # rows that are refused one by one before all of a batch are
FLUSH = 5.0                 # seconds that rows are gathered with query_buffer_size, without query_flush_time


class RowWriter:
    """The way into one database. `prepare(table)` is awaited before the first row of each table.

    While the database is away the rows wait, TRIES times PAUSE seconds. When it refuses a batch, its rows are written
    one by one, and one that is refused again in plain ASCII: what peers send need not fit the tables' character set.
    What is refused for good, or does not fit in the queue, is lost, counted, and logged now and then.
    """

    def __init__(self, env: Env, url: str, name: str, complain: Complaint,
                 prepare: Callable[[str], Awaitable[Any]] | None = None) -> None:
        self._env, self._url, self._name, self._complain, self._prepare = env, url, name, complain, prepare
        self._rows: deque[tuple[str, dict[str, Any]]] = deque()
        self._statements: dict[tuple[str, ...], Any] = {}
        self._prepared: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._insert: asyncio.Task[None] | None = None      # the one under way, of `_count` rows
        self._count = 0
        self._many = asyncio.Event()            # query_buffer_size rows are there
        self.written = self.lost = 0
        self._taken = self._done = 0
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()    # by the number of `_done` they wait for

    @property
    def waiting(self) -> int:
        """Count the rows that are not written yet."""
        return len(self._rows)

    def put(self, table: str, row: dict[str, Any]) -> bool:
        """Take a row (column name -> value); False when too many wait already."""
        if len(self._rows) >= LIMIT:
            self._lose(1, f"{LIMIT} rows wait for the database already")
            return False
        self._rows.append((table, row))
        self._taken += 1
        if len(self._rows) >= self._env.config.query_buffer_size:
            self._many.set()
        if self._task is None or self._task.done():
            self._task = self._env.spawn(self._work(), f"{self._name}: rows")
        return True

    def _lose(self, count: int, reason: object) -> None:
        self.lost += count
        self._complain(f"{self._name}_lost", "rows=%d reason=%s", self.lost, reason)

    async def _work(self) -> None:
        failed = 0
        await self._gather()
        while self._rows:
            table, batch = self._next()
            self._insert, self._count = asyncio.create_task(self._write(table, batch)), len(batch)
            try:
                await asyncio.shield(self._insert)
            except StoreError as error:
                failed += 1
                self._complain(f"{self._name}_sql", "table=%s waiting=%d reason=%s", table, len(self._rows), error)
                if isinstance(error, StoreLost) and failed < TRIES:
                    await asyncio.sleep(PAUSE)
                    continue
                await self._one_by_one(table, batch, error)
            failed = 0
            self._drop(len(batch))
            self._insert = None

    async def _gather(self) -> None:
        if self._env.config.query_buffer_size > 1:
            self._many.clear()
            if len(self._rows) < self._env.config.query_buffer_size:
                try:
                    await asyncio.wait_for(self._many.wait(), self._env.config.query_flush_time or FLUSH)
                except TimeoutError:
                    pass

    async def _one_by_one(self, table: str, batch: list[dict[str, Any]], error: StoreError) -> None:
        """Write the rows of a batch that was refused as a whole, all but those that are refused by themselves."""
        good = 0
        for number, row in enumerate(batch):
            if isinstance(error, StoreLost) or (number >= LOOK and not good):
                self._lose(len(batch) - number, error)
                return
            for form in (row, plain(row)):
                try:
                    await self._write(table, [form])
                except StoreError as wrong:
                    error = wrong
                else:
                    good += 1
                    break
            else:
                self._lose(1, error)

    def _next(self) -> tuple[str, list[dict[str, Any]]]:
        """Return the rows at the head that go into one table and have the same columns."""
        table, first = self._rows[0]
        batch = []
        for name, row in islice(self._rows, BATCH):
            if name != table or row.keys() != first.keys():
                break
            batch.append(row)
        return table, batch

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._rows.popleft()
        self._done += count
        while self._waiters and self._waiters[0][0] <= self._done:
            waiter = self._waiters.popleft()[1]
            if not waiter.done():
                waiter.set_result(None)

    async def stored(self) -> bool:
        """Wait until the rows that were put so far are written; False when any was lost meanwhile."""
        lost = self.lost
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._taken, waiter))
        self._drop(0)                       # nothing may be left to wait for
        await waiter
        return self.lost == lost

    async def _write(self, table: str, batch: list[dict[str, Any]]) -> None:
        if table not in self._prepared:
            if self._prepare is not None:
                await self._prepare(table)
            if len(self._prepared) >= LIMIT:        # names of tables may come from the script
                self._prepared.clear()
            self._prepared.add(table)
        await self._env.sql(self._url).execute(self._statement(table, tuple(batch[0])), batch)
        self.written += len(batch)

    def _statement(self, table: str, names: tuple[str, ...]) -> Any:
        found = self._statements.get((table, *names))
        if found is None:
            import sqlalchemy as sa

            if len(self._statements) >= 100:
                self._statements.clear()
            found = self._statements[(table, *names)] = sa.table(table, *map(sa.column, names)).insert()
        return found

    async def drained(self) -> None:
        """Wait until nothing waits any more."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """Write what is left, trying once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._insert is not None and not (await asyncio.gather(self._insert, return_exceptions=True))[0]:
            self._drop(self._count)             # it was stored while we were told to stop: not once more
        while self._rows:
            table, batch = self._next()
            try:
                await self._write(table, batch)
            except StoreError as error:
                if isinstance(error, StoreLost):
                    self._lose(len(self._rows), error)
                    self._drop(len(self._rows))
                    return
                await self._one_by_one(table, batch, error)
            self._drop(len(batch))


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose texts are ASCII and not longer: other characters are shown by their numbers."""
    return {name: value.encode("ascii", "backslashreplace").decode()[:len(value)] if isinstance(value, str) else value
            for name, value in row.items()}
