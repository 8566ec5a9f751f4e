"""Bring rows of one table into its cache, and read them there."""
from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from typing import Any

from osip.api import Env, StoreError, script_value
from osip.modules.sql_cacher.entry import Entry

MAX_KNOWN = 100_000
"""Keys of an on-demand cache that a worker remembers, to forget them when it is told to."""

Row = dict[str, Any]


async def answer_of(result: Any) -> Any:
    """Return what a cache gave, at once or later."""
    return await result if inspect.isawaitable(result) else result


class Store:
    """The cache of one entry."""

    def __init__(self, env: Env, entry: Entry, piece: int, big_to_text: bool) -> None:
        self.entry = entry
        self._env, self._piece, self._big_to_text = env, piece, big_to_text
        self._known: dict[str, None] = {}
        self.reload_at = 0.0            # monotonic; of full caching
        self.hits = self.misses = 0

    @property
    def cache(self) -> Any:
        """Return the cache."""
        return self._env.cache(self.entry.cachedb_url)

    def row_now(self, key: str) -> tuple[bool, Row | None]:
        """Return whether the cache knows at once, and what."""
        found = self.cache.get(self.entry.cache_key(key))
        if inspect.isawaitable(found):
            if inspect.iscoroutine(found):
                found.close()           # asked for later, where one can wait
            return False, None
        return found is not None, _row(found)

    async def row(self, key: str) -> Row | None:
        """Return a row from the cache, or else from the table; None when there is none."""
        found = _row(await answer_of(self.cache.get(self.entry.cache_key(key))))
        if found is not None:
            self.hits += 1
            return found
        self.misses += 1
        if not self.entry.on_demand and await answer_of(self.cache.get(self.entry.mark)) is not None:
            return None                 # all rows are there, this one is none
        return await self.load(key)

    async def load(self, key: str) -> Row | None:
        """Bring one row into the cache; None, and it is forgotten, when the table has none."""
        import sqlalchemy as sa

        try:
            wanted = self.entry.value_of(key)
        except ValueError:
            return None
        rows = await self._env.sql(self.entry.db_url).fetch(
            self._select().where(sa.column(self.entry.key) == wanted).limit(1))
        if not rows:
            await answer_of(self.cache.remove(self.entry.cache_key(key)))
            return None
        row = self._shown(rows[0])
        await self._keep(key, row, self.entry.expire)
        if len(self._known) < MAX_KNOWN:
            self._known[key] = None
        return row

    async def load_all(self) -> int:
        """Bring every row into the cache, and forget those that are no more; return how many there are."""
        import sqlalchemy as sa

        entry, keys, last = self.entry, dict[str, None](), None
        sql = self._env.sql(entry.db_url)
        ordered = self._select().order_by(sa.column(entry.key)).limit(self._piece)
        while True:
            rows = await sql.fetch(ordered if last is None else ordered.where(sa.column(entry.key) > last))
            for row in rows:
                last = row[entry.key]
                if last is not None:
                    keys[str(last)] = None
                    await self._keep(str(last), self._shown(row), entry.expire)
            if len(rows) < self._piece:
                break
        for gone in self._known.keys() - keys.keys():
            await answer_of(self.cache.remove(entry.cache_key(gone)))
        self._known = keys
        await answer_of(self.cache.set(entry.mark, str(len(keys)), entry.expire))
        return len(keys)

    async def forget(self) -> None:
        """Forget the rows that this worker brought in."""
        known, self._known = self._known, {}
        for key in known:
            await answer_of(self.cache.remove(self.entry.cache_key(key)))

    async def dump(self, columns: Iterable[str]) -> list[list[Any]]:
        """Return columns of every row of the table."""
        import sqlalchemy as sa

        entry = self.entry
        statement = sa.select(*(sa.column(name) for name in columns)).select_from(sa.table(entry.table))
        return [list(row.values()) for row in await self._env.sql(entry.db_url).fetch(
            statement.order_by(sa.column(entry.key)))]

    def _select(self) -> Any:
        import sqlalchemy as sa

        entry = self.entry
        wanted = [sa.column(name) for name in dict.fromkeys((entry.key, *entry.columns))] if entry.columns else [sa.text("*")]
        return sa.select(*wanted).select_from(sa.table(entry.table))

    def _shown(self, row: Any) -> Row:
        return {name: script_value(value, self._big_to_text) for name, value in row.items()}

    async def _keep(self, key: str, row: Row, expire: int) -> None:
        await answer_of(self.cache.set(self.entry.cache_key(key), json.dumps(row, separators=(",", ":")), expire))


def _row(text: Any) -> Row | None:
    if text is None:
        return None
    try:
        found = json.loads(str(text))
    except ValueError:
        raise StoreError("sql_cacher: the cache holds something else under this key") from None
    return found if isinstance(found, dict) else None
