"""Turn a user's short numbers into URIs, by a table."""
from __future__ import annotations

from osip.api import (
    Ctx,
    Env,
    Lookup,
    Module,
    ParseError,
    StoreError,
    check_version,
    first_row,
    function,
    open_tables,
    param,
    parse_uri,
    table,
)


class Speeddial(Module):
    """Short numbers."""

    db_url = param("", doc="Database; without it db_default_url, else an SQLite file.")
    use_domain = param(0, ge=0, le=1, doc="Compare domains, not users alone.")
    domain_prefix = param("", live=True, doc="Left out at the start of hosts.")
    user_column = param("username", doc="Column of the owner.")
    domain_column = param("domain", doc="Column of the owner's domain.")
    sd_user_column = param("sd_username", doc="Column of the short number.")
    sd_domain_column = param("sd_domain", doc="Column of its domain.")
    new_uri_column = param("new_uri", doc="Column of the URI that it stands for.")
    numbers = table("speed_dial", 3, "username char(64)='', domain char(64)='', sd_username char(64)='', "
                    "sd_domain char(64)='', new_uri char(255)='', fname char(64)='', lname char(64)='', "
                    "description char(64)=''", unique="username,domain,sd_domain,sd_username")

    def mod_init(self) -> None:
        """Start with no table looked at."""
        self._checked: set[str] = set()
        self._statements: dict[str, Lookup] = {}

    async def child_init(self, env: Env) -> None:
        """Make the table of the embedded database; tables of another one are checked at their first use."""
        if not self.db_url and not env.config.db_default_url:
            await open_tables(env, "", {"speed_dial": self.numbers}, "speeddial")
            self._checked.add("speed_dial")

    def _statement(self, name: str) -> Lookup:
        found = self._statements.get(name)
        if found is None:
            import sqlalchemy as sa

            columns = {"user": self.user_column, "number": self.sd_user_column}
            if self.use_domain:
                columns |= {"domain": self.domain_column, "number_domain": self.sd_domain_column}
            tab = sa.table(name, *(sa.column(one) for one in (*columns.values(), self.new_uri_column)))
            found = self._statements[name] = Lookup(sa.select(tab.c[self.new_uri_column]).where(
                *(tab.c[column] == sa.bindparam(key) for key, column in columns.items())).limit(1))
        return found

    @function("Q")
    async def sd_lookup(self, ctx: Ctx, table: str, owner: str | None = None) -> int:
        """Replace the R-URI when its user is a short number of the owner (by default From); -1 when it is none."""
        try:
            number = parse_uri(ctx.ruri or "")
            user = ctx.msg.from_.uri if owner is None else parse_uri(owner)
        except ParseError as error:
            self.env.log.error("speeddial: %s call_id=%s", error, ctx.msg.call_id)
            return -1
        values = {"user": user.user, "number": number.user}
        if self.use_domain:
            values |= {"domain": user.host.removeprefix(self.domain_prefix),
                       "number_domain": number.host.removeprefix(self.domain_prefix)}
        sql = self.env.sql(self.db_url)
        try:
            if table not in self._checked:
                await check_version(sql, self.numbers, table, self.env.config.db_version_table)
                self._checked.add(table)
            row = await first_row(sql, self._statement(table), values)
        except StoreError as error:
            self.env.log.error("speeddial: %s call_id=%s", error, ctx.msg.call_id)
            return -1
        if row is None or not row[self.new_uri_column]:
            return -1
        uri = str(row[self.new_uri_column])
        uri = uri if uri[:4].lower() in ("sip:", "tel:") or uri[:5].lower() == "sips:" else "sip:" + uri
        try:
            parse_uri(uri)
        except ParseError as error:
            self.env.log.error("speeddial: table=%s has a bad URI: %s", table, error)
            return -1
        ctx.target.uri = uri
        return 1
