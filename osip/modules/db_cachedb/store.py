"""Keep tables in Redis: a hash of rows, and sets of row ids for each value of a column that was asked for by value.

The keys of a table begin with `osip:db:{table}`: `:rows` (row id -> row as JSON), `:last` (the last id), `:indexed`
(columns with an index), `:by:column:value`. Scripts in Redis change rows and indexes together.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from osip.api import StoreError, hide_password
from osip.modules.db_cachedb.statement import Row, Statement, pack, read, unpack

PAGE = 1000
TRIES = 10                  # of a change whose rows somebody else changed meanwhile
AT_ONCE = 500               # values of one IN
FIND = """
local prefix, wanted = ARGV[1], {}
for at = 2, #ARGV, 2 do
  local column = ARGV[at]
  if redis.call('SISMEMBER', prefix .. ':indexed', column) == 0 then
    local rows = redis.call('HGETALL', KEYS[1])
    for number = 1, #rows, 2 do
      local value = cjson.decode(rows[number + 1])[column]
      if value then redis.call('SADD', prefix .. ':by:' .. column .. ':' .. string.sub(value, 2), rows[number]) end
    end
    redis.call('SADD', prefix .. ':indexed', column)
  end
  table.insert(wanted, prefix .. ':by:' .. column .. ':' .. ARGV[at + 1])
end
local found = {}
for _, id in ipairs(redis.call('SINTER', unpack(wanted))) do
  local row = redis.call('HGET', KEYS[1], id)
  if row then table.insert(found, id) table.insert(found, row) end
end
return found
"""
"""KEYS: rows. ARGV: prefix, then column and value in turns. Gives ids and rows in turns."""
CHANGE = """
local prefix, changes = ARGV[1], cjson.decode(ARGV[2])
for _, change in ipairs(changes) do
  if change[1] ~= '' and redis.call('HGET', KEYS[1], change[1]) ~= change[2] then return 0 end
end
local columns = redis.call('SMEMBERS', prefix .. ':indexed')
for _, change in ipairs(changes) do
  local id = change[1]
  if id == '' then id = tostring(redis.call('INCR', prefix .. ':last')) end
  for at, word in ipairs({'SREM', 'SADD'}) do
    if change[at + 1] ~= '' then
      local row = cjson.decode(change[at + 1])
      for _, column in ipairs(columns) do
        if row[column] then redis.call(word, prefix .. ':by:' .. column .. ':' .. string.sub(row[column], 2), id) end
      end
    end
  end
  if change[3] == '' then redis.call('HDEL', KEYS[1], id) else redis.call('HSET', KEYS[1], id, change[3]) end
end
return 1
"""
"""KEYS: rows. ARGV: prefix, changes as [id or "", old row or "", new row or ""]. 0 when a row is not the old one."""

Change = tuple[str, str, str]


class Result:
    """What a statement gave, as a connection of SQLAlchemy gives it."""

    def __init__(self, rows: list[Row], rowcount: int) -> None:
        self._rows, self.rowcount = rows, rowcount

    def mappings(self) -> Result:
        """Return itself: rows are mappings here."""
        return self

    def all(self) -> list[Row]:
        """Return all rows."""
        return self._rows

    fetchall = all

    def scalar(self) -> Any:
        """Return the first value of the first row; None without one."""
        return next(iter(self._rows[0].values()), None) if self._rows else None


class _Connection:
    """Stands for a connection inside `run`; what changes is gathered and stored at the end, together."""

    def __init__(self, store: CacheStore) -> None:
        self._store = store
        self.changes: dict[str, list[Change]] = {}

    def execute(self, statement: Any, values: Any = None) -> Result:
        """Run a statement; a SELECT does not see what this connection changed."""
        from sqlalchemy.util import await_only

        result: Result = await_only(self._store.ask(read(statement, values), self.changes))
        return result


class CacheStore:
    """One cache, with the methods of `Sql`."""

    keeps_versions = False
    is_open = False

    def __init__(self, url: str, cache: Any) -> None:
        self.url, self._cache = url, cache

    @property
    def shown(self) -> str:
        """Return the URL without its password."""
        return hide_password(self.url)

    async def fetch(self, statement: Any, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a SELECT and return its rows."""
        return (await self._once(read(statement, values))).all()

    async def execute(self, statement: Any, values: Any = None) -> int:
        """Run a statement and return the number of rows that it touched."""
        if values is not None and not values and not isinstance(values, Mapping):
            return 0                            # nothing to write
        return (await self._once(read(statement, values))).rowcount

    async def run(self, work: Any) -> Any:
        """Call `work(connection)`; what it changes is stored together, and `work` called again when rows changed under it."""
        from sqlalchemy.util import greenlet_spawn

        for _ in range(TRIES):
            connection = _Connection(self)
            result = await greenlet_spawn(work, connection)
            if await self._store(connection.changes):
                return result
        raise StoreError(f"database {self.shown}: others change the same rows all the time")

    async def ping(self) -> None:
        """Ask for nothing; StoreError when the cache does not answer."""
        await self._cache.command("PING")

    async def close(self) -> None:
        """The cache is closed by its own module."""

    # --- inside --------------------------------------------------------------------------------------------------------

    async def _once(self, asked: Statement) -> Result:
        for _ in range(TRIES):
            changes: dict[str, list[Change]] = {}
            result = await self.ask(asked, changes)
            if await self._store(changes):
                return result
        raise StoreError(f"database {self.shown}: others change the same rows all the time")

    async def ask(self, asked: Statement, changes: dict[str, list[Change]]) -> Result:
        """Carry out a statement; what it changes is added to `changes`."""
        if asked.kind == "insert":
            changes.setdefault(asked.table, []).extend(("", "", written(row)) for row in asked.rows)
            return Result([], len(asked.rows))
        found = await self._find(asked)
        if asked.kind == "select":
            return Result(asked.shown([row for _, _, row in found]), len(found))
        own = changes.setdefault(asked.table, [])
        for id, text, row in found:
            own.append((id, text, "" if asked.kind == "delete" else written(row | asked.rows[0])))
        return Result([], len(found))

    async def _find(self, asked: Statement) -> list[tuple[str, str, Row]]:
        """Return id, text and values of the rows that meet the conditions."""
        fixed = [word for one in asked.conditions if one.name == "=" and one.value is not None
                 for word in (one.column, pack(one.value)[1:])]
        several = next((one for one in asked.conditions if one.name == "in"), None)
        if several is not None:
            pairs = []
            for at in range(0, len(several.value), AT_ONCE):
                pairs += await self._by_index(asked.table, [[*fixed, several.column, pack(value)[1:]]
                                                            for value in several.value[at:at + AT_ONCE] if value is not None])
        elif fixed:
            pairs = await self._by_index(asked.table, [fixed])
        else:
            pairs = await self._every(asked.table)
        rows = [(id, text, self._row(asked.table, text)) for id, text in dict(pairs).items()]
        return [one for one in rows if asked.fits(one[2])]

    def _row(self, table: str, text: str) -> Row:
        try:
            return {name: unpack(value) for name, value in json.loads(text).items()}
        except (ValueError, AttributeError) as error:
            raise StoreError(f"database {self.shown}: a row of {table} is broken: {error}") from None

    async def _by_index(self, table: str, wanted: list[list[str]]) -> list[tuple[str, str]]:
        prefix = prefix_of(table)
        answers = await self._cache.commands(*(("EVAL", FIND, 1, f"{prefix}:rows", prefix, *words) for words in wanted)) \
            if wanted else []
        return [pair for flat in answers for pair in zip(flat[::2], flat[1::2], strict=True)]

    async def _every(self, table: str) -> list[tuple[str, str]]:
        cursor, pairs = "0", {}
        while True:
            cursor, found = await self._cache.command("HSCAN", f"{prefix_of(table)}:rows", cursor, "COUNT", PAGE)
            pairs.update(found if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True))
            if str(cursor) == "0":
                return sorted(pairs.items(), key=lambda pair: int(pair[0]))

    async def _store(self, changes: dict[str, list[Change]]) -> bool:
        """Store what changed, each table at once; False when a row is no longer what it was."""
        asked = [("EVAL", CHANGE, 1, f"{prefix_of(table)}:rows", prefix_of(table), json.dumps(own))
                 for table, own in changes.items() if own]
        return all([int(done) == 1 for done in await self._cache.commands(*asked)]) if asked else True


def prefix_of(table: str) -> str:
    """Return how the keys of a table begin; the braces keep them on one node of a Redis cluster."""
    return f"osip:db:{{{table}}}"


def written(row: Row) -> str:
    """Return a row as it is stored; NULL is left out."""
    return json.dumps({name: pack(value) for name, value in row.items() if value is not None})
