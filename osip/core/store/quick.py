"""Ask plain questions without the machinery for rich ones: one row, by a statement that is put into words only once.

A `Lookup` is a Core select of plain columns, which `Sql.first` sends over a connection of the driver's own: a thread
with an SQLite file (`FileReader`), or a few connections of the pool that are kept back (`Held`).
"""
from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any

_MOST = 64
"""Questions that the thread of a file answers before it tells the answers."""


class Form:
    """A statement in the words of one kind of database; `given` has (name or "", constant) for each parameter."""
    __slots__ = ("columns", "given", "text")

    def __init__(self, statement: Any, dialect: Any) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        # What the statement itself gives (LIMIT) has a value already; None is what the caller gives.
        self.given = [("", compiled.params[name]) if compiled.params[name] is not None else (name, None)
                      for name in compiled.positiontup]
        self.columns: list[str] = [column.name for column in statement.selected_columns]

    def fill(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the parameters in their order."""
        return [values[name] if name else constant for name, constant in self.given]


class Lookup:
    """A select that is asked again and again; its columns and parameters have no types that need conversion."""
    __slots__ = ("_forms", "statement")

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self._forms: dict[str, Form] = {}

    def form(self, dialect: Any) -> Form:
        """Return the statement in the words of a database."""
        found = self._forms.get(dialect.name)
        if found is None:
            found = self._forms[dialect.name] = Form(self.statement, dialect)
        return found


def is_on_disk(url: Any) -> bool:
    """Say whether an SQLite URL means a file that can be opened a second time."""
    return bool(url.database) and ":" not in url.database and not url.query


def open_file(engine: Any, tuning: Any) -> sqlite3.Connection:
    """Open the file of an engine as its pool does."""
    place, named = engine.dialect.create_connect_args(engine.url)
    connection = sqlite3.connect(*place, **{**named, **tuning.connect})
    for statement in tuning.at_start:
        connection.execute(statement)
    return connection


class FileReader:
    """Reads an SQLite file in a thread of its own; questions that come meanwhile are answered together.

    Who asks may be given up at any moment: the answer then goes nowhere. What went wrong comes as an answer too; it is
    TimeoutError when that takes longer than `deadline` seconds.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], deadline: float) -> None:
        self._connect, self._deadline = connect, deadline
        self._loop = asyncio.get_running_loop()
        self._asked: SimpleQueue[Any] = SimpleQueue()
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()        # by age
        self._alarm: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._work, name="osip-sqlite", daemon=True)
        self._thread.start()

    def ask(self, text: str, values: list[Any]) -> asyncio.Future[Any]:
        """Return a future of the first row, of None for none, or of an Exception."""
        future = self._loop.create_future()
        due = self._loop.time() + self._deadline
        self._waiting.append((due, future))
        if self._alarm is None:
            self._alarm = self._loop.call_at(due, self._expire)
        self._asked.put((future, text, values))
        return future

    async def close(self) -> None:
        """Answer what was asked, then close the file."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._asked.put(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._deadline):
                await self._loop.run_in_executor(None, self._thread.join)

    # --- in the loop ------------------------------------------------------------------------------------------------

    def _tell(self, answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
        for future, answer in answers:
            if not future.done():
                future.set_result(answer)
        waiting = self._waiting
        while waiting and waiting[0][1].done():
            waiting.popleft()

    def _expire(self) -> None:
        now = self._loop.time()
        while self._waiting and (self._waiting[0][0] <= now or self._waiting[0][1].done()):
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(TimeoutError())
        self._alarm = self._loop.call_at(self._waiting[0][0], self._expire) if self._waiting else None

    # --- in the thread ----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        asked = self._asked
        try:
            while True:
                batch = [asked.get()]
                while len(batch) < _MOST and not asked.empty():
                    batch.append(asked.get())
                answers = []
                for question in batch:
                    if question is None:
                        self._loop.call_soon_threadsafe(self._tell, answers)
                        return
                    future, text, values = question
                    answer: Any
                    try:
                        if connection is None:
                            connection = self._connect()
                        rows = connection.execute(text, values).fetchall()
                        answer = rows[0] if rows else None
                    except Exception as error:
                        answer = error
                    answers.append((future, answer))
                self._loop.call_soon_threadsafe(self._tell, answers)
        except RuntimeError:                # the loop is closed: nobody waits any more
            pass
        finally:
            if connection is not None:
                connection.close()


class Held:
    """Connections to a server that are kept out of the pool for plain questions, each for one at a time.

    When all are busy the asker waits for one: the rest of the pool stays free for those who write. A connection that
    fails in any way is given up; None instead of an answer sends the asker to the pool, which makes sure of its
    connections and words the error.
    """

    def __init__(self, engine: Any, line: asyncio.Semaphore, most: int) -> None:
        self._engine, self._line = engine, line
        self._ask = DRIVERS[engine.dialect.driver]
        self._idle: list[tuple[Any, Any]] = []              # the pool's connection, the driver's own
        self._turn = asyncio.Semaphore(most)

    async def first(self, form: Form, values: Mapping[str, Any]) -> list[Any] | None:
        """Return a list of the first row or nothing; None when the connection failed."""
        async with self._turn:
            return await self._first(form, values)

    async def _first(self, form: Form, values: Mapping[str, Any]) -> list[Any] | None:
        lease: tuple[Any, Any] | None = None
        try:
            lease = self._idle.pop() if self._idle else await self._open()
            rows = await self._ask(lease[1], form.text, form.fill(values))
        except BaseException as error:
            if lease is not None:
                await self._drop(lease[0])
            if isinstance(error, Exception):
                return None
            raise
        self._idle.append(lease)
        return rows

    async def close(self) -> None:
        """Give all connections up."""
        while self._idle:
            await self._drop(self._idle.pop()[0])

    async def _open(self) -> tuple[Any, Any]:
        connection = None
        await self._line.acquire()          # a connection that is kept back is one less for others
        try:
            connection = await self._engine.connect()
            driver = (await connection.get_raw_connection()).driver_connection
            if self._engine.dialect.name == "mysql":
                await driver.autocommit(True)       # or each answer would be of the time of the first one
        except BaseException:
            await self._drop(connection)
            raise
        return connection, driver

    async def _drop(self, connection: Any) -> None:
        self._line.release()
        if connection is not None:
            with suppress(Exception):
                await connection.invalidate()
                await connection.close()


async def _ask_postgres(driver: Any, text: str, values: list[Any]) -> list[Any]:
    row = await driver.fetchrow(text, *values)
    return [] if row is None else [tuple(row)]


async def _ask_mysql(driver: Any, text: str, values: list[Any]) -> list[Any]:
    async with driver.cursor() as cursor:
        await cursor.execute(text, values)
        return list(await cursor.fetchall())


DRIVERS: Mapping[str, Any] = MappingProxyType({"asyncpg": _ask_postgres, "asyncmy": _ask_mysql})
"""Driver -> how it is asked."""
