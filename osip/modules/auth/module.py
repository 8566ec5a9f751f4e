"""Challenge requests, and check the credentials that answer against passwords that others keep.

auth_db and its like call `begin`, look the user up, and call `finish` (RFC 3261 section 22, RFC 7616, RFC 8760).
"""
from __future__ import annotations

import os
from typing import Annotated, Any

from osip.api import (
    H_AUTHORIZATION,
    H_PROXY_AUTHORIZATION,
    M_ACK,
    M_CANCEL,
    M_REGISTER,
    Auth,
    Ctx,
    Module,
    Parse,
    ParseError,
    avp_name,
    digest_ha1,
    function,
    param,
    parse_auth,
    quote,
    slot,
    timer,
    verify_digest,
)
from osip.modules.auth.nonce import ALGORITHMS, QOPS, Nonces, Offer, fingerprint
from osip.modules.auth.rpid import is_e164

OK, UNKNOWN, WRONG, STALE, MISSING, FAILED = 1, -1, -2, -3, -4, -5
"""Results of every `*_authorize` word."""
_TOPIC = "auth.nonce"
_NAMES = {"md5": "MD5", "sha-256": "SHA-256", "sha-512-256": "SHA-512-256"}


def parse_qop(text: str) -> tuple[str, ...]:
    """Read `auth`, `auth-int` or both; 0 and 1 are the forms of 2.x."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if words in (["0"], ["1"]):
        return ("auth",) if words == ["1"] else ()
    for word in words:
        if word not in QOPS:
            raise ValueError(f'unknown qop "{word}": write "auth", "auth-int" or "auth,auth-int"')
    return tuple(dict.fromkeys(words))


def parse_algorithms(text: str) -> tuple[str, ...]:
    """Read a list of digest algorithms."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in ALGORITHMS:
            raise ValueError(f'unknown algorithm "{word}": known are {", ".join(_NAMES.values())}')
    return tuple(dict.fromkeys(words))


Qop = Annotated[Any, Parse(parse_qop)]
Algorithms = Annotated[Any, Parse(parse_algorithms)]


class Given:
    """Credentials of a request: which header they stand in, and the parts that everybody asks for.

    `user` and `domain` are the two halves of the username, `name` is all of it; the realm stands in for a domain.
    """
    __slots__ = ("algorithm", "at", "auth", "domain", "name", "realm", "user")

    def __init__(self, at: int, auth: Auth, realm: str) -> None:
        self.at, self.auth, self.realm = at, auth, realm
        self.name = auth.get("username")
        self.user, _, domain = self.name.partition("@")
        self.domain = domain or realm
        self.algorithm = (auth.get("algorithm").lower() or "md5").removesuffix("-sess")


class AuthModule(Module):
    """Digest authentication: nonces, challenges, checks, Remote-Party-ID."""

    secret = param("", doc="Key of the nonces; without it a random one, so that a restart makes all nonces stale.")
    nonce_expire = param(30, ge=1, doc="Seconds that a nonce is good for.")
    disable_nonce_check = param(0, ge=0, le=1, live=True,
                                doc="1: a nonce may be used again until it expires; 0: by one request only.")
    calculate_ha1 = param(0, ge=0, le=1, live=True, doc="1: password_spec is the password; 0: its HA1.")
    username_spec = param("", live=True, doc="Variable with the user name for pv_*_authorize.")
    password_spec = param("", live=True, doc="Variable with the password or HA1 for pv_*_authorize.")
    realm_prefix = param("", live=True, doc="Left out at the start of realms when they stand for domains.")
    rpid_prefix = param("", live=True, doc="Written before the rpid by append_rpid_hf().")
    rpid_suffix = param(";party=calling;id-type=subscriber;screen=yes", live=True,
                        doc="Written behind the rpid by append_rpid_hf().")
    rpid_avp = param("rpid", kind=str, parse=avp_name, live=True, doc="AVP with the rpid.")
    accepted = slot(Given)
    stale = slot(bool)

    def mod_init(self) -> None:
        """Choose the key of the nonces, the same for all workers."""
        self.nonces = Nonces(self.secret.encode("utf-8", "surrogateescape") or os.urandom(32), self.nonce_expire)
        self.env.bus.subscribe(_TOPIC, lambda used: self.nonces.mark(*used))
        self.env.bus.share(_TOPIC, self.nonces.used, lambda items: [self.nonces.mark(*item) for item in items])

    @timer("nonce_expire")
    def sweep(self) -> None:
        """Forget used nonces that have expired."""
        self.nonces.sweep(self.env.wall())

    # --- what other modules use -------------------------------------------------------------------------------------

    def begin(self, ctx: Ctx, realm: str, header: int) -> Given | int:
        """Find the credentials for a realm ("" is the request's own) and check their nonce; a result if that ends it.

        ACK and CANCEL pass: they cannot be challenged (RFC 3261 sections 22.1 and 22.3).
        """
        msg = ctx.msg
        ctx[self.stale] = False
        if not msg.is_request:
            return FAILED
        if msg.method_id in (M_ACK, M_CANCEL):
            return OK
        given = self._find(ctx, realm or own_realm(ctx), header)
        if given is None:
            return MISSING
        auth = given.auth
        if not given.user or not auth.get("response") or not auth.get("uri") or not _has_count(auth):
            return FAILED
        nonce = auth.get("nonce")
        offer = self.nonces.offer(nonce)
        if offer is None or not self.nonces.is_fresh(nonce, self.env.wall()):
            ctx[self.stale] = True
            return STALE
        return given if offer.allows(auth.get("algorithm"), auth.get("qop")) else WRONG

    def finish(self, ctx: Ctx, given: Given, ha1: str) -> int:
        """Check the response with the HA1 of the user ("" for none) and use the nonce up."""
        msg = ctx.msg
        if not ha1 or not verify_digest(given.auth, msg.method, ha1.strip().lower(), msg.body):
            return WRONG
        if not self.disable_nonce_check:
            nonce = given.auth.get("nonce")
            if self.nonces.is_used(nonce, msg.raw):
                ctx[self.stale] = True
                return STALE
            self.env.bus.publish(_TOPIC, (nonce, fingerprint(msg.raw)))
        ctx[self.accepted] = given
        return OK

    def ha1_of(self, given: Given, password: str) -> str:
        """Return the HA1 of a plain password for the algorithm of these credentials."""
        return digest_ha1(given.name, given.realm, password, given.algorithm)

    def identity(self, ctx: Ctx) -> Given | None:
        """Return the credentials that the last check accepted."""
        found: Given | None = ctx[self.accepted]
        return found

    def domain_of(self, given: Given) -> str:
        """Return the domain of credentials: of the username, else the realm without realm_prefix."""
        return given.domain.removeprefix(self.realm_prefix) if given.domain == given.realm else given.domain

    def _find(self, ctx: Ctx, realm: str, header: int) -> Given | None:
        msg = ctx.msg
        for at in msg.find_all(header):
            try:
                auth = parse_auth(msg.value(at))
            except ParseError:
                continue
            if auth.is_digest and auth.get("realm") == realm:
                return Given(at, auth, realm)
        return None

    # --- script functions -------------------------------------------------------------------------------------------

    @function("Q")
    def www_challenge(self, ctx: Ctx, realm: str, qop: Qop = (), algorithms: Algorithms = ()) -> int:
        """Answer 401 with a challenge for each algorithm; ends the script. -1 when nothing could be sent."""
        return self._challenge(ctx, 401, "Unauthorized", "WWW-Authenticate", realm, qop, algorithms)

    @function("Q")
    def proxy_challenge(self, ctx: Ctx, realm: str, qop: Qop = (), algorithms: Algorithms = ()) -> int:
        """Answer 407 with a challenge for each algorithm; ends the script. -1 when nothing could be sent."""
        return self._challenge(ctx, 407, "Proxy Authentication Required", "Proxy-Authenticate", realm, qop, algorithms)

    @function("Q")
    def pv_www_authorize(self, ctx: Ctx, realm: str) -> int:
        """Check Authorization against the variables username_spec and password_spec."""
        return self._check_variables(ctx, realm, H_AUTHORIZATION)

    @function("Q")
    def pv_proxy_authorize(self, ctx: Ctx, realm: str) -> int:
        """Check Proxy-Authorization against the variables username_spec and password_spec."""
        return self._check_variables(ctx, realm, H_PROXY_AUTHORIZATION)

    @function("Q")
    def consume_credentials(self, ctx: Ctx) -> int:
        """Remove the header whose credentials the last check accepted; -1 when there was none."""
        given = self.identity(ctx)
        if given is None:
            return 1 if ctx.msg.method_id in (M_ACK, M_CANCEL) else -1
        return 1 if ctx.edit.remove_header_at(given.at) else -1

    @function("Q")
    def is_rpid_user_e164(self, ctx: Ctx) -> bool:
        """Say whether the user of the saved rpid is an international number."""
        text = self._rpid(ctx)
        return text is not None and is_e164(text)

    @function("QBF")
    def append_rpid_hf(self, ctx: Ctx, prefix: str | None = None, suffix: str | None = None) -> int:
        """Add a Remote-Party-ID header with the saved rpid; -1 when there is none."""
        text = self._rpid(ctx)
        if text is None:
            return -1
        before = self.rpid_prefix if prefix is None else prefix
        ctx.edit.append_hf(f"Remote-Party-ID: {before}{text}{self.rpid_suffix if suffix is None else suffix}\r\n")
        return 1

    def _rpid(self, ctx: Ctx) -> str | None:
        values = (ctx.avps or {}).get(self.rpid_avp)
        return str(values[-1]) if values and values[-1] != "" else None

    def _challenge(self, ctx: Ctx, code: int, reason: str, header: str, realm: str, qops: tuple[str, ...],
                   algorithms: tuple[str, ...]) -> int:
        msg = ctx.msg
        if not msg.is_request or msg.method_id in (M_ACK, M_CANCEL):
            return -1
        offer = Offer(algorithms or ("md5",), qops)
        nonce = self.nonces.make(self.env.wall(), offer)
        text = f"{header}: Digest realm={quote(realm or own_realm(ctx))}, nonce=\"{nonce}\""
        if qops:
            text += f', qop="{",".join(qops)}"'
        if ctx[self.stale]:
            text += ", stale=true"
        lines = [f"{text}, algorithm={_NAMES[name]}\r\n" for name in algorithms] or [f"{text}\r\n"]
        before = ctx.reply_edits
        ctx.reply_edits = [*(before or ()), *(line.encode("utf-8", "surrogateescape") for line in lines)]
        sent = self.env.reply(ctx, code, reason)
        ctx.reply_edits = before
        return 0 if sent > 0 else -1

    def _check_variables(self, ctx: Ctx, realm: str, header: int) -> int:
        if not self.username_spec or not self.password_spec:
            self.env.log.error("auth: pv_*_authorize needs the parameters username_spec and password_spec")
            return FAILED
        given = self.begin(ctx, realm, header)
        if not isinstance(given, Given):
            return given
        variable = self.env.program.variable
        user, password = variable(self.username_spec).get(ctx), variable(self.password_spec).get(ctx)
        if user is None or password is None or str(user) not in (given.name, given.user):
            return UNKNOWN
        return self.finish(ctx, given, self.ha1_of(given, str(password)) if self.calculate_ha1 else str(password))


def own_realm(ctx: Ctx) -> str:
    """Return the realm of a request that the script names none for: the host of To in a REGISTER, else of From."""
    msg = ctx.msg
    return str((msg.to if msg.method_id == M_REGISTER else msg.from_).uri.host)


def _has_count(auth: Auth) -> bool:
    """Say whether credentials with a qop have the cnonce and eight-digit nonce count that go with it (RFC 7616)."""
    if not auth.get("qop"):
        return True
    count = auth.get("nc")
    try:
        return len(count) == 8 and int(count, 16) > 0 and bool(auth.get("cnonce"))
    except ValueError:
        return False
