"""Challenge requests, and check the credentials that answer against passwords that others keep.

auth_db and its like call `begin`, look the user up, and call `finish` (RFC 3261 section 22, RFC 7616, RFC 8760).
"""
from __future__ import annotations

import os
from typing import Annotated, Any

from osip.api import (
    M_ACK,
    M_CANCEL,
    Ctx,
    Env,
    Module,
    Parse,
    avp_name,
    digest_ha1,
    function,
    param,
    slot,
    timer,
)
from osip.modules.auth.guard import NAMES, TOPIC, Given, Guard
from osip.modules.auth.nonce import ALGORITHMS, QOPS, Nonces
from osip.modules.auth.rpid import is_e164
from osip.modules.auth.words import Words


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
            raise ValueError(f'unknown algorithm "{word}": known are {", ".join(NAMES.values())}')
    return tuple(dict.fromkeys(words))


Qop = Annotated[Any, Parse(parse_qop)]
Algorithms = Annotated[Any, Parse(parse_algorithms)]


class AuthModule(Module):
    """Digest authentication: nonces, challenges, checks, Remote-Party-ID."""

    secret = param("", doc="Key of the nonces; without it a random one, so that a restart makes all nonces stale.")
    nonce_expire = param(30, ge=1, doc="Seconds that a nonce is good for.")
    disable_nonce_check = param(0, ge=0, le=1, live=True, doc="0: a nonce is good for one request; the next one is "
                                "challenged again, whatever its nonce count. 1: for any number, until it expires.")
    check_nonce_count = param(0, ge=0, le=1, live=True, doc="Of osip's own, for disable_nonce_check 1. 1: a nonce is used "
                              "again only with a higher nonce count (nc) than before, so no request can be sent twice; "
                              "without qop it is good for one. 0: the nonce count is not compared.")
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
        self.guard = Guard(self.nonces, self.env.bus, self.stale, self.accepted)
        self.words = words = Words(self, self.guard)
        # What scripts and other modules take from this object they then call without a step in between.
        self.begin, self.finish = words.begin, words.finish
        self.www_challenge, self.proxy_challenge = words.www_challenge, words.proxy_challenge
        self.pv_www_authorize, self.pv_proxy_authorize = words.pv_www_authorize, words.pv_proxy_authorize
        self.env.bus.subscribe(TOPIC, lambda used: self.nonces.mark(*used))
        self.env.bus.share(TOPIC, self.nonces.used, lambda items: [self.nonces.mark(*item) for item in items])

    async def child_init(self, env: Env) -> None:
        """Make nonces of random bits that no other worker has."""
        self.nonces.renew()

    @timer("nonce_expire")
    def sweep(self) -> None:
        """Forget used nonces that have expired."""
        self.nonces.sweep(self.env.wall())

    # --- what other modules use -------------------------------------------------------------------------------------

    def begin(self, ctx: Ctx, realm: str, header: int) -> Given | int:
        """Find the credentials for a realm ("" is the request's own) and check their nonce; a result if that ends it.

        ACK and CANCEL pass: they cannot be challenged (RFC 3261 sections 22.1 and 22.3).
        """
        found: Given | int = self.words.begin(ctx, realm, header)
        return found

    def finish(self, ctx: Ctx, given: Given, ha1: str) -> int:
        """Check the response with the HA1 of the user ("" for none) and use the nonce up."""
        return self.words.finish(ctx, given, ha1)

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

    # --- script functions -------------------------------------------------------------------------------------------

    @function("Q")
    def www_challenge(self, ctx: Ctx, realm: str, qop: Qop = (), algorithms: Algorithms = ()) -> int:
        """Answer 401 with a challenge for each algorithm; ends the script. -1 when nothing could be sent."""
        return self.words.www_challenge(ctx, realm, qop, algorithms)

    @function("Q")
    def proxy_challenge(self, ctx: Ctx, realm: str, qop: Qop = (), algorithms: Algorithms = ()) -> int:
        """Answer 407 with a challenge for each algorithm; ends the script. -1 when nothing could be sent."""
        return self.words.proxy_challenge(ctx, realm, qop, algorithms)

    @function("Q")
    def pv_www_authorize(self, ctx: Ctx, realm: str) -> int:
        """Check Authorization against the variables username_spec and password_spec."""
        return self.words.pv_www_authorize(ctx, realm)

    @function("Q")
    def pv_proxy_authorize(self, ctx: Ctx, realm: str) -> int:
        """Check Proxy-Authorization against the variables username_spec and password_spec."""
        return self.words.pv_proxy_authorize(ctx, realm)

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
