"""Ask SQL databases without ever blocking the loop: SQLAlchemy Core over asyncio drivers, a deadline on every query.

URLs are OpenSIPS's (`mysql://user:pw@host/db`, `postgres://...`, `sqlite:///file`) or any of SQLAlchemy's.
"""
from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from osip.core.errors import StoreError

if TYPE_CHECKING:
    from osip.core.run.config import Config

DEADLINE = 5.0
"""Seconds that a query may take, connecting included."""
DEFAULT_URL = "sqlite:///osip.db"
_ASYNC = {"sqlite": "sqlite+aiosqlite", "mysql": "mysql+asyncmy", "mariadb": "mysql+asyncmy",
          "postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg", "pgsql": "postgresql+asyncpg"}
_EXTRA = {"asyncpg": "pg", "asyncmy": "mysql"}
_log = logging.getLogger("osip.sql")


def translate(url: str) -> str:
    """Return the SQLAlchemy URL for one of OpenSIPS; StoreError when it is no URL."""
    found = re.match(r"([a-z0-9_+]+):(//.*)", url, re.DOTALL)
    if found is None:
        raise StoreError(f'"{hide(url)}" is no database URL: write sqlite:///file, mysql://user:password@host/db or '
                         "postgres://user:password@host/db")
    scheme, rest = found[1], found[2]
    return f"{_ASYNC.get(scheme, scheme)}:{rest}"


def hide(url: str) -> str:
    """Return a URL without its password, for logs."""
    return re.sub(r"(://[^/:@]*):.*@", r"\1:***@", url, flags=re.DOTALL)


class Sql:
    """One database. Every query has a deadline; what goes wrong is a StoreError."""

    keeps_versions = True
    """There is a table of schema versions to be compared with."""

    def __init__(self, url: str, pool: int = 10, deadline: float = DEADLINE) -> None:
        self.url, self._pool, self._deadline = url, pool, deadline
        self._translated = translate(url)
        self._engine: Any = None
        self._threads: ThreadPoolExecutor | None = None

    async def fetch(self, statement: Any, values: Mapping[str, Any] | None = None) -> list[Mapping[str, Any]]:
        """Run a statement (Core or text) and return its rows as mappings."""
        return await self._timed(statement, values, rows=True)      # type: ignore[return-value]

    async def execute(self, statement: Any, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
                      ) -> int:
        """Run a statement in a transaction of its own and return the number of rows that it touched."""
        return await self._timed(statement, values, rows=False)     # type: ignore[return-value]

    async def run(self, work: Any) -> Any:
        """Call `work(connection)` with a plain Core connection inside a transaction (creating tables, for example)."""
        return await self._guard(self._run(work))

    async def close(self) -> None:
        """Close all connections."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            if self._threads is None:
                await engine.dispose()
            else:
                engine.dispose()
                self._threads.shutdown(wait=False)

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
        return await self._guard(self._run(work))

    async def _run(self, work: Any) -> Any:
        engine = self._open()
        if self._threads is not None:
            def in_thread() -> Any:
                with engine.begin() as connection:
                    return work(connection)
            return await asyncio.get_running_loop().run_in_executor(self._threads, in_thread)
        async with engine.begin() as connection:
            return await connection.run_sync(work)

    async def _guard(self, query: Any) -> Any:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            async with asyncio.timeout(self._deadline):
                return await query
        except TimeoutError:
            raise StoreError(f"database {hide(self.url)} did not answer within {self._deadline:g} seconds") from None
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            raise StoreError(f"database {hide(self.url)}: {str(cause).strip()}") from error

    def _open(self) -> Any:
        if self._engine is not None:
            return self._engine
        import sqlalchemy
        from sqlalchemy.ext.asyncio import create_async_engine

        options: dict[str, Any] = {"pool_pre_ping": True}
        if not self._translated.startswith("sqlite"):
            options |= {"pool_size": self._pool, "max_overflow": 0, "pool_recycle": 1800}
        try:
            if any(self._translated.startswith(value + ":") for value in _ASYNC.values()):
                self._engine = create_async_engine(self._translated, **options)
            else:
                self._engine = sqlalchemy.create_engine(self._translated, **options)
                self._threads = ThreadPoolExecutor(self._pool, thread_name_prefix="osip-sql")
        except (sqlalchemy.exc.ArgumentError, sqlalchemy.exc.NoSuchModuleError) as error:
            raise StoreError(f"database {hide(self.url)}: {error}") from None
        except ImportError as error:
            extra = _EXTRA.get(error.name or "", "")
            raise StoreError(f"database {hide(self.url)} needs the Python package {error.name}: "
                             + (f"pip install osip[{extra}]" if extra else "install it")) from None
        return self._engine


class Stores:
    """The databases of one worker, one `Sql` for each URL."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sql: dict[str, Sql] = {}

    def sql(self, url: str = "") -> Sql:
        """Return the database at `url`; "" means db_default_url, and without that an SQLite file."""
        url = url or self._config.db_default_url or DEFAULT_URL
        found = self._sql.get(url)
        if found is None:
            found = self._sql[url] = Sql(url, self._config.db_max_async_connections)
        return found

    async def close(self) -> None:
        """Close every database."""
        for sql in self._sql.values():
            await sql.close()
