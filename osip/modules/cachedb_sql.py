"""Keep keys and values in a table of an SQL database."""
from __future__ import annotations

import re
import time
from typing import Any

from osip.api import (
    Env,
    Module,
    ModuleError,
    Scope,
    StoreError,
    hide_password,
    open_tables,
    param,
    table,
    timer,
)

_URL = re.compile(r"sql(?::([\w.]*))?(?:-(.+)|:///?)", re.DOTALL)


def parse_url(text: str) -> tuple[str, str]:
    """Read `sql:group-mysql://...`; without a URL behind the group, db_default_url. Gives group and URL."""
    found = _URL.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{hide_password(text)}" is no cachedb_url of cachedb_sql: write sql:group-mysql://user:pw@host/db')
    return found[1] or "", found[2] or ""


class SqlCache:
    """The cache in one table; counters stand in a column of their own and, as text, among the values."""

    def __init__(self, env: Env, url: str, name: str, columns: dict[str, str]) -> None:
        import sqlalchemy as sa

        self._env, self._url = env, url
        self._table = sa.Table(name, sa.MetaData(), *(
            sa.Column(columns[key], kind, key=key, primary_key=key == "key") for key, kind in (
                ("key", sa.String(255)), ("value", sa.Text()), ("counter", sa.Integer()), ("expires", sa.BigInteger()))))

    def _now(self) -> int:
        return int(time.time())

    def _alive(self) -> Any:
        c = self._table.c
        return (c.expires == 0) | (c.expires > self._now())

    async def _one(self, key: str, name: str) -> Any:
        import sqlalchemy as sa

        c = self._table.c
        rows = await self._env.sql(self._url).fetch(sa.select(c[name]).where(c.key == key, self._alive()))
        return next(iter(rows[0].values())) if rows else None

    async def get(self, key: str) -> str | None:
        """Return a value, None when there is none."""
        value = await self._one(key, "value")
        return None if value is None else str(value)

    async def counter(self, key: str) -> int | None:
        """Return a counter, None when there is none."""
        value = await self._one(key, "counter")
        return None if value is None else int(value)

    async def set(self, key: str, value: str | int, ttl: int = 0) -> None:
        """Store a value for `ttl` seconds (0 = for ever)."""
        text = str(value)
        number = int(text) if re.fullmatch(r"[-+]?\d{1,9}", text) else 0
        row = {"key": key, "value": text, "counter": number, "expires": self._now() + ttl if ttl > 0 else 0}
        await self._env.sql(self._url).run(lambda connection: self._put(connection, row, dict(row)))

    async def add(self, key: str, amount: int, ttl: int = 0) -> int:
        """Add to a counter, made when absent; return its new value."""
        import sqlalchemy as sa

        c, now = self._table.c, self._now()
        until = now + ttl if ttl > 0 else 0
        row = {"key": key, "value": str(amount), "counter": amount, "expires": until}
        counter = sa.case((self._alive(), c.counter + amount), else_=amount)
        change: dict[str, Any] = {"counter": counter}
        if ttl <= 0:
            change["expires"] = sa.case((self._alive(), c.expires), else_=0)
        else:
            change["expires"] = until

        def work(connection: Any) -> int:
            # MySQL assigns from left to right: what the counter depends on has to change after it.
            self._put(connection, row, change)
            value = int(connection.execute(sa.select(c.counter).where(c.key == key)).scalar())
            connection.execute(sa.update(self._table).where(c.key == key).values(value=str(value)))
            return value
        return int(await self._env.sql(self._url).run(work))

    async def remove(self, key: str) -> bool:
        """Remove a key; False when it was not there."""
        import sqlalchemy as sa

        return bool(await self._env.sql(self._url).execute(sa.delete(self._table).where(self._table.c.key == key)))

    async def raw_query(self, query: str) -> list[list[Any]]:
        """Run an SQL text."""
        def work(connection: Any) -> list[list[Any]]:
            result = connection.exec_driver_sql(query)
            return [list(row) for row in result.fetchall()] if result.returns_rows else []
        return list(await self._env.sql(self._url).run(work))

    async def clean(self) -> None:
        """Delete what has ended."""
        import sqlalchemy as sa

        c = self._table.c
        await self._env.sql(self._url).execute(sa.delete(self._table).where(c.expires > 0, c.expires <= self._now()))

    def _put(self, connection: Any, row: dict[str, Any], change: dict[str, Any]) -> None:
        """Insert a row, or where its key is there already, change that row."""
        import sqlalchemy as sa
        from sqlalchemy.dialects import mysql, postgresql, sqlite

        name, c = connection.dialect.name, self._table.c
        change = {key: value for key, value in change.items() if key != "key"}
        if name in ("mysql", "mariadb"):
            statement: Any = mysql.insert(self._table).values(row)
            pairs = [(c[key].name, value) for key, value in change.items()]
            connection.execute(statement.on_duplicate_key_update(pairs))
        elif name in ("postgresql", "sqlite"):
            statement = (postgresql if name == "postgresql" else sqlite).insert(self._table).values(row)
            connection.execute(statement.on_conflict_do_update(index_elements=[c.key], set_={
                c[key]: value for key, value in change.items()}))
        else:
            if not connection.execute(sa.update(self._table).where(c.key == row["key"]).values(change)).rowcount:
                connection.execute(sa.insert(self._table).values(row))


class CachedbSql(Module):
    """A key-value cache in SQL: `cache_store("sql", ...)`, or `"sql:group"`."""

    cachedb_url = param(multiple=True, kind=str, doc="Database, sql:group-mysql://user:password@host/db; sql:group:// "
                        "for db_default_url. Without any, `sql` is db_default_url.")
    db_url = param("", removed='set cachedb_url to "sql:NAME-" and this URL')
    db_table = param("cachedb", doc="Table.")
    cache_clean_period = param(60, ge=0, doc="Seconds between two deletions of what has ended; 0 never.")
    key_column = param("keyname", doc="Column of the key.")
    value_column = param("value", doc="Column of the value.")
    counter_column = param("counter", doc="Column of the counter.")
    expires_column = param("expires", doc="Column of the end, in Unix seconds; 0 never.")
    store = table("cachedb", 2, "keyname char(255), value text(512), counter i32=0, expires i32u=0", unique="keyname")

    def mod_init(self) -> None:
        """Sort the databases by group."""
        self._urls: dict[str, str] = {}
        try:
            for text in self.cachedb_url:
                group, url = parse_url(text)
                if group in self._urls:
                    raise ValueError(f'two cachedb_urls have the group "{group}"')
                self._urls[group] = url
        except ValueError as error:
            raise ModuleError(f"cachedb_sql: {error}") from None
        self._urls = self._urls or {"": ""}
        self._caches: dict[str, SqlCache] = {}
        self.env.caches.register("sql", self._open)

    async def child_init(self, env: Env) -> None:
        """Look whether the tables are there."""
        for url in dict.fromkeys(self._urls.values()):
            await open_tables(env, url, {self.db_table: self.store}, "cachedb_sql")

    def _open(self, group: str) -> SqlCache:
        url = self._urls.get(group)
        if url is None and not group:
            url = next(iter(self._urls.values()))       # "sql" alone: the first
        if url is None:
            raise StoreError(f'no cachedb_url of cachedb_sql has the group "{group}"')
        if url not in self._caches:
            self._caches[url] = SqlCache(self.env, url, self.db_table, {
                "key": self.key_column, "value": self.value_column, "counter": self.counter_column,
                "expires": self.expires_column})
        return self._caches[url]

    @timer("cache_clean_period", on=Scope.LEADER)
    async def clean(self) -> None:
        """Delete what has ended."""
        for group in self._urls:
            try:
                await self._open(group).clean()
            except StoreError as error:
                self.env.log.error("cachedb_sql: what has ended stays for now: %s", error)
