"""Check digest credentials against a table of users, and say which URIs a user may use."""
from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from osip.api import (
    H_AUTHORIZATION,
    H_PROXY_AUTHORIZATION,
    Ctx,
    Env,
    Lookup,
    Module,
    ParseError,
    StoreError,
    Uri,
    Var,
    check_version,
    first_row,
    function,
    needs,
    open_tables,
    param,
    parse_uri,
    table,
)
from osip.modules.auth_db.query import auth_id_row, parse_credentials, uri_row, user_row

UNKNOWN, WRONG, FAILED = -1, -2, -5


class AuthDb(Module):
    """Digest authentication against a table."""

    db_url = param("", doc="Database of the users; without it db_default_url, else an SQLite file.")
    service_type = param(-1, kind=(int, str), removed="it belonged to RADIUS: use_auth_aaa of later versions")
    calculate_ha1 = param(0, ge=0, le=1, doc="1: password_column holds passwords; 0: it holds the HA1 of MD5.")
    password_column = param("ha1", doc="Column of the HA1, or of the password (calculate_ha1).")
    hash_column_sha256 = param("ha1_sha256", doc="Column of the HA1 of SHA-256.")
    hash_column_sha512t256 = param("ha1_sha512t256", doc="Column of the HA1 of SHA-512-256.")
    password_column_2 = param("", removed="the HA1 with the domain in the username is not used")
    use_domain = param(1, ge=0, le=1, doc="Look for user and domain, not for the user alone.")
    load_credentials = param((), kind=str, parse=parse_credentials,
                             doc="Columns that go into AVPs: `$avp(x)=column;column2`.")
    skip_version_check = param(0, ge=0, le=1, doc="Do not compare versions of tables.")
    user_column = param("username", doc="Column of the user.")
    domain_column = param("domain", doc="Column of the domain.")
    uri_user_column = param("username", doc="Column of the authentication name in tables of URIs.")
    uri_domain_column = param("domain", doc="Column of its domain there.")
    uri_uriuser_column = param("uri_user", doc="Column of the URI's user there.")
    subscriber = table("subscriber", 8, "username char(64)='', domain char(64)='', password char(25)='', "
                       "ha1 char(64)='', ha1_sha256 char(64)='', ha1_sha512t256 char(64)=''",
                       unique="username,domain")
    uris = table("uri", 2, "username char(64)='', domain char(64)='', uri_user char(64)='', "
                 "last_modified dt=1900-01-01 00:00:01", unique="username,domain,uri_user")
    auth = needs("auth")

    def mod_init(self) -> None:
        """Start with no statement built and no table looked at."""
        self._lookups: dict[tuple[str, ...], Lookup] = {}
        self._checked: set[str] = set()
        self._columns = {"md5": self.password_column, "sha-256": self.hash_column_sha256,
                         "sha-512-256": self.hash_column_sha512t256}
        self._by_domain = self.domain_column if self.use_domain else ""
        self._by_uri_domain = self.uri_domain_column if self.use_domain else ""

    async def child_init(self, env: Env) -> None:
        """Make the tables of the embedded database, check that of the users in another one."""
        if self.skip_version_check:
            return
        specs = {"subscriber": self.subscriber}
        if not self.db_url and not env.config.db_default_url:
            specs["uri"] = self.uris
        await open_tables(env, self.db_url, specs, "auth_db")
        self._checked.update(specs)

    # --- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, spec: Any, key: tuple[str, ...], build: Callable[[], Any], values: dict[str, str]
             ) -> Coroutine[Any, Any, Any]:
        """Ask for the first row of a statement, made by `build()` at its first use; None when there is no row."""
        lookup = self._lookups.get(key)
        if lookup is None or key[1] not in self._checked:
            return self._ask_first(spec, key, build, values)
        return first_row(self.env.sql(self.db_url), lookup, values)

    async def _ask_first(self, spec: Any, key: tuple[str, ...], build: Callable[[], Any], values: dict[str, str]
                         ) -> Any:
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = Lookup(build())
        name, sql = key[1], self.env.sql(self.db_url)
        if name not in self._checked:
            if not self.skip_version_check:
                await check_version(sql, spec, name, self.env.config.db_version_table)
            self._checked.add(name)
        return await first_row(sql, lookup, values)

    def _failed(self, ctx: Ctx, word: str, error: StoreError) -> None:
        self.env.log.error("auth_db: %s: %s call_id=%s", word, error, ctx.msg.call_id)

    def _user(self, table: str, columns: list[str], user: str, domain: str) -> Coroutine[Any, Any, Any]:
        values = {"user": user, "domain": domain} if self._by_domain else {"user": user}
        return self._ask(self.subscriber, ("user", table, *columns),
                         lambda: user_row(table, self.user_column, self._by_domain, columns), values)

    async def _authorize(self, ctx: Ctx, realm: str, table: str, header: int) -> int:
        given = self.auth.begin(ctx, realm, header)
        if isinstance(given, int):
            return given
        column = self.password_column if self.calculate_ha1 else self._columns[given.algorithm]
        columns = [column, *(name for _, name in self.load_credentials)]
        try:
            row = await self._user(table, columns, given.user, self.auth.domain_of(given))
        except StoreError as error:
            self._failed(ctx, "cannot authorize", error)
            return FAILED
        if row is None:
            return UNKNOWN
        secret = str(row[column] or "")
        result: int = self.auth.finish(ctx, given, self.auth.ha1_of(given, secret) if self.calculate_ha1 else secret)
        if result > 0:
            for avp, name in self.load_credentials:
                value = row[name]
                if value is not None:
                    ctx.avp(avp).append(value if isinstance(value, int) else str(value))
        return result

    async def _may_use(self, ctx: Ctx, table: str, word: str, uri: Uri) -> int:
        given = self.auth.identity(ctx)
        if given is None:
            self.env.log.error("auth_db: %s without an authorized user: call www_authorize or proxy_authorize first",
                               word)
            return -1
        values = {"user": given.user, "uri_user": uri.user}
        if self._by_uri_domain:
            values["domain"] = self.auth.domain_of(given)
        try:
            row = await self._ask(self.uris, ("uri", table), lambda: uri_row(
                table, self.uri_user_column, self._by_uri_domain, self.uri_uriuser_column), values)
        except StoreError as error:
            self._failed(ctx, word, error)
            return FAILED
        return 1 if row is not None else -1

    # --- script functions -------------------------------------------------------------------------------------------

    @function("Q")
    async def www_authorize(self, ctx: Ctx, realm: str, table: str) -> int:
        """Check Authorization: 1, -1 unknown user, -2 wrong password, -3 stale nonce, -4 no credentials, -5 error."""
        return await self._authorize(ctx, realm, table, H_AUTHORIZATION)

    @function("Q")
    async def proxy_authorize(self, ctx: Ctx, realm: str, table: str) -> int:
        """Check Proxy-Authorization; the results are those of www_authorize."""
        return await self._authorize(ctx, realm, table, H_PROXY_AUTHORIZATION)

    @function("QFL")
    async def db_does_uri_exist(self, ctx: Ctx, uri: str, table: str) -> int:
        """Say whether the user of a URI is in a table of users."""
        try:
            found = parse_uri(uri)
            row = await self._user(table, [self.user_column], found.user, found.host)
        except ParseError:
            return -1
        except StoreError as error:
            self._failed(ctx, "db_does_uri_exist", error)
            return FAILED
        return 1 if row is not None else -1

    @function("Q")
    async def db_is_to_authorized(self, ctx: Ctx, table: str) -> int:
        """Say whether the authorized user may use the user of To, by a table of URIs."""
        return await self._may_use(ctx, table, "db_is_to_authorized", ctx.msg.to.uri)

    @function("Q")
    async def db_is_from_authorized(self, ctx: Ctx, table: str) -> int:
        """Say whether the authorized user may use the user of From, by a table of URIs."""
        return await self._may_use(ctx, table, "db_is_from_authorized", ctx.msg.from_.uri)

    @function("QFL")
    async def db_get_auth_id(self, ctx: Ctx, table: str, uri: str, auth: Var, realm: Var) -> int:
        """Find the authentication name and realm of a URI in a table of URIs."""
        try:
            row = await self._ask(self.uris, ("id", table), lambda: auth_id_row(
                table, self.uri_user_column, self.uri_domain_column, self.uri_uriuser_column),
                {"uri_user": parse_uri(uri).user})
        except ParseError:
            return -1
        except StoreError as error:
            self._failed(ctx, "db_get_auth_id", error)
            return FAILED
        if row is None:
            return -1
        return 1 if auth.set(ctx, str(row[self.uri_user_column])) and realm.set(
            ctx, str(row[self.uri_domain_column])) else -1
