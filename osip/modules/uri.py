"""Words on URIs of 1.x and 2.x, spread over other modules since 3.0; kept for old scripts.

The look-ups in SQL and AAA answer -1 with a log line: load auth_db or auth_aaa for them.
"""
from __future__ import annotations

import logging

from osip.api import Ctx, Module, UriWords, Var, find_credentials, function, param, stat

_log = logging.getLogger("osip.uri")


class Uri(UriWords, Module):
    """Words on URIs of old scripts."""
    aaa_url = param("", doc="AAA server; kept for old scripts.")
    service_type = param(-1, doc="AAA service type; kept for old scripts.")
    use_sip_uri_host = param(0, doc="Send the host to AAA too; kept for old scripts.")
    db_url = param("", doc="Database; kept for old scripts.")
    db_table = param("subscriber", doc="Table of users; kept for old scripts.")
    user_column = param("username", doc="Column of the user.")
    domain_column = param("domain", doc="Column of the domain.")
    uriuser_column = param("uri_user", doc="Column of the URI's user.")
    use_uri_table = param(0, doc="Use the table uri; kept for old scripts.")
    use_domain = param(0, doc="Compare domains too; kept for old scripts.")
    positive_checks = stat("Checks that succeeded.", name="positive checks")
    negative_checks = stat("Checks that failed.")

    def _checked(self, good: bool) -> bool:
        if good:
            self.positive_checks += 1
        else:
            self.negative_checks += 1
        return good

    @function("Q")
    def is_user(self, ctx: Ctx, name: str) -> bool:
        """Say whether the credentials of the request are those of a user."""
        credentials = find_credentials(ctx.msg)
        return credentials is not None and credentials.get("username", "") == name

    @function("Q", aliases=("check_to",))
    def db_check_to(self, ctx: Ctx) -> bool:
        """Say whether the user of To is the one that authenticated."""
        return self._checked(self._same_user(ctx, ctx.msg.to.uri.user))

    @function("Q", aliases=("check_from",))
    def db_check_from(self, ctx: Ctx) -> bool:
        """Say whether the user of From is the one that authenticated."""
        return self._checked(self._same_user(ctx, ctx.msg.from_.uri.user))

    def _same_user(self, ctx: Ctx, user: str) -> bool:
        credentials = find_credentials(ctx.msg)
        if credentials is None:
            return False
        if self.use_uri_table:
            _log.error("use_uri_table is not supported: users are compared by name")
        return bool(user) and credentials.get("username", "").partition("@")[0].lower() == user.lower()

    @function("QL", aliases=("does_uri_exist",))
    def db_does_uri_exist(self, ctx: Ctx) -> int:
        """Look the R-URI's user up in SQL; not available in this module."""
        return _not_here("db_does_uri_exist", "auth_db")

    @function("QFL", aliases=("get_auth_id",))
    def db_get_auth_id(self, ctx: Ctx, uri: str, auth: Var, realm: Var) -> int:
        """Look the authentication name of a URI up in SQL; not available in this module."""
        return _not_here("db_get_auth_id", "auth_db")

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
