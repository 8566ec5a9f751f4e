"""Read and write rows of the modules' tables from commands; what is missing is said with the line that makes it."""
from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from osip.cli.db_catalog import listed
from osip.cli.output import fail, patience
from osip.cli.store import closing
from osip.core.errors import ModuleError, StoreError
from osip.core.exports import loader
from osip.core.exports.spec import TableSpec
from osip.core.store.sql import DEFAULT_URL, Sql, hide
from osip.core.store.tables import create_tables

Row = Mapping[str, Any]
QUERY_SECONDS = 60.0
"""An operator may wait longer than a call."""


@dataclass(frozen=True, slots=True)
class Place:
    """A table as one command sees it: its name there, the module that declares it, and the columns it touches."""
    name: str
    module: str
    columns: Mapping[str, type] = field(default_factory=dict)

    def core(self) -> Any:
        """Return it for SQLAlchemy."""
        import sqlalchemy as sa

        kinds = {int: sa.Integer(), float: sa.Float(), str: sa.String(), datetime: sa.DateTime()}
        return sa.table(self.name, *(sa.column(name, kinds[kind]) for name, kind in self.columns.items()))


class Base:
    """The database of a command. Every method ends the program, with words, when the database refuses."""

    def __init__(self, url: str = "", hint: str = "--db-url or OSIP_DB_URL", columns: str = "") -> None:
        self.url, self._hint, self._columns = url, hint, columns

    def rows(self, place: Place, where: Row | None = None, order: Sequence[str] = (), makes: bool = False) -> list[Row]:
        """Return the rows that have these values, all of the place's columns; `makes` when a write will follow."""
        table = place.core()
        query = table.select().where(*_terms(table, where or {}))
        query = query.order_by(*(table.c[name] for name in order))
        found: list[Row] = self.ask(lambda sql: sql.fetch(query), place, makes)
        return found

    def add(self, place: Place, values: Row, unique: Sequence[str] = ()) -> bool:
        """Insert a row; False when there is one with the same values of `unique`."""
        table = place.core()
        same = table.select().where(*_terms(table, {name: values[name] for name in unique}))

        async def work(sql: Sql) -> bool:
            if unique and await sql.fetch(same):
                return False
            await sql.execute(table.insert().values(dict(values)))
            return True
        return bool(self.ask(work, place, writes=True))

    def change(self, place: Place, values: Row, where: Row) -> int:
        """Update rows; return how many there were."""
        table = place.core()
        statement = table.update().where(*_terms(table, where)).values(dict(values))
        return int(self.ask(lambda sql: sql.execute(statement), place, writes=True))

    def remove(self, place: Place, where: Row) -> int:
        """Delete rows; return how many there were. Without terms all go."""
        table = place.core()
        statement = table.delete().where(*_terms(table, where))
        return int(self.ask(lambda sql: sql.execute(statement), place, writes=True))

    def ask(self, work: Callable[[Sql], Awaitable[Any]], place: Place, writes: bool = False) -> Any:
        """Run `work(sql)`; a table that is missing is made in the embedded database, and told of elsewhere."""
        async def guarded(sql: Sql) -> Any:
            if not self.url and writes and place.module:
                await create_tables(sql, declared(place))
            try:
                return await work(sql)
            except StoreError as error:
                if place.name and not await _has(sql, place.name):
                    raise StoreError(f'the database {hide(sql.url)} has no table "{place.name}"; make it: '
                                     f"{self.make_line(place.module)}") from error
                raise
        return self.run(guarded, writes)

    def run(self, work: Callable[[Sql], Awaitable[Any]], writes: bool = False) -> Any:
        """Run `work(sql)` and close the database."""
        if not self.url and not writes and not os.path.exists(DEFAULT_URL.partition("///")[2]):
            fail(f"no database is named, and there is no {DEFAULT_URL.partition('///')[2]} in {os.getcwd()}: give it "
                 f"with {self._hint}")

        try:
            with patience("asking the database"):
                return asyncio.run(closing(Sql(self.url or DEFAULT_URL, 1, QUERY_SECONDS), work))
        except StoreError as error:
            fail(f"{error}{self._advice(str(error))}")

    def make_line(self, module: str) -> str:
        """Return the command that makes a module's tables in this database."""
        own = self.url and self.url != os.environ.get("OSIP_DB_URL", "")
        return f"osip db create {module}".rstrip() + (f" --url {hide(self.url)}" if own else "")

    def _advice(self, text: str) -> str:
        if self._columns and any(word in text for word in ("no such column", "Unknown column", "does not exist")):
            return f". {self._columns}"
        refused = ("Connect call failed", "Can't connect", "Connection refused", "not known", "Name or service",
                   "Errno 111")
        if any(word in text for word in refused):
            return f". Is the database running there? Another one is named with {self._hint}"
        return ""


def declared(place: Place) -> list[TableSpec]:
    """Return the declaration of a table: the module's, or that of a module still to come; none when nobody knows it."""
    try:
        found = [spec for spec in loader.load(place.module, [])[0].spec.tables if spec.name == place.name]
    except ModuleError:
        found = []
    return found or [spec for _, spec in listed() if spec.name == place.name]


def _terms(table: Any, where: Row) -> list[Any]:
    return [table.c[name] == value for name, value in where.items()]


async def _has(sql: Sql, name: str) -> bool:
    """Say whether there is such a table; yes, when that cannot be asked: then the first error says more."""
    import sqlalchemy as sa

    try:
        return bool(await sql.run(lambda connection: sa.inspect(connection).has_table(name)))
    except StoreError:
        return True
