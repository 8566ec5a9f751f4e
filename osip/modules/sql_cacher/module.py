"""Declare sql_cacher: what is cached, the variable, reloads."""
from __future__ import annotations

import re
from typing import Any

from osip.api import (
    Complaint,
    Ctx,
    Env,
    MIError,
    Module,
    ModuleError,
    Raw,
    Scope,
    StoreError,
    Value,
    avp_name,
    function,
    mi,
    param,
    pvar,
    script_value,
    slot,
    timer,
)
from osip.modules.sql_cacher.entry import parse, split_columns
from osip.modules.sql_cacher.store import Store

Key = tuple[str, str, str]


class SqlCacher(Module):
    """Rows of SQL tables, read by `$sql_cached_value(id:column:key)` without asking the database each time.

    `modparam("sql_cacher", "cache_table", "id=users\\ntable=subscriber\\nkey=username\\ncolumns=domain rpid")` loads all rows
    at the start and anew before they end; `on_demand=1` loads each when it is first asked for.
    """

    spec_delimiter = param("\n", doc="Character between the parts of a cache_table.")
    pvar_delimiter = param(":", doc="Character between id, column and key in the variable.")
    columns_delimiter = param(" ", doc="Character between columns in a cache_table.")
    sql_fetch_nr_rows = param(100, ge=1, doc="Rows of one query while all are loaded.")
    full_caching_expire = param(86400, ge=1, doc="Seconds that rows are kept when all are loaded.")
    reload_interval = param(60, ge=0, doc="How many seconds before that they are loaded anew.")
    cache_table = param(multiple=True, kind=str, doc="id=, db_url=, cachedb_url=, table=, key=, key_type=string|int, columns=, "
                        "on_demand=0|1, expire=; without db_url db_default_url, without cachedb_url `local`.")
    bigint_to_str = param(0, ge=0, le=1, doc="1: integers of more than 32 bits become texts.")

    asked = slot(dict)

    def mod_init(self) -> None:
        """Read the entries."""
        if self.reload_interval >= self.full_caching_expire:
            raise ModuleError("sql_cacher: reload_interval must be less than full_caching_expire")
        self.stores: dict[str, Store] = {}
        self._complain = Complaint(self.env.log, clock=lambda: self.env.now)
        try:
            for text in self.cache_table:
                entry = parse(text, self.spec_delimiter, self.columns_delimiter, self.full_caching_expire)
                if entry.id in self.stores:
                    raise ValueError(f'two cache_tables have the id "{entry.id}"')
                self.stores[entry.id] = Store(self.env, entry, self.sql_fetch_nr_rows, bool(self.bigint_to_str))
        except ValueError as error:
            raise ModuleError(f"sql_cacher: cache_table: {error}") from None

    async def child_init(self, env: Env) -> None:
        """Load what is cached as a whole."""
        for store in self._whole():
            try:
                count = await store.load_all()
            except StoreError as error:
                raise ModuleError(f"sql_cacher: {store.entry.id}: {error}") from error
            store.reload_at = env.now + self.full_caching_expire - self.reload_interval
            env.log.info("sql_cacher: loaded id=%s rows=%d", store.entry.id, count)

    def _whole(self) -> list[Store]:
        # The cache is the same for all workers, whichever it is: one loads for all.
        return [store for store in self.stores.values() if not store.entry.on_demand] if self.env.number == 0 else []

    @timer(1, on=Scope.LEADER)
    async def reload_what_ends(self) -> None:
        """Load anew what is cached as a whole, before it ends."""
        for store in self._whole():
            if self.env.now < store.reload_at:
                continue
            store.reload_at = self.env.now + self.full_caching_expire - self.reload_interval
            try:
                await store.load_all()
            except StoreError as error:
                store.reload_at = self.env.now + min(10, self.reload_interval or 10)
                self.env.log.error("sql_cacher: %s is not loaded anew, tried again soon: %s", store.entry.id, error)

    # --- the variable ------------------------------------------------------------------------------------------------

    def _key(self, ctx: Ctx, text: str) -> Key | None:
        if "$" in text and self.env.program is not None:
            text = self.env.program.expand(ctx, text)
        parts = text.split(self.pvar_delimiter, 2)
        if len(parts) != 3 or parts[0].strip() not in self.stores:
            self._complain("sql_cacher_key", "key=%s: write id%scolumn%skey, with an id of a cache_table", text,
                           self.pvar_delimiter, self.pvar_delimiter)
            return None
        return parts[0].strip(), parts[1].strip(), parts[2]

    def ask(self, ctx: Ctx, key: str) -> Any:
        """Bring the row of a key into the message's reach; 1 when it is there already."""
        found = self._key(ctx, key)
        if found is None:
            return 1
        id, _, row_key = found
        rows = ctx[self.asked]
        if rows is None:
            rows = ctx[self.asked] = {}
        try:
            is_known, row = self.stores[id].row_now(row_key)
        except StoreError as error:
            self._complain("sql_cacher_failed", "id=%s reason=%s", id, error)
            return 1
        if is_known:
            rows[id, row_key] = row
            return 1
        return self._fetch(rows, id, row_key)

    async def _fetch(self, rows: dict[tuple[str, str], Any], id: str, row_key: str) -> int:
        try:
            rows[id, row_key] = await self.stores[id].row(row_key)
        except StoreError as error:
            rows[id, row_key] = None
            self._complain("sql_cacher_failed", "id=%s reason=%s", id, error)
        return 1

    @pvar("sql_cached_value", key="required", ask="ask")
    def sql_cached_value(self, ctx: Ctx, key: str) -> Value:
        """A column of a cached row, `$sql_cached_value(id:column:key)`; NULL when there is no such row."""
        found = self._key(ctx, key)
        if found is None:
            return None
        id, column, row_key = found
        rows = ctx[self.asked] or {}
        if (id, row_key) in rows:
            row = rows[id, row_key]
        else:                           # read where nobody could wait
            row = self.stores[id].row_now(row_key)[1]
        if row is None:
            return None
        if column not in row:
            self._complain("sql_cacher_column", "id=%s has no column %s", id, column)
            return None
        value: Value = row[column]
        return value

    @function()
    async def sql_cache_dump(self, ctx: Ctx, id: str, columns: str, avps: Raw) -> int:
        """Put columns of all rows into AVPs, index 0 the first row: their number, -2 none, -1 failure."""
        store = self.stores.get(id)
        names = split_columns(columns, self.columns_delimiter)
        texts = [part for part in re.split(r"[;,\s]+", avps) if part]
        if store is None or len(names) != len(texts):
            self.env.log.error("sql_cacher: sql_cache_dump: no id %s, or not as many AVPs as columns call_id=%s", id,
                               ctx.msg.call_id)
            return -1
        try:
            targets = [ctx.avp(avp_name(text)) for text in texts]
            rows = await store.dump(names)
        except (StoreError, ValueError) as error:
            self.env.log.error("sql_cacher: sql_cache_dump: %s call_id=%s", error, ctx.msg.call_id)
            return -1
        for row in reversed(rows):
            for target, value in zip(targets, row, strict=True):
                shown = script_value(value, bool(self.bigint_to_str))
                target.append("<null>" if shown is None else shown)
        return len(rows) or -2

    @mi(aliases=("sql_cacher_reload",), scope=Scope.EACH)
    async def reload(self, id: str, key: str | None = None) -> None:
        """Load all rows of a table anew, or the row of one key; on demand: forget them."""
        store = self.stores.get(id)
        if store is None:
            raise MIError(404, f'no cache_table has the id "{id}"; there are {", ".join(self.stores) or "none"}')
        try:
            if key is not None:
                await store.load(key)
            elif store.entry.on_demand:
                await store.forget()
            elif self.env.number == 0:
                await store.load_all()
        except StoreError as error:
            raise MIError(500, str(error)) from None
