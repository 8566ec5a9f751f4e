"""Words on URIs of 1.x and 2.x, spread over other modules since 3.0; kept for old scripts.

The look-ups in AAA answer -1 with a log line: they come with auth_aaa.
"""
from __future__ import annotations

import logging
from typing import Any

from osip.api import (
    Ctx,
    Module,
    ParseError,
    StoreError,
    UriWords,
    Var,
    find_credentials,
    function,
    param,
    parse_uri,
    stat,
)

_log = logging.getLogger("osip.uri")


class Uri(UriWords, Module):
    """Words on URIs of old scripts."""
    aaa_url = param("", doc="AAA server; kept for old scripts.")
    service_type = param(-1, doc="AAA service type; kept for old scripts.")
    use_sip_uri_host = param(0, doc="Send the host to AAA too; kept for old scripts.")
    db_url = param("", doc="Database; without it db_default_url, else an SQLite file.")
    db_table = param("subscriber", doc="Table of users, or of URIs when use_uri_table is 1.")
    user_column = param("username", doc="Column of the user.")
    domain_column = param("domain", doc="Column of the domain.")
    uriuser_column = param("uri_user", doc="Column of the URI's user.")
    use_uri_table = param(0, doc="1: db_check_to and db_check_from look for the URI's user in db_table.")
    use_domain = param(0, doc="1: look for user and domain, not for the user alone.")
    positive_checks = stat("Checks that succeeded.", name="positive checks")
    negative_checks = stat("Checks that failed.")

    def mod_init(self) -> None:
        """Build the statements."""
        import sqlalchemy as sa

        names = (self.user_column, self.domain_column, self.uriuser_column)
        tab = sa.table(self.db_table, *(sa.column(name) for name in dict.fromkeys(names)))
        by = {name: tab.c[column] == sa.bindparam(name) for name, column in zip(
            ("user", "domain", "uri_user"), names, strict=True)}
        wide = [by["domain"]] if self.use_domain else []
        self._exists = sa.select(by["user"].left).where(by["user"], *wide).limit(1)
        self._may = sa.select(by["user"].left).where(by["user"], by["uri_user"], *wide).limit(1)
        self._auth_id = sa.select(by["user"].left.label("username"), by["domain"].left.label("domain")).where(
            by["uri_user"], *wide).limit(1)

    def _checked(self, good: bool) -> bool:
        if good:
            self.positive_checks += 1
        else:
            self.negative_checks += 1
        return good

    async def _first(self, ctx: Ctx, word: str, statement: Any, domain: str, **values: str) -> Any:
        """Return the first row of a statement; None when there is none or the database does not answer."""
        if self.use_domain:
            values["domain"] = domain
        try:
            rows = await self.env.sql(self.db_url).fetch(statement, values)
        except StoreError as error:
            _log.error("%s: %s call_id=%s", word, error, ctx.msg.call_id)
            return None
        return rows[0] if rows else None

    @function("Q")
    def is_user(self, ctx: Ctx, name: str) -> bool:
        """Say whether the credentials of the request are those of a user."""
        credentials = find_credentials(ctx.msg)
        return credentials is not None and credentials.get("username", "") == name

    @function("Q", aliases=("check_to",))
    async def db_check_to(self, ctx: Ctx) -> bool:
        """Say whether the user of To is the one that authenticated, or one that it may use."""
        return self._checked(await self._same_user(ctx, "db_check_to", ctx.msg.to.uri.user))

    @function("Q", aliases=("check_from",))
    async def db_check_from(self, ctx: Ctx) -> bool:
        """Say whether the user of From is the one that authenticated, or one that it may use."""
        return self._checked(await self._same_user(ctx, "db_check_from", ctx.msg.from_.uri.user))

    async def _same_user(self, ctx: Ctx, word: str, user: str) -> bool:
        credentials = find_credentials(ctx.msg)
        if credentials is None or not user:
            return False
        name, _, domain = credentials.get("username", "").partition("@")
        if not self.use_uri_table:
            return name.lower() == user.lower()
        return await self._first(ctx, word, self._may, domain or credentials.get("realm"), user=name,
                                 uri_user=user) is not None

    @function("QL", aliases=("does_uri_exist",))
    async def db_does_uri_exist(self, ctx: Ctx) -> bool:
        """Say whether the user of the R-URI is in the table of users."""
        try:
            uri = parse_uri(ctx.ruri or "")
        except ParseError:
            return False
        return self._checked(await self._first(ctx, "db_does_uri_exist", self._exists, uri.host,
                                               user=uri.user) is not None)

    @function("QFL", aliases=("get_auth_id",))
    async def db_get_auth_id(self, ctx: Ctx, uri: str, auth: Var, realm: Var) -> int:
        """Find the authentication name and realm of a URI in the table of URIs."""
        try:
            found = parse_uri(uri)
        except ParseError:
            return -1
        row = await self._first(ctx, "db_get_auth_id", self._auth_id, found.host, uri_user=found.user)
        if row is None:
            return -1
        return 1 if auth.set(ctx, str(row["username"])) and realm.set(ctx, str(row["domain"])) else -1

    @function("QL")
    def aaa_does_uri_exist(self, ctx: Ctx, uri: str | None = None) -> int:
        """Ask AAA for a URI; not available in this module."""
        return _not_here("aaa_does_uri_exist", "auth_aaa")

    @function("QL", aliases=("does_uri_user_exist",))
    def aaa_does_uri_user_exist(self, ctx: Ctx, user: str | None = None) -> int:
        """Ask AAA for a user; not available in this module."""
        return _not_here("aaa_does_uri_user_exist", "auth_aaa")


def _not_here(word: str, module: str) -> int:
    _log.error("%s is not available yet; it will come with the module %s", word, module)
    return -1
