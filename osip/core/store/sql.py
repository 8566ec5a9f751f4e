"""Ask SQL databases without ever blocking the loop: SQLAlchemy Core over asyncio drivers, a deadline on every query.

URLs are OpenSIPS's (`mysql://user:pw@host/db`, `postgres://...`, `sqlite:///file`) or any of SQLAlchemy's.
"""
from __future__ import annotations

import asyncio
import logging
import random
import re
import sqlite3
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from osip.core.errors import StoreError, StoreLost
from osip.core.store.quick import DRIVERS, FileReader, Form, Held, Lookup, is_on_disk, open_file
from osip.core.store.tally import Tally

if TYPE_CHECKING:
    from osip.core.run.config import Config

DEADLINE = 5.0
"""Seconds that a query may take, connecting included."""
COLLISIONS = 5
"""How often a transaction is tried that the database gives up in favour of others (deadlock, serialization)."""
DEFAULT_URL = "sqlite:///osip.db"
_ASYNC = {"sqlite": "sqlite+aiosqlite", "mysql": "mysql+asyncmy", "mariadb": "mysql+asyncmy",
          "postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg", "pgsql": "postgresql+asyncpg"}
_EXTRA = {"asyncpg": "pg", "asyncmy": "mysql"}
_log = logging.getLogger("osip.sql")


_GONE = ("CannotConnectNow", "ConnectionDoesNotExist", "ConnectionIsClosed", "TooManyConnections", "AdminShutdown",
         "ConnectionFailure", "QueuePool limit", "unable to open database file")
"""Words of drivers for a server that is not there, where they do not say so by the kind of their error."""


@dataclass(slots=True)
class Tuning:
    """What the module of a database (db_mysql...) sets for all of its kind."""
    deadline: float = DEADLINE
    threshold: int = 0                                      # microseconds that a query may take unnoticed; 0: any
    connect: dict[str, Any] = field(default_factory=dict)   # arguments of the driver
    at_start: tuple[str, ...] = ()                          # statements for each new connection
    slow: Callable[[str, int, str], None] | None = None     # hears of slow queries: url, microseconds, statement
    state: Callable[[str, bool], None] | None = None        # hears when a database is lost (False) or back: url


def translate(url: str) -> str:
    """Return the SQLAlchemy URL for one of OpenSIPS; StoreError when it is no URL."""
    found = re.match(r"([a-z0-9_+]+):(//.*)", url, re.DOTALL)
    if found is None:
        raise StoreError(f'"{hide(url)}" is no database URL: write sqlite:///file, mysql://user:password@host/db or '
                         "postgres://user:password@host/db")
    scheme, rest = found[1], found[2]
    return f"{_ASYNC.get(scheme, scheme)}:{rest}"


def hide(url: str) -> str:
    """Return a URL, or an address like `rabbitmq:user:password@host`, without its password, for logs."""
    return re.sub(r"(:(?://)?[^/:@]*):(?!//).*@", r"\1:***@", url, flags=re.DOTALL)


class Sql:
    """One database. Every query has a deadline; what goes wrong is a StoreError."""

    keeps_versions = True
    """There is a table of schema versions to be compared with."""

    def __init__(self, url: str, pool: int = 10, deadline: float = DEADLINE, tuning: Tuning | None = None,
                 tally: Tally | None = None) -> None:
        self.url, self._pool = url, pool
        self._tally = tally or Tally()
        self._tuning = tuning or Tuning(deadline)
        self._is_lost = False
        self._translated = translate(url)
        self._is_file = self._translated.startswith("sqlite")
        self._running: set[asyncio.Task[Any]] = set()       # queries under way
        self._engine: Any = None
        self._threads: ThreadPoolExecutor | None = None
        # The pool gives a connection to whoever comes first when it is free, and who waits goes to the end again.
        self._line = asyncio.Semaphore(pool)
        self._quick: Any = None             # what answers plain questions; False when only the pool can

    async def fetch(self, statement: Any, values: Mapping[str, Any] | None = None) -> list[Mapping[str, Any]]:
        """Run a statement (Core or text) and return its rows as mappings."""
        return await self._timed(statement, values, rows=True)      # type: ignore[return-value]

    async def execute(self, statement: Any, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
                      ) -> int:
        """Run a statement in a transaction of its own and return the number of rows that it touched."""
        return await self._timed(statement, values, rows=False)     # type: ignore[return-value]

    async def first(self, lookup: Lookup, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the first row of a plain statement, None for none: what `fetch` does, at a fraction of its cost."""
        quick = self._quick if self._quick is not None else self._choose()
        if quick is False:
            rows: Sequence[Any] = await self.fetch(lookup.statement, values)
            return rows[0] if rows else None
        form = lookup.form(self._engine.dialect)
        if isinstance(quick, FileReader):
            self._tally.total += 1
            answer = await quick.ask(form.text, form.fill(values))
            if isinstance(answer, Exception):
                if not isinstance(answer, TimeoutError | sqlite3.Error):
                    raise answer
                raise self._failure(answer) from (None if isinstance(answer, TimeoutError) else answer)
            self._note(False)
        else:
            answer = await self._guard(self._ask(quick, lookup, form, values))
        return None if answer is None else dict(zip(form.columns, answer, strict=True))

    async def run(self, work: Any) -> Any:
        """Call `work(connection)` with a plain Core connection inside a transaction (creating tables, for example)."""
        return await self._guard(self._run(work))

    @property
    def shown(self) -> str:
        """Return the URL without its password."""
        return hide(self.url)

    @property
    def is_open(self) -> bool:
        """Say whether it was asked for anything yet."""
        return self._engine is not None

    async def ping(self) -> None:
        """Ask for nothing; StoreError when the database does not answer."""
        await self.fetch("SELECT 1")

    async def close(self) -> None:
        """Close all connections."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._tuning.deadline)
        quick, self._quick = self._quick, None
        if quick:
            await quick.close()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            if self._threads is None:
                await engine.dispose()
            else:
                engine.dispose()
                self._threads.shutdown(wait=False)

    # --- plain questions ---------------------------------------------------------------------------------------------

    def _choose(self) -> Any:
        """Find out what answers plain questions. Where slow ones are to be told, all take the way that is watched."""
        engine = self._open()
        self._quick = False
        if not self._tuning.threshold:
            if self._is_file and is_on_disk(engine.url):
                self._quick = FileReader(partial(open_file, engine, self._tuning), self._tuning.deadline)
            elif engine.dialect.driver in DRIVERS and self._pool > 1:
                self._quick = Held(engine, self._line, self._pool // 2)
        return self._quick

    async def _ask(self, held: Held, lookup: Lookup, form: Form, values: Mapping[str, Any]) -> Sequence[Any] | None:
        rows = await held.first(form, values)
        if rows is None:                    # the connection went
            rows = await self._run(lambda connection: connection.execute(lookup.statement, values).fetchall())
        return rows[0] if rows else None

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _timed(self, statement: Any, values: Any, rows: bool) -> Any:
        from sqlalchemy import text

        if isinstance(statement, str):
            statement = text(statement)

        def work(connection: Any) -> Any:
            if values is not None and not values and not isinstance(values, Mapping):
                return [] if rows else 0            # nothing to write; an empty list would run the statement once
            result = connection.execute(statement, values) if values is not None else connection.execute(statement)
            return [row._mapping for row in result.fetchall()] if rows else result.rowcount
        if not self._tuning.threshold:
            return await self._guard(self._run(work))
        began = time.perf_counter()
        try:
            return await self._guard(self._run(work))
        finally:
            took = int((time.perf_counter() - began) * 1_000_000)
            if took > self._tuning.threshold:
                self._tally.slow += 1
            if took > self._tuning.threshold and self._tuning.slow is not None:
                self._tuning.slow(hide(self.url), took, " ".join(str(statement).split())[:200])

    async def _run(self, work: Any) -> Any:
        """Do work in a transaction, and again when the database gave it up for another one that was in its way."""
        from sqlalchemy.exc import DBAPIError

        for left in reversed(range(COLLISIONS)):
            try:
                return await self._once(work)
            except DBAPIError as error:
                if not left or not _is_collision(error.orig):
                    raise
            await asyncio.sleep(random.uniform(0.0, 0.05))      # the other one comes to its end
        raise AssertionError("the last try returns or raises")

    async def _once(self, work: Any) -> Any:
        engine = self._open()
        if self._threads is not None:
            def in_thread() -> Any:
                with engine.begin() as connection:
                    return work(connection)
            return await asyncio.get_running_loop().run_in_executor(self._threads, in_thread)
        async with self._line, engine.begin() as connection:
            return await connection.run_sync(work)

    async def _guard(self, query: Any) -> Any:
        from sqlalchemy.exc import SQLAlchemyError

        self._tally.total += 1
        try:
            result = await self._whole(query)
        except (SQLAlchemyError, OSError) as error:
            raise self._failure(error) from (None if isinstance(error, TimeoutError) else error)
        self._note(False)
        return result

    def _failure(self, error: Exception) -> StoreError:
        """Note whether the database is lost, and put into words what went wrong."""
        if isinstance(error, TimeoutError):
            self._note(True)
            return StoreLost(f"database {hide(self.url)} did not answer within {self._tuning.deadline:g} seconds")
        cause = getattr(error, "orig", None) or error
        is_lost = _is_lost(error, cause)
        self._note(is_lost)
        return (StoreLost if is_lost else StoreError)(f"database {hide(self.url)}: {str(cause).strip()}")

    async def _whole(self, query: Any) -> Any:
        """Await a query in a task of its own: who asks may be given up at any moment, as a retransmission is.

        A query that is cut off would lose its connection, and keep an SQLite file locked.
        """
        task = asyncio.get_running_loop().create_task(query)
        self._running.add(task)
        task.add_done_callback(self._ended)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._tuning.deadline)
        except asyncio.CancelledError:
            if not self._is_file:
                task.cancel()
            await asyncio.wait({task}, timeout=self._tuning.deadline)
            raise
        if not done:
            if not self._is_file:
                task.cancel()
            raise TimeoutError
        return task.result()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()            # who asked has gone, or has been told

    def _note(self, is_lost: bool) -> None:
        if is_lost is not self._is_lost:
            self._is_lost = is_lost
            if self._tuning.state is not None:
                self._tuning.state(hide(self.url), not is_lost)

    def _open(self) -> Any:
        if self._engine is not None:
            return self._engine
        import sqlalchemy
        from sqlalchemy.ext.asyncio import create_async_engine

        options: dict[str, Any] = {"pool_pre_ping": not self._is_file}         # a file does not go away
        if not self._is_file:
            options |= {"pool_size": self._pool, "max_overflow": 0, "pool_recycle": 1800}
        if self._tuning.connect:
            options["connect_args"] = dict(self._tuning.connect)
        try:
            if any(self._translated.startswith(value + ":") for value in _ASYNC.values()):
                self._engine = create_async_engine(self._translated, **options)
            else:
                self._engine = sqlalchemy.create_engine(self._translated, **options)
                self._threads = ThreadPoolExecutor(self._pool, thread_name_prefix="osip-sql")
            if self._tuning.at_start:
                sqlalchemy.event.listen(getattr(self._engine, "sync_engine", self._engine), "connect", self._begin)
        except (sqlalchemy.exc.ArgumentError, sqlalchemy.exc.NoSuchModuleError) as error:
            raise StoreError(f"database {hide(self.url)}: {error}") from None
        except ImportError as error:
            extra = _EXTRA.get(error.name or "", "")
            raise StoreError(f"database {hide(self.url)} needs the Python package {error.name}: "
                             + (f"pip install osip[{extra}]" if extra else "install it")) from None
        return self._engine


    def _begin(self, connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for statement in self._tuning.at_start:
            cursor.execute(statement)
        cursor.close()


def _is_collision(cause: Any) -> bool:
    """Say whether a transaction was rolled back because of others: MySQL 1213, SQLSTATE 40001 and 40P01."""
    code = cause.args[0] if cause.args else None
    return code == 1213 or getattr(cause, "sqlstate", None) in ("40001", "40P01")


def _is_lost(error: BaseException, cause: BaseException) -> bool:
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.exc import TimeoutError as NoConnection

    if isinstance(cause, OSError | NoConnection) or isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    code = cause.args[0] if cause.args else None
    if isinstance(code, int) and (2000 <= code < 2100 or code in (1040, 1053)):     # MySQL: no server, too many, shutdown
        return True
    return any(word in f"{type(cause).__name__} {cause}" for word in _GONE)


def first_row(sql: Any, lookup: Lookup, values: Mapping[str, Any]) -> Coroutine[Any, Any, Mapping[str, Any] | None]:
    """Ask a database of any kind for the first row of a plain statement, None for none."""
    return sql.first(lookup, values) if isinstance(sql, Sql) else _first_of(sql, lookup, values)


async def _first_of(sql: Any, lookup: Lookup, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    rows: Sequence[Any] = await sql.fetch(lookup.statement, values)
    return rows[0] if rows else None


class Stores:
    """The databases of one worker, one `Sql` (or what a `db_*` module makes) for each URL."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.tally = Tally()                # of all of them
        self._sql: dict[str, Sql] = {}
        self._makers: dict[str, Callable[[str], Any]] = {}
        self._tunings: dict[str, Tuning] = {}

    def register(self, scheme: str, make: Callable[[str], Any]) -> None:
        """Let `make(url)` open the databases of a scheme; what it gives has the methods of `Sql`."""
        self._makers[scheme] = make

    def tune(self, schemes: tuple[str, ...], tuning: Tuning) -> None:
        """Set how the databases of these schemes are asked."""
        self._tunings |= dict.fromkeys(schemes, tuning)

    def sql(self, url: str = "") -> Sql:
        """Return the database at `url`; "" means db_default_url, and without that an SQLite file."""
        url = url or self._config.db_default_url or DEFAULT_URL
        found = self._sql.get(url)
        if found is None:
            found = self._sql[url] = self._make(url)
        return found

    def _make(self, url: str) -> Any:
        scheme = url.partition(":")[0].lower()
        make = self._makers.get(scheme)
        if make is not None:
            return make(url)
        if scheme in ("virtual", "text", "flatstore", "cachedb"):
            raise StoreError(f'"{hide(url)}": load the module db_{scheme}')
        return Sql(url, self._config.db_max_async_connections, tuning=self._tunings.get(scheme),
                   tally=self.tally)

    def opened(self) -> list[Sql]:
        """List the databases that are in use."""
        return [sql for sql in self._sql.values() if sql.is_open]

    async def close(self) -> None:
        """Close every database."""
        for sql in self._sql.values():
            await sql.close()
