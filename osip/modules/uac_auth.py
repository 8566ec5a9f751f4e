"""Keep the credentials that answer the digest challenges of others (RFC 3261 section 22, RFC 7616, RFC 8760)."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from osip.api import (H_AUTHORIZATION, H_PROXY_AUTHENTICATE, H_PROXY_AUTHORIZATION, H_WWW_AUTHENTICATE, Auth,
                      Complaint, Ctx, Message, Module, ModuleError, ParseError, Request, Response, answer_challenge,
                      avp_name, digest_ha1, is_known_algorithm, param, parse_auth, splice)

ANSWERED_BY = {H_WWW_AUTHENTICATE: H_AUTHORIZATION, H_PROXY_AUTHENTICATE: H_PROXY_AUTHORIZATION}
"""Header of a challenge -> header of the credentials."""
_NAMES = {H_AUTHORIZATION: "Authorization", H_PROXY_AUTHORIZATION: "Proxy-Authorization"}


class Credential:
    """A user name and password for one realm."""
    __slots__ = ("user", "realm", "password")

    def __init__(self, user: str, realm: str, password: str) -> None:
        self.user, self.realm, self.password = user, realm, password


class Answer:
    """Credentials that answer one challenge, computed for each copy of a request as it leaves.

    `header` is the id of the header that they go into, `count` the nonce count. An instance is a late edit: called
    with the outgoing copy it returns the header line for that copy's request-URI and body.
    """
    __slots__ = ("header", "challenge", "credential", "count", "cnonce")

    def __init__(self, header: int, challenge: Auth, credential: Credential, count: int, cnonce: str) -> None:
        self.header, self.challenge, self.credential = header, challenge, credential
        self.count, self.cnonce = count, cnonce

    def line(self, method: str, uri: str, body: bytes = b"") -> bytes:
        """Return the header line for a request of this method, URI and body."""
        mine, challenge = self.credential, self.challenge
        ha1 = digest_ha1(mine.user, mine.realm, mine.password, challenge.get("algorithm"))
        auth = answer_challenge(challenge, mine.user, ha1, method, uri, self.cnonce, self.count, body)
        return f"{_NAMES[self.header]}: {auth}\r\n".encode("utf-8", "surrogateescape")

    def __call__(self, out: Any) -> bytes:
        msg: Request = out.ctx.msg
        uri = out.target.uri if out.target.uri is not None else msg.ruri
        body = b"" if "auth-int" not in self.challenge.get("qop").lower() else body_as_sent(out.ctx)
        return self.line(msg.method, uri, body)


class UacAuth(Module):
    """Credentials for uac, b2b and registrations."""

    credential = param(None, kind=str, multiple=True, parse=lambda text: parse_credential(text), live=True,
                       doc='`"user:realm:password"`; may be set several times.')
    auth_username_avp = param(None, kind=str, parse=avp_name, live=True, doc="AVP with the user name.")
    auth_realm_avp = param(None, kind=str, parse=avp_name, live=True, doc="AVP with the realm.")
    auth_password_avp = param(None, kind=str, parse=avp_name, live=True, doc="AVP with the password.")

    def mod_init(self) -> None:
        """Refuse half of a dynamic credential."""
        self.complain = Complaint(self.env.log, clock=lambda: self.env.now)
        given = [name for name in (self.auth_username_avp, self.auth_realm_avp, self.auth_password_avp) if name]
        if given and len(given) < 3:
            raise ModuleError("uac_auth: auth_username_avp, auth_realm_avp and auth_password_avp go together: "
                              "set all three or none")

    def get_credentials(self, realm: str, ctx: Ctx | None = None) -> Credential | None:
        """Return the credential for a realm: from the AVPs of `ctx`, else from the parameters."""
        if ctx is not None and ctx.avps and self.auth_username_avp:
            found = [ctx.avps.get(name) or [] for name in (self.auth_username_avp, self.auth_realm_avp,
                                                           self.auth_password_avp)]
            # Oldest first: the value that was set last counts.
            for user, of, password in zip(*map(reversed, found), strict=False):
                if str(of) == realm:
                    return Credential(str(user), realm, str(password))
        return next((one for one in self.credential if one.realm == realm), None)

    def answers(self, reply: Response, sent: Request, ctx: Ctx | None = None,
                algorithms: Iterable[str] = ()) -> list[Answer]:
        """Return what answers the challenges of a 401 or 407, one for each realm; empty when it cannot be answered.

        `sent` is the request that was challenged, `ctx` holds the one it was made from. A server that refuses the very
        credentials it was given gets no second try, unless it only calls their nonce stale (RFC 3261 section 22.2).
        `algorithms` are the ones allowed, in lower case; none means all. Of several challenges for a realm the first
        that can be answered is taken (RFC 8760 section 2.4).
        """
        found: list[Answer] = []
        main = H_WWW_AUTHENTICATE if reply.status == 401 else H_PROXY_AUTHENTICATE
        for number, header in ANSWERED_BY.items():
            done: set[str] = set()
            for challenge in challenges(reply, number):
                realm = challenge.get("realm")
                if realm in done or not _is_allowed(challenge, algorithms):
                    continue
                credential = self.get_credentials(realm, ctx)
                if credential is None:
                    continue
                before = _given(sent, header, realm, credential.user, ctx)
                if before is not None and challenge.get("stale").lower() != "true":
                    self.complain("uac_auth:", "credentials refused realm=%r user=%r call_id=%s", realm,
                                  credential.user, sent.call_id)
                    continue
                done.add(realm)
                found.append(Answer(header, challenge, credential, _next_count(before, challenge),
                                    self.env.ids.call_id()))        # random, as a cnonce should be
            if number == main and not done:
                return []
        return found


def parse_credential(text: str) -> Credential:
    """Read `user:realm:password`; the password may hold colons."""
    parts = text.split(":", 2)
    if len(parts) < 3 or not parts[0] or not parts[1]:
        raise ValueError('a credential is written "user:realm:password"')
    return Credential(*parts)


def challenges(msg: Message, number: int) -> list[Auth]:
    """Return the digest challenges or credentials in the headers of an id; what cannot be read is left out."""
    found = []
    for text in msg.get_all(number):
        try:
            auth = parse_auth(text)
        except ParseError:
            continue
        if auth.is_digest:
            found.append(auth)
    return found


def body_as_sent(ctx: Ctx) -> bytes:
    """Return the body of a request with the edits of its script in place."""
    msg = ctx.msg
    items = [edit for edit in ctx.edits.items if edit[0] >= msg.body_start] if ctx.edits is not None else []
    return splice(msg.raw[:msg.body_end], items)[msg.body_start:]


def _is_allowed(challenge: Auth, algorithms: Iterable[str]) -> bool:
    name = challenge.get("algorithm") or "MD5"
    if not is_known_algorithm(name) or "nonce" not in challenge.params:
        return False
    qop = [word.strip().lower() for word in challenge.get("qop").split(",") if word.strip()]
    if qop and not {"auth", "auth-int"} & set(qop):
        return False
    return not algorithms or name.lower() in algorithms


def _given(sent: Request, header: int, realm: str, user: str, ctx: Ctx | None) -> Auth | None:
    """Return our credentials in the request that was challenged; those that the client itself sent are not ours."""
    others = [str(auth) for auth in challenges(ctx.msg, header)] if ctx is not None and ctx.msg is not sent else []
    return next((auth for auth in challenges(sent, header) if auth.get("realm") == realm
                 and auth.get("username") == user and str(auth) not in others), None)


def _next_count(before: Auth | None, challenge: Auth) -> int:
    """Return the nonce count: 1 for a new nonce, one more than the last for a nonce that is used again."""
    if before is None or before.get("nonce") != challenge.get("nonce"):
        return 1
    try:
        return int(before.get("nc") or "0", 16) + 1
    except ValueError:
        return 1
