"""Declare sqlops: queries, rows into variables, AVPs kept in a table."""
from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from osip.api import (
    Ctx,
    Env,
    Module,
    ModuleError,
    Preferences,
    Raw,
    StoreError,
    function,
    open_tables,
    param,
    parse_scheme,
    parse_urls,
    table,
)
from osip.modules.sqlops import build


class Sqlops(Module):
    """SQL for scripts."""

    db_url = param(multiple=True, kind=str, doc='Database, "[id ]url"; 0 is the default id. Without any, db_default_url.')
    usr_table = param("usr_preferences", doc="Table where AVPs are kept.")
    use_domain = param(1, ge=0, le=1, doc="Look for user and domain of a URI, not for the user alone.")
    db_scheme = param(multiple=True, kind=str, parse=parse_scheme,
                      doc='Another table to load from: "name:uuid_col=..;value_col=..;value_type=integer;table=..".')
    ps_id_max_buf_len = param(1024, removed="statements need no buffers", doc="No effect.")
    bigint_to_str = param(0, ge=0, le=1, live=True, doc="1: integers of more than 32 bits become texts.")
    uuid_column = param("uuid", doc="Column of the UUID.")
    attribute_column = param("attribute", doc="Column of the AVP's name.")
    value_column = param("value", doc="Column of the value.")
    type_column = param("type", doc="Column of the type: 1 integer, 0 text.")
    username_column = param("username", doc="Column of the user.")
    domain_column = param("domain", doc="Column of the domain.")
    preferences = table("usr_preferences", 3, "uuid char(64)='', username char(64)=0, domain char(64)='', "
                        "attribute char(32)='', type i32=0, value char(128)='', last_modified dt=1900-01-01 00:00:01")

    def mod_init(self) -> None:
        """Sort the databases."""
        try:
            urls = parse_urls(self.db_url)
        except ValueError as error:
            raise ModuleError(f"sqlops: {error}") from None
        names = {key: getattr(self, f"{key}_column") for key in ("uuid", "username", "domain", "attribute", "value", "type")}
        self.store = Preferences(self.env, "sqlops", urls, self.usr_table, bool(self.use_domain), names,
                                 dict(self.db_scheme), bool(self.bigint_to_str))

    async def child_init(self, env: Env) -> None:
        """Make the table of the embedded database; those of other databases may be without it."""
        if not self.db_url and not env.config.db_default_url:
            await open_tables(env, "", {self.usr_table: self.preferences}, "sqlops")

    async def _try(self, ctx: Ctx, word: str, work: Awaitable[int]) -> int:
        try:
            return await work
        except (StoreError, ValueError) as error:
            self.env.log.error("sqlops: %s: %s call_id=%s", word, error, ctx.msg.call_id)
            return -1

    # --- AVPs ----------------------------------------------------------------------------------------------------

    @function()
    async def sql_avp_load(self, ctx: Ctx, source: Raw, name: Raw, db_id: int = 0, prefix: str = "") -> int:
        """Load AVPs of a source `$var[/username|domain|uri|uuid]`; name `$avp(x)[/table|/$scheme]` or `*`. -1: none."""
        return await self._try(ctx, "sql_avp_load", self.store.load(ctx, source, name, db_id, prefix))

    @function()
    async def sql_avp_store(self, ctx: Ctx, source: Raw, name: Raw, db_id: int = 0) -> int:
        """Insert the values of an AVP (`*`: of all) as rows."""
        return await self._try(ctx, "sql_avp_store", self.store.store(ctx, source, name, db_id))

    @function()
    async def sql_avp_delete(self, ctx: Ctx, source: Raw, name: Raw, db_id: int = 0) -> int:
        """Remove the rows of an AVP, `*` of all."""
        return await self._try(ctx, "sql_avp_delete", self.store.delete(ctx, source, name, db_id))

    # --- queries -------------------------------------------------------------------------------------------------

    async def _query(self, ctx: Ctx, text: str, names: str | None, db_id: int, one: bool) -> int:
        found = await self.store.query(db_id, text)
        if found is None:                           # an UPDATE has no rows, which is no failure
            return 1
        return (self.store.into_variables if one else self.store.into_avps)(ctx, found[1], names)

    @function(aliases=("avp_db_query",))
    async def sql_query(self, ctx: Ctx, query: str, res_col_avps: Raw | None = None, db_id: int = 0) -> int:
        """Run a query; its columns go into "$avp(a);$avp(b)" (by default `$avp(1)`…), index 0 the first row.

        1, -2 no rows, -1 failure.
        """
        return await self._try(ctx, "sql_query", self._query(ctx, query, res_col_avps, db_id, False))

    @function()
    async def sql_query_one(self, ctx: Ctx, query: str, res_col_vars: Raw | None = None, db_id: int = 0) -> int:
        """Run a query; its first row goes into variables, NULL as NULL. 1, -2 no rows, -1 failure."""
        return await self._try(ctx, "sql_query_one", self._query(ctx, query, res_col_vars, db_id, True))

    async def _select(self, ctx: Ctx, parts: tuple[Any, ...], names: str | None, db_id: int, one: bool) -> int:
        statement = build.select(*parts)
        rows = [tuple(row.values()) for row in await self.store.sql(db_id).fetch(statement.limit(1) if one else statement)]
        return (self.store.into_variables if one else self.store.into_avps)(ctx, rows, names)

    @function()
    async def sql_select(self, ctx: Ctx, columns: str | None, table: str, filter: str | None = None,
                         order: str | None = None, res_col_avps: Raw | None = None, db_id: int = 0) -> int:
        """Select columns (JSON array; none: all) by a filter (JSON array of objects); the rows go into AVPs."""
        return await self._try(ctx, "sql_select", self._select(ctx, (columns, table, filter, order), res_col_avps, db_id,
                                                               False))

    @function()
    async def sql_select_one(self, ctx: Ctx, columns: str | None, table: str, filter: str | None = None,
                             order: str | None = None, res_col_vars: Raw | None = None, db_id: int = 0) -> int:
        """Select as sql_select does; the first row goes into variables."""
        return await self._try(ctx, "sql_select_one", self._select(ctx, (columns, table, filter, order), res_col_vars,
                                                                   db_id, True))

    async def _change(self, db_id: int, make: Any, *parts: Any) -> int:
        await self.store.sql(db_id).execute(make(*parts))
        return 1

    @function()
    async def sql_update(self, ctx: Ctx, columns: str, table: str, filter: str | None = None, db_id: int = 0) -> int:
        """Update columns `[{"c":"v"},…]` of the rows that a filter finds."""
        return await self._try(ctx, "sql_update", self._change(db_id, build.update, columns, table, filter))

    @function()
    async def sql_insert(self, ctx: Ctx, table: str, columns: str, db_id: int = 0) -> int:
        """Insert a row."""
        return await self._try(ctx, "sql_insert", self._change(db_id, build.insert, table, columns))

    @function()
    async def sql_delete(self, ctx: Ctx, table: str, filter: str | None = None, db_id: int = 0) -> int:
        """Delete the rows that a filter finds; without one, all."""
        return await self._try(ctx, "sql_delete", self._change(db_id, build.delete, table, filter))

    @function()
    async def sql_replace(self, ctx: Ctx, table: str, columns: str, db_id: int = 0) -> int:
        """Replace a row, where the database can (MySQL, MariaDB, SQLite; by HTTP with cap_replace)."""
        async def work() -> int:
            sql: Any = self.store.sql(db_id)
            if hasattr(sql, "replace"):
                await sql.replace(build.name_of(table), build.values_of(columns))
                return 1

            def run(connection: Any) -> None:
                connection.execute(*build.replace(table, columns, connection.dialect))
            await sql.run(run)
            return 1
        return await self._try(ctx, "sql_replace", work())
