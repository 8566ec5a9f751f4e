"""Read identity and credential headers of the message as received (variables.md section 4)."""
from __future__ import annotations

from osip.api import Ctx, Module, ParseError, Value, needs, parse_name_addr, pvar, split_commas
from osip.core.sip.address import NameAddr
from osip.core.sip.auth import Auth, parse_auth
from osip.core.sip.names import (
    H_DIVERSION,
    H_PAI,
    H_PPI,
    H_PROXY_AUTHENTICATE,
    H_REFER_TO,
    H_RPID,
    H_WWW_AUTHENTICATE,
)
from osip.script.builtins.message import host_of, uri_of


def _address(ctx: Ctx, header: int) -> NameAddr | None:
    """Return the first address of a header; None when it is absent or malformed."""
    text = ctx.msg.get(header)
    if not text:
        return None
    try:
        return parse_name_addr(split_commas(text)[0])
    except ParseError:
        return None


def _uri(ctx: Ctx, header: int) -> Value:
    address = _address(ctx, header)
    return None if address is None else address.uri_text


def _auth(ctx: Ctx, *headers: int) -> Auth | None:
    """Return the first of these headers that can be read."""
    for header in headers:
        text = ctx.msg.get(header)
        if text:
            try:
                return parse_auth(text)
            except ParseError:
                continue
    return None


def _challenge(ctx: Ctx, name: str) -> Value:
    auth = _auth(ctx, H_WWW_AUTHENTICATE, H_PROXY_AUTHENTICATE)
    return None if auth is None else auth.params.get(name)


class CoreIdentity(Module):
    """Asserted identities, diversion, credentials and challenges."""
    name = "core_identity"

    # --- identities ----------------------------------------------------------------------------------------------

    @pvar("ai")
    def ai(self, ctx: Ctx) -> Value:
        """The URI of P-Asserted-Identity."""
        return _uri(ctx, H_PAI)

    @pvar("pu")
    def pu(self, ctx: Ctx) -> Value:
        """The URI of P-Preferred-Identity."""
        return _uri(ctx, H_PPI)

    @pvar("pU")
    def preferred_user(self, ctx: Ctx) -> Value:
        """The user part of P-Preferred-Identity."""
        uri = uri_of(_address(ctx, H_PPI))
        return uri and (uri.user or None)

    @pvar("pd")
    def preferred_domain(self, ctx: Ctx) -> Value:
        """The host of P-Preferred-Identity."""
        return host_of(uri_of(_address(ctx, H_PPI)))

    @pvar("pn")
    def preferred_name(self, ctx: Ctx) -> Value:
        """The display name of P-Preferred-Identity as written."""
        address = _address(ctx, H_PPI)
        return address and (address.display or None)

    @pvar("re")
    def remote_party(self, ctx: Ctx) -> Value:
        """The URI of Remote-Party-ID."""
        return _uri(ctx, H_RPID)

    @pvar("rt")
    def refer_to(self, ctx: Ctx) -> Value:
        """The URI of Refer-To."""
        return _uri(ctx, H_REFER_TO)

    @pvar("di")
    def diversion(self, ctx: Ctx) -> Value:
        """The URI of the first Diversion."""
        return _uri(ctx, H_DIVERSION)

    @pvar("dip")
    def diversion_privacy(self, ctx: Ctx) -> Value:
        """The privacy parameter of the first Diversion."""
        address = _address(ctx, H_DIVERSION)
        return address and address.param("privacy")

    @pvar("dir")
    def diversion_reason(self, ctx: Ctx) -> Value:
        """The reason parameter of the first Diversion."""
        address = _address(ctx, H_DIVERSION)
        return address and address.param("reason")

    # --- credentials ---------------------------------------------------------------------------------------------

    auth = needs("auth", optional=True)

    def _credential(self, ctx: Ctx, name: str) -> Value:
        """Return a parameter of the credentials that were accepted.

        Until then it is one of the first Authorization or, when that cannot be read, Proxy-Authorization: whoever
        compares them after the check must not be shown others that stand before those that passed it.
        """
        msg = ctx.msg
        given = self.auth.identity(ctx) if self.auth is not None and msg.is_request else None
        if given is not None:
            value: Value = given.auth.params.get(name)
            return value
        before = -1
        for number, _, auth in msg.credentials:
            if auth is not None and number != before:
                return auth.params.get(name)
            before = number
        return None

    @pvar("au")
    def au(self, ctx: Ctx) -> Value:
        """The user part of the credentials' username."""
        name = self._credential(ctx, "username")
        return str(name).partition("@")[0] if name else None

    @pvar("aU")
    def auth_username(self, ctx: Ctx) -> Value:
        """The whole username of the credentials."""
        return self._credential(ctx, "username")

    @pvar("ad")
    def auth_domain(self, ctx: Ctx) -> Value:
        """The domain part of the credentials' username."""
        name = self._credential(ctx, "username")
        return str(name).partition("@")[2] or None if name else None

    @pvar("ar")
    def auth_realm(self, ctx: Ctx) -> Value:
        """The realm of the credentials."""
        return self._credential(ctx, "realm")

    @pvar("adu")
    def auth_uri(self, ctx: Ctx) -> Value:
        """The uri of the credentials."""
        return self._credential(ctx, "uri")

    @pvar("an", aliases=("auth.nonce",))
    def auth_nonce(self, ctx: Ctx) -> Value:
        """The nonce of the credentials."""
        return self._credential(ctx, "nonce")

    @pvar("auth.resp")
    def auth_resp(self, ctx: Ctx) -> Value:
        """The response of the credentials."""
        return self._credential(ctx, "response")

    @pvar("auth.cnonce")
    def auth_cnonce(self, ctx: Ctx) -> Value:
        """The cnonce of the credentials."""
        return self._credential(ctx, "cnonce")

    @pvar("auth.opaque")
    def auth_opaque(self, ctx: Ctx) -> Value:
        """The opaque of the credentials."""
        return self._credential(ctx, "opaque")

    @pvar("auth.alg")
    def auth_alg(self, ctx: Ctx) -> Value:
        """The algorithm of the credentials."""
        return self._credential(ctx, "algorithm")

    @pvar("auth.qop")
    def auth_qop(self, ctx: Ctx) -> Value:
        """The qop of the credentials."""
        return self._credential(ctx, "qop")

    @pvar("auth.nc")
    def auth_nc(self, ctx: Ctx) -> Value:
        """The nonce count of the credentials."""
        return self._credential(ctx, "nc")

    @pvar("Au")
    def accounting_user(self, ctx: Ctx) -> Value:
        """The user to account for: that of the credentials, else that of From."""
        name = self.au(ctx)
        if name is not None:
            return name
        try:
            uri = uri_of(ctx.msg.from_)
        except ParseError:
            return None
        return uri and (uri.user or None)

    # --- challenges ----------------------------------------------------------------------------------------------

    @pvar("challenge.algorithm")
    def challenge_algorithm(self, ctx: Ctx) -> Value:
        """The algorithm of a reply's challenge."""
        return _challenge(ctx, "algorithm")

    @pvar("challenge.realm")
    def challenge_realm(self, ctx: Ctx) -> Value:
        """The realm of a reply's challenge."""
        return _challenge(ctx, "realm")

    @pvar("challenge.nonce")
    def challenge_nonce(self, ctx: Ctx) -> Value:
        """The nonce of a reply's challenge."""
        return _challenge(ctx, "nonce")

    @pvar("challenge.opaque")
    def challenge_opaque(self, ctx: Ctx) -> Value:
        """The opaque of a reply's challenge."""
        return _challenge(ctx, "opaque")

    @pvar("challenge.qop")
    def challenge_qop(self, ctx: Ctx) -> Value:
        """The qop of a reply's challenge."""
        return _challenge(ctx, "qop")

    @pvar("challenge.ik")
    def challenge_ik(self, ctx: Ctx) -> Value:
        """The integrity key of a reply's challenge (RFC 3310)."""
        return _challenge(ctx, "ik")

    @pvar("challenge.ck")
    def challenge_ck(self, ctx: Ctx) -> Value:
        """The cipher key of a reply's challenge (RFC 3310)."""
        return _challenge(ctx, "ck")
