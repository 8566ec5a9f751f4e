"""Turn aliases into users, and back, by a table."""
from __future__ import annotations

from typing import Annotated, Any

from osip.api import (
    Ctx,
    Env,
    Module,
    Parse,
    ParseError,
    StoreError,
    Target,
    Uri,
    Var,
    check_version,
    flag_parser,
    function,
    open_tables,
    param,
    parse_uri,
    table,
)

Flags = Annotated[frozenset, Parse(flag_parser(("no-domain", "reverse"), letters={"d": "no-domain", "r": "reverse"}))]
NONE: frozenset[str] = frozenset()


class AliasDb(Module):
    """Aliases of users."""

    db_url = param("", doc="Database of the aliases; without it db_default_url, else an SQLite file.")
    domain_prefix = param("", live=True, doc="Left out at the start of hosts.")
    append_branches = param(0, ge=0, le=1, live=True, doc="1: what is found besides the first becomes branches.")
    user_column = param("username", doc="Column of the user.")
    domain_column = param("domain", doc="Column of the user's domain.")
    alias_user_column = param("alias_username", doc="Column of the alias.")
    alias_domain_column = param("alias_domain", doc="Column of the alias's domain.")
    aliases = table("dbaliases", 2, "alias_username char(64)='', alias_domain char(64)='', username char(64)='', "
                    "domain char(64)=''", unique="alias_username,alias_domain")

    def mod_init(self) -> None:
        """Start with no statement built and no table looked at."""
        self._statements: dict[tuple[str, frozenset[str]], Any] = {}
        self._checked: set[str] = set()

    async def child_init(self, env: Env) -> None:
        """Make the table of the embedded database; tables of another one are checked at their first use."""
        if not self.db_url and not env.config.db_default_url:
            await open_tables(env, self.db_url, {"dbaliases": self.aliases}, "alias_db")
            self._checked.add("dbaliases")

    def _statement(self, table: str, flags: frozenset[str]) -> Any:
        """Return the statement for a table and flags, made at its first use; its values are `user` and `domain`."""
        found = self._statements.get((table, flags))
        if found is None:
            import sqlalchemy as sa

            ends = [(self.alias_user_column, self.alias_domain_column), (self.user_column, self.domain_column)]
            (key, key_domain), (user, domain) = reversed(ends) if "reverse" in flags else ends
            tab = sa.table(table, *(sa.column(name) for name in (key, key_domain, user, domain)))
            found = sa.select(tab.c[user].label("username"), tab.c[domain].label("domain")).where(
                tab.c[key] == sa.bindparam("user"))
            if "no-domain" not in flags:
                found = found.where(tab.c[key_domain] == sa.bindparam("domain"))
            self._statements[table, flags] = found
        return found

    async def _find(self, ctx: Ctx, table: str, uri: Uri, flags: frozenset[str]) -> list[str]:
        """Return the URIs that stand for one; none when the table has none or cannot be asked."""
        if not uri.user:
            return []
        values = {"user": uri.user}
        if "no-domain" not in flags:
            values["domain"] = uri.host.removeprefix(self.domain_prefix)
        sql = self.env.sql(self.db_url)
        try:
            if table not in self._checked:
                await check_version(sql, self.aliases, table, self.env.config.db_version_table)
                self._checked.add(table)
            rows = await sql.fetch(self._statement(table, flags), values)
        except StoreError as error:
            self.env.log.error("alias_db: %s call_id=%s", error, ctx.msg.call_id)
            return []
        return [f"sip:{row['username']}@{row['domain']}" for row in rows if row["username"]]

    @function("QF")
    async def alias_db_lookup(self, ctx: Ctx, table_name: str, flags: Flags = NONE) -> int:
        """Replace the R-URI when it is an alias; flags: d the domain does not count, r from user to alias."""
        found = await self._find(ctx, table_name, parse_uri(ctx.ruri or ""), flags)
        if not found:
            return -1
        ctx.target.uri = found[0]
        if self.append_branches:
            for uri in found[1:]:
                ctx.add_target(Target(uri))
        return 1

    @function("QFRBLS")
    async def alias_db_find(self, ctx: Ctx, table_name: str, input_uri: str, output_var: Var,
                            flags: Flags = NONE) -> int:
        """Find what a URI is an alias of; flags as in alias_db_lookup."""
        try:
            uri = parse_uri(input_uri)
        except ParseError as error:
            self.env.log.error("alias_db: %s", error)
            return -1
        found = await self._find(ctx, table_name, uri, flags)
        return 1 if found and output_var.set(ctx, found[0]) else -1
