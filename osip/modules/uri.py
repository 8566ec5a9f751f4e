"""Words on URIs of 1.x and 2.x, spread over other modules since 3.0; kept for old scripts.

Whose request it is say the credentials that an authorize word accepted, never those that merely stand in it.
"""
from __future__ import annotations

from typing import Any

from osip.api import (
    Complaint,
    Ctx,
    Lookup,
    Module,
    ModuleError,
    ParseError,
    StoreError,
    UriWords,
    Var,
    first_row,
    function,
    needs,
    open_tables,
    param,
    parse_uri,
    stat,
    table,
)

_NO_AAA = "there is no module for AAA yet"
# Not declared by the class: `osip db drop uri` means the table of URIs and must not take the users along.
_USERS = table("subscriber", 8, "username char(64)='', domain char(64)='', password char(25)='', ha1 char(64)='', "
               "ha1_sha256 char(64)='', ha1_sha512t256 char(64)=''", unique="username,domain").spec()


class Uri(UriWords, Module):
    """Words on URIs of old scripts."""
    aaa_url = param("", removed=_NO_AAA, doc="AAA server.")
    service_type = param(-1, removed=_NO_AAA, doc="AAA service type.")
    use_sip_uri_host = param(0, removed=_NO_AAA, doc="1: AAA is told user and host apart.")
    db_url = param("", doc="Database; without it db_default_url, else an SQLite file.")
    db_table = param("", doc="Table; unset: uri when use_uri_table is 1, else subscriber.")
    user_column = param("username", doc="Column of the user.")
    domain_column = param("domain", doc="Column of the domain.")
    uriuser_column = param("uri_user", doc="Column of the URI's user.")
    use_uri_table = param(0, ge=0, le=1, doc="1: db_table has the URIs that each user may use; 0: it has the users.")
    use_domain = param(0, ge=0, le=1, doc="1: look for user and domain, not for the user alone.")
    uris = table("uri", 2, "username char(64)='', domain char(64)='', uri_user char(64)='', "
                 "last_modified dt=1900-01-01 00:00:01", unique="username,domain,uri_user")
    auth = needs("auth", optional=True)
    positive_checks = stat("Checks that succeeded.", name="positive checks")
    negative_checks = stat("Checks that failed.")

    def mod_init(self) -> None:
        """Build the statements; the table is looked at when a word first asks for it."""
        self._table = self.db_table or ("uri" if self.use_uri_table else "subscriber")
        self._is_open = False
        self.complain = Complaint(self.env.log, clock=lambda: self.env.now)
        uri_user = self.uriuser_column if self.use_uri_table else self.user_column
        self._exists = self._lookup({"uri_user": uri_user}, uri_user)
        self._may = self._lookup({"user": self.user_column, "uri_user": self.uriuser_column}, self.user_column)
        self._auth_id = self._lookup({"uri_user": uri_user}, self.user_column, self.domain_column)

    def _lookup(self, where: dict[str, str], *wanted: str) -> Lookup:
        """Select columns of the first row in which the columns of `where` (parameter -> name) are equal."""
        import sqlalchemy as sa

        if self.use_domain:
            where = {**where, "domain": self.domain_column}
        tab = sa.table(self._table, *(sa.column(name) for name in dict.fromkeys((*wanted, *where.values()))))
        return Lookup(sa.select(*(tab.c[name] for name in wanted)).where(
            *(tab.c[name] == sa.bindparam(key) for key, name in where.items())).limit(1))

    def _checked(self, good: bool) -> bool:
        if good:
            self.positive_checks += 1
        else:
            self.negative_checks += 1
        return good

    async def _first(self, ctx: Ctx, word: str, lookup: Lookup, domain: str, **values: str) -> Any:
        """Return the first row of a statement; None when there is none or the database does not answer."""
        if self.use_domain:
            values["domain"] = domain
        try:
            if not self._is_open:
                spec = self.uris if self.use_uri_table else _USERS
                await open_tables(self.env, self.db_url, {self._table: spec}, "uri")
                self._is_open = True
            return await first_row(self.env.sql(self.db_url), lookup, values)
        except (ModuleError, StoreError) as error:
            self.env.log.error("%s: %s call_id=%s", word, error, ctx.msg.call_id)
            return None

    def _identity(self, ctx: Ctx, word: str) -> Any:
        """Return the credentials that were accepted, None with a complaint when there are none."""
        given = self.auth.identity(ctx) if self.auth is not None else None
        if given is None:
            self.complain("uri:", "%s without an authorized user: call www_authorize or proxy_authorize first", word)
        return given

    @function("Q")
    def is_user(self, ctx: Ctx, name: str) -> bool:
        """Say whether a user is the one that authenticated."""
        given = self._identity(ctx, "is_user")
        return given is not None and name in (given.name, given.user)

    @function("Q", aliases=("check_to",))
    async def db_check_to(self, ctx: Ctx) -> bool:
        """Say whether the user of To is the one that authenticated, or one that it may use."""
        return self._checked(await self._same_user(ctx, "db_check_to", ctx.msg.to.uri.user))

    @function("Q", aliases=("check_from",))
    async def db_check_from(self, ctx: Ctx) -> bool:
        """Say whether the user of From is the one that authenticated, or one that it may use."""
        return self._checked(await self._same_user(ctx, "db_check_from", ctx.msg.from_.uri.user))

    async def _same_user(self, ctx: Ctx, word: str, user: str) -> bool:
        given = self._identity(ctx, word)
        if given is None or not user:
            return False
        if not self.use_uri_table:
            return bool(given.user.lower() == user.lower())
        return await self._first(ctx, word, self._may, self.auth.domain_of(given), user=given.user,
                                 uri_user=user) is not None

    @function("QL", aliases=("does_uri_exist",))
    async def db_does_uri_exist(self, ctx: Ctx) -> bool:
        """Say whether the user of the R-URI is in the table of users, or of URIs (use_uri_table)."""
        try:
            uri = parse_uri(ctx.ruri or "")
        except ParseError:
            return False
        return self._checked(bool(uri.user) and await self._first(ctx, "db_does_uri_exist", self._exists, uri.host,
                                                                  uri_user=uri.user) is not None)

    @function("QFL", aliases=("get_auth_id",))
    async def db_get_auth_id(self, ctx: Ctx, uri: str, auth: Var, realm: Var) -> int:
        """Find the authentication name and realm of a URI in the table of URIs (use_uri_table), or of users."""
        try:
            found = parse_uri(uri)
        except ParseError:
            return -1
        row = await self._first(ctx, "db_get_auth_id", self._auth_id, found.host, uri_user=found.user)
        if row is None:
            return -1
        return 1 if auth.set(ctx, str(row[self.user_column])) and realm.set(ctx, str(row[self.domain_column])) else -1

    @function("QL")
    def aaa_does_uri_exist(self, ctx: Ctx, uri: str | None = None) -> int:
        """Ask AAA for a URI; -1, as there is no module for AAA yet."""
        return self._no_aaa("aaa_does_uri_exist")

    @function("QL", aliases=("does_uri_user_exist",))
    def aaa_does_uri_user_exist(self, ctx: Ctx, user: str | None = None) -> int:
        """Ask AAA for a user; -1, as there is no module for AAA yet."""
        return self._no_aaa("aaa_does_uri_user_exist")

    def _no_aaa(self, word: str) -> int:
        self.complain("uri:", "%s fails: %s", word, _NO_AAA)
        return -1
