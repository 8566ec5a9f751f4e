"""Know the domains that this server is responsible for, by a table: asked each time or kept in memory.

They are its own names, too: `uri == myself`, is_myself() and loose_route() take them for the server's, on any port
(modules.md, domain; semantics.md rule 33). These ask while a message is handled and cannot wait for a database, so
there is a copy for them even when the words of this module ask each time.
"""
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
    Var,
    function,
    mi,
    open_tables,
    param,
    parse_uri,
    table,
    timer,
)

Known = dict[str, tuple[str | None, bool]]
"""Domain in lower case -> attributes, and whether its subdomains are local, too."""
REFRESH_SECONDS = 30
"""How old the names of `myself` may be when the table is not kept in memory."""


class Domain(Module):
    """Local domains."""

    db_url = param("", doc="Database of the domains; without it db_default_url, else an SQLite file.")
    db_mode = param(0, ge=0, le=1, doc="0 ask the database each time (`myself` learns of a change within 30 s), "
                    "1 keep the table in memory.")
    domain_table = param("domain", doc="Table of domains.")
    domain_col = param("domain", doc="Column of the domain.")
    attrs_col = param("attrs", doc="Column of the attributes.")
    accept_subdomain_col = param("accept_subdomain", doc="Column that says whether subdomains are local, too.")
    rows = table("domain", 4, "domain char(64)='', attrs char(255)?, accept_subdomain i32u=0, "
                 "last_modified dt=1900-01-01 00:00:01", unique="domain")

    def mod_init(self) -> None:
        """Build the two statements: all domains, and those of some names."""
        import sqlalchemy as sa

        self.known: Known = {}
        self.env.own_names.append(self.is_own)
        tab = sa.table(self.domain_table, *(sa.column(name) for name in (
            self.domain_col, self.attrs_col, self.accept_subdomain_col)))
        self._all = sa.select(tab.c[self.domain_col].label("domain"), tab.c[self.attrs_col].label("attrs"),
                              tab.c[self.accept_subdomain_col].label("accept_subdomain"))
        self._some = self._all.where(tab.c[self.domain_col].in_(sa.bindparam("names", expanding=True)))

    async def child_init(self, env: Env) -> None:
        """Check the table and read it."""
        await open_tables(env, self.db_url, {self.domain_table: self.rows}, "domain")
        try:
            await self._read()
        except StoreError as error:
            raise ModuleError(f"domain: {error}") from error

    async def _read(self) -> None:
        """Take over the table as it is now; those who remember what is ours forget it when that has changed."""
        was, self.known = self.known, table_of(await self.env.sql(self.db_url).fetch(self._all))
        if self.known != was:
            for listener in self.env.on_own_names:
                listener()

    @timer(REFRESH_SECONDS)
    async def refresh(self) -> None:
        """Read the names again for `myself`, when nobody reloads them."""
        if self.db_mode:
            return
        try:
            await self._read()
        except StoreError as error:
            self.env.log.error("domain: names not refreshed error=%s", error)

    def is_own(self, host: str) -> bool:
        """Say whether a host, in lower case, is one of the domains that are known here."""
        return host in self.known or find(self.known, with_parents(host)) is not None

    async def _is_local(self, ctx: Ctx, name: str, attrs: Var | None) -> bool:
        names = with_parents(name)
        known = self.known
        if not self.db_mode and names:
            try:
                known = table_of(await self.env.sql(self.db_url).fetch(self._some, {"names": names}))
            except StoreError as error:
                self.env.log.error("domain: %s call_id=%s", error, ctx.msg.call_id)
                return False
        found = find(known, names)
        if found is None:
            return False
        if attrs is not None and found[0] is not None:
            attrs.set(ctx, found[0])
        return True

    @function("QBFL")
    async def is_from_local(self, ctx: Ctx, attrs: Var | None = None) -> bool:
        """Say whether the domain of From is local; its attributes go into the variable."""
        return await self._is_local(ctx, ctx.msg.from_.uri.host, attrs)

    @function("QBFL")
    async def is_uri_host_local(self, ctx: Ctx, attrs_var: Var | None = None) -> bool:
        """Say whether the domain of the R-URI (in a branch route: the branch's) is local."""
        try:
            return await self._is_local(ctx, parse_uri(ctx.ruri or "").host, attrs_var)
        except ParseError:
            return False

    @function("QBFL")
    async def is_domain_local(self, ctx: Ctx, domain: str, attrs_var: Var | None = None) -> bool:
        """Say whether a domain is local."""
        return await self._is_local(ctx, domain, attrs_var)

    @mi("reload", aliases=("domain_reload",), scope=Scope.EACH)
    async def mi_reload(self) -> None:
        """Read the table again, when it is kept in memory; with an error nothing changes."""
        if not self.db_mode:
            raise MIError(500, "Not available: db_mode is 0, nothing is kept in memory")
        try:
            await self._read()
        except StoreError as error:
            raise MIError(500, "Domain table reload failed", str(error)) from None

    @mi("dump", aliases=("domain_dump",))
    def mi_dump(self) -> dict[str, Any]:
        """List the domains that are kept in memory."""
        known = self.known if self.db_mode else {}
        return {"Domains": [{"name": name, "attributes": attrs or ""} for name, (attrs, _) in known.items()]}


def with_parents(name: str) -> list[str]:
    """Return a domain in lower case and the domains above it, longest first."""
    name = name.strip().rstrip(".").lower()
    if ":" in name or not name:
        return [name] if name else []
    labels = name.split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]


def table_of(rows: Any) -> Known:
    """Return rows as a table."""
    return {str(row["domain"]).lower(): (None if row["attrs"] is None else str(row["attrs"]),
                                         bool(row["accept_subdomain"])) for row in rows}


def find(known: Known, names: list[str]) -> tuple[str | None, bool] | None:
    """Return the entry of the first name, else of the longest one above it that takes subdomains."""
    for at, name in enumerate(names):
        entry = known.get(name)
        if entry is not None and (at == 0 or entry[1]):
            return entry
    return None
