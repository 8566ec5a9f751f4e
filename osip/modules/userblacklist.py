"""Block numbers by prefix, for one user or for all."""
from __future__ import annotations

from typing import Any

from osip.api import (
    Ctx,
    Env,
    MIError,
    Module,
    ModuleError,
    ParseError,
    Scope,
    StoreError,
    check_version,
    create_tables,
    function,
    mi,
    open_tables,
    param,
    parse_uri,
    table,
)

Prefixes = dict[str, bool]
"""Prefix -> whether it is allowed."""


class Userblacklist(Module):
    """Blacklists of prefixes."""

    db_url = param("", doc="Database; without it db_default_url, else an SQLite file.")
    db_table = param("userblacklist", doc="Table of the users' prefixes.")
    use_domain = param(1, ge=0, le=1, doc="Compare user and domain, not the user alone.")
    users = table("userblacklist", 2, "username char(64)='', domain char(64)='', prefix char(64)='', whitelist i8=0")
    everybody = table("globalblacklist", 2, "prefix char(64)='', whitelist i8=0, description char(255)?")

    def mod_init(self) -> None:
        """Start with no table read."""
        self._lists: dict[str, Prefixes] = {}
        self._checked: set[str] = set()

    async def child_init(self, env: Env) -> None:
        """Make or check the table of users; global ones are read at their first use."""
        sql = await open_tables(env, self.db_url, {self.db_table: self.users}, "userblacklist")
        self._checked.add(self.db_table)
        if not self.db_url and not env.config.db_default_url:
            await create_tables(sql, [self.everybody], env.config.db_version_table)

    @function("QF")
    async def check_user_blacklist(self, ctx: Ctx, user: str, domain: str, number: str | None = None,
                                   table: str | None = None) -> int:
        """Say whether a user may call a number, by default that of the R-URI: 1 yes, -1 no. The longest prefix counts."""
        import sqlalchemy as sa

        name = table or self.db_table
        columns = ("username", "domain", "prefix", "whitelist")
        tab = sa.table(name, *map(sa.column, columns))
        rules = [tab.c.username == user] + ([tab.c.domain == domain] if self.use_domain else [])
        try:
            number = number or parse_uri(ctx.ruri or "").user
            sql = self.env.sql(self.db_url)
            if name not in self._checked:
                await check_version(sql, self.users, name, self.env.config.db_version_table)
                self._checked.add(name)
            rows = await sql.fetch(sa.select(tab.c.prefix, tab.c.whitelist).where(*rules))
        except (ParseError, StoreError) as error:
            self.env.log.error("userblacklist: %s call_id=%s", error, ctx.msg.call_id)
            return -1
        return 1 if is_allowed(prefixes_of(rows), number) else -1

    @function("QF")
    async def check_blacklist(self, ctx: Ctx, table: str) -> int:
        """Say whether the number of the R-URI may be called, by a table that is kept in memory: 1 yes, -1 no."""
        try:
            if table not in self._lists:
                self._lists[table] = await self._read(table)
            return 1 if is_allowed(self._lists[table], parse_uri(ctx.ruri or "").user) else -1
        except (ParseError, StoreError) as error:
            self.env.log.error("userblacklist: %s call_id=%s", error, ctx.msg.call_id)
            return -1

    async def _read(self, name: str) -> Prefixes:
        import sqlalchemy as sa

        sql = self.env.sql(self.db_url)
        await check_version(sql, self.everybody, name, self.env.config.db_version_table)
        tab = sa.table(name, sa.column("prefix"), sa.column("whitelist"))
        return prefixes_of(await sql.fetch(sa.select(tab.c.prefix, tab.c.whitelist)))

    @mi("reload", aliases=("reload_blacklist",), scope=Scope.EACH)
    async def mi_reload(self) -> None:
        """Read the tables of check_blacklist again; with an error nothing changes."""
        try:
            self._lists = {name: await self._read(name) for name in self._lists}
        except (StoreError, ModuleError) as error:
            raise MIError(500, "Failed to reload blacklists", str(error)) from None


def prefixes_of(rows: Any) -> Prefixes:
    """Return rows as a table."""
    return {str(row["prefix"]): bool(row["whitelist"]) for row in rows}


def is_allowed(prefixes: Prefixes, number: str) -> bool:
    """Say what the longest prefix of a number says; without one it is allowed."""
    for length in range(len(number), -1, -1):
        found = prefixes.get(number[:length])
        if found is not None:
            return found
    return True
