"""Ask which groups a user is in: by a table of members, and by regular expressions on their URIs."""
from __future__ import annotations

import re
from typing import Any

from osip.api import (
    Complaint,
    Ctx,
    Env,
    Lookup,
    Module,
    ModuleError,
    ParseError,
    StoreError,
    Var,
    first_row,
    function,
    needs,
    open_tables,
    param,
    parse_uri,
    posix,
    table,
)

_NO_AAA = "there is no module for AAA yet"


class Group(Module):
    """Membership in groups."""

    aaa_url = param("", removed=_NO_AAA, doc="AAA server.")
    db_url = param("", doc="Database of the groups; without it db_default_url, else an SQLite file.")
    member_table = param("grp", name="table", doc="Table of members.")
    use_domain = param(1, ge=0, le=1, doc="Look for user and domain, not for the user alone.")
    re_table = param("", doc="Table of regular expressions on URIs; without it db_get_user_group finds nothing.")
    multiple_gid = param(1, ge=0, le=1, live=True, doc="Give all groups whose expression matches, not the first.")
    user_column = param("username", doc="Column of the user.")
    domain_column = param("domain", doc="Column of the domain.")
    group_column = param("grp", doc="Column of the group.")
    re_exp_column = param("reg_exp", doc="Column of the regular expression.")
    re_gid_column = param("group_id", doc="Column of its group.")
    members = table("grp", 3, "username char(64)='', domain char(64)='', grp char(64)='', "
                    "last_modified dt=1900-01-01 00:00:01", unique="username,domain,grp")
    patterns = table("re_grp", 2, "reg_exp char(128)='', group_id i32=0")
    auth = needs("auth", optional=True)

    def mod_init(self) -> None:
        """Build the statement of db_is_user_in."""
        import sqlalchemy as sa

        self.complain = Complaint(self.env.log, clock=lambda: self.env.now)
        self.expressions: list[tuple[re.Pattern[str], int]] = []
        by = {"user": self.user_column, "in_group": self.group_column}
        if self.use_domain:
            by["domain"] = self.domain_column
        tab = sa.table(self.member_table, *(sa.column(name) for name in by.values()))
        self._member = Lookup(sa.select(tab.c[self.group_column]).where(
            *(tab.c[name] == sa.bindparam(key) for key, name in by.items())).limit(1))

    async def child_init(self, env: Env) -> None:
        """Check the tables and read the regular expressions."""
        specs = {self.member_table: self.members}
        if self.re_table:
            specs[self.re_table] = self.patterns
        sql = await open_tables(env, self.db_url, specs, "group")
        if self.re_table:
            await self._read(sql)

    async def _read(self, sql: Any) -> None:
        import sqlalchemy as sa

        tab = sa.table(self.re_table, sa.column(self.re_exp_column), sa.column(self.re_gid_column))
        try:
            rows = await sql.fetch(sa.select(tab.c[self.re_exp_column].label("reg_exp"),
                                             tab.c[self.re_gid_column].label("group_id")))
        except StoreError as error:
            raise ModuleError(f"group: {error}") from error
        for row in rows:
            try:
                self.expressions.append((re.compile(posix(str(row["reg_exp"])), re.IGNORECASE), int(row["group_id"])))
            except re.error as error:
                raise ModuleError(f'group: "{row["reg_exp"]}" in table {self.re_table} is no regular expression: '
                                  f"{error}") from None

    def _user(self, ctx: Ctx, text: str) -> tuple[str, str] | None:
        """Return the user and domain that an argument means; None when there is none."""
        msg = ctx.msg
        match text.strip().lower():
            case "request-uri":
                uri = parse_uri(ctx.ruri or "")
            case "to":
                uri = msg.to.uri
            case "from":
                uri = msg.from_.uri
            case "credentials":
                return self._credentials(ctx)
            case _:
                uri = parse_uri(text)
        return (uri.user, uri.host) if uri.user else None

    def _credentials(self, ctx: Ctx) -> tuple[str, str] | None:
        given = self.auth.identity(ctx) if self.auth is not None else None
        return None if given is None else (given.user, self.auth.domain_of(given))

    @function("QFBL", aliases=("is_user_in",))
    async def db_is_user_in(self, ctx: Ctx, uri: str, group: str) -> int:
        """Say whether the user of "Request-URI", "To", "From", "Credentials" or a URI is in a group."""
        try:
            found = self._user(ctx, uri)
            if found is None:
                return -1
            values = {"user": found[0], "in_group": group}
            if self.use_domain:
                values["domain"] = found[1]
            return 1 if await first_row(self.env.sql(self.db_url), self._member, values) is not None else -1
        except ParseError as error:
            self.env.log.error("group: %s", error)
        except StoreError as error:
            self.env.log.error("group: db_is_user_in: %s call_id=%s", error, ctx.msg.call_id)
        return -1

    @function("QFBL", aliases=("get_user_group",))
    def db_get_user_group(self, ctx: Ctx, uri: str, out: Var) -> int:
        """Find the groups whose regular expression matches sip:user@domain; the result is their number, or -1."""
        try:
            found = self._user(ctx, uri)
        except ParseError as error:
            self.env.log.error("group: %s", error)
            return -1
        if found is None:
            return -1
        text = f"sip:{found[0]}@{found[1]}"
        numbers = [number for pattern, number in self.expressions if pattern.search(text)]
        numbers = numbers if self.multiple_gid else numbers[:1]
        for number in numbers:
            if not out.set(ctx, number):
                return -1
        return len(numbers) or -1

    @function("QFBL")
    def aaa_is_user_in(self, ctx: Ctx, uri: str, group: str) -> int:
        """Ask AAA whether a user is in a group; -1, as there is no module for AAA yet."""
        self.complain("group:", "aaa_is_user_in fails: %s", _NO_AAA)
        return -1
