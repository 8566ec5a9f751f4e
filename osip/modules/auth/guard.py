"""Check the credentials of requests and write the challenges that ask for them: what the packet path needs of auth."""
from __future__ import annotations

from typing import Any, Final

from osip.api import M_ACK, M_CANCEL, M_REGISTER, Auth, Ctx, quote, verify_digest
from osip.modules.auth.nonce import Nonces, Offer

OK: Final = 1
WRONG: Final = -2
STALE: Final = -3
MISSING: Final = -4
FAILED: Final = -5
FREELY: Final = 0
ONCE: Final = 1
COUNTED: Final = 2
"""How often a nonce may be used until it expires: as often as one likes, once, each time with a higher nonce count."""
TOPIC: Final = "auth.nonce"
"""Under which workers tell each other of nonces that were used."""
NAMES: Final = {"md5": "MD5", "sha-256": "SHA-256", "sha-512-256": "SHA-512-256"}


class Given:
    """Credentials of a request: which header they stand in, and the parts that everybody asks for.

    `user` and `domain` are the two halves of the username, `name` is all of it; the realm stands in for a domain.
    """
    __slots__ = ("algorithm", "at", "auth", "domain", "name", "realm", "user")

    def __init__(self, at: int, auth: Auth, realm: str) -> None:
        self.at, self.auth, self.realm = at, auth, realm
        self.name = auth.get("username")
        self.user, self.domain = self.name, realm
        if "@" in self.name:
            user, _, domain = self.name.partition("@")
            self.user, self.domain = user, domain or realm
        algorithm = auth.get("algorithm")
        self.algorithm = "md5" if algorithm == "MD5" else (algorithm.lower() or "md5").removesuffix("-sess")


class Form:
    """What challenges with the same offer share; `tails` has an end for the header of each algorithm."""
    __slots__ = ("offer", "qop", "tails")

    def __init__(self, qops: tuple[str, ...], algorithms: tuple[str, ...]) -> None:
        self.offer = Offer(algorithms or ("md5",), qops)
        self.qop = f', qop="{",".join(qops)}"' if qops else ""
        self.tails = [f", algorithm={NAMES[name]}\r\n" for name in algorithms] or ["\r\n"]


class Start:
    """How the challenges of one realm begin, up to the nonce; `form` is how they go on."""
    __slots__ = ("algorithms", "form", "header", "qops", "realm", "text")

    def __init__(self, header: str, realm: str, qops: Any, algorithms: Any, form: Form) -> None:
        self.header, self.realm, self.qops, self.algorithms, self.form = header, realm, qops, algorithms, form
        self.text = f'{header}: Digest realm={quote(realm)}, nonce="'


class Guard:
    """Challenges requests and checks their credentials.

    `stale` and `accepted` are the places in a context for what the last check found: a nonce that is no longer good,
    and the credentials that passed.
    """
    __slots__ = ("_accepted", "_bus", "_forms", "_last", "_nonces", "_stale")

    def __init__(self, nonces: Nonces, bus: Any, stale: Any, accepted: Any) -> None:
        self._nonces, self._bus, self._stale, self._accepted = nonces, bus, stale, accepted
        self._forms: dict[Any, Form] = {}           # at most one for each list of algorithms and qop values
        self._last: Start | None = None             # of the last challenge: nearly always that of the next one, too

    def begin(self, ctx: Ctx, realm: str, header: int, now: float) -> Any:
        """Find the credentials for a realm ("" is the request's own) and check their nonce; a result if that ends it.

        ACK and CANCEL pass: they cannot be challenged (RFC 3261 sections 22.1 and 22.3).
        """
        msg: Any = ctx.msg
        if ctx[self._stale]:
            ctx[self._stale] = False
        if not msg.is_request:
            return FAILED
        if msg.method_id in (M_ACK, M_CANCEL):
            return OK
        given = _find(msg, realm or own_realm(msg), header)
        if given is None:
            return MISSING
        auth = given.auth
        if not given.user or not auth.get("response") or not auth.get("uri") or _count(auth) < 0:
            return FAILED
        nonce = auth.get("nonce")
        offer = self._nonces.offer(nonce)
        if offer is None or not self._nonces.is_fresh(nonce, now):
            ctx[self._stale] = True
            return STALE
        return given if offer.allows(auth.get("algorithm"), auth.get("qop")) else WRONG

    def finish(self, ctx: Ctx, given: Given, ha1: str, use: int) -> int:
        """Check the response with the HA1 of the user ("" for none), then whether the nonce may be used (`ONCE`...).

        In this order nobody without the password uses a nonce up or drives its count on.
        """
        msg: Any = ctx.msg
        auth = given.auth
        body: bytes = msg.body if auth.get("qop").lower() == "auth-int" else b""
        if not ha1 or not verify_digest(auth, msg.method, ha1.strip().lower(), body):
            return WRONG
        if use != FREELY:
            nonce, mark = auth.get("nonce"), self._nonces.fingerprint(msg.raw)
            count = _count(auth) if use == COUNTED else 0       # without qop there is none: such a nonce serves once
            if self._nonces.is_used(nonce, mark, count):
                ctx[self._stale] = True
                return STALE
            self._nonces.mark(nonce, mark, count)
            self._bus.others(TOPIC, (nonce, mark, count))
        ctx[self._accepted] = given
        return OK

    def challenge(self, ctx: Ctx, header: str, realm: str, qops: tuple[str, ...], algorithms: tuple[str, ...],
                  now: float) -> list[bytes]:
        """Return a header line for each algorithm that is offered; "" is the request's own realm."""
        if not realm:
            realm = own_realm(ctx.msg)
        start = self._last
        if start is None or start.realm != realm or start.header != header or start.qops is not qops \
                or start.algorithms is not algorithms:
            form = self._forms.get((qops, algorithms))
            if form is None:
                form = self._forms[qops, algorithms] = Form(qops, algorithms)
            start = self._last = Start(header, realm, qops, algorithms, form)
        form = start.form
        nonce = self._nonces.make(now, form.offer)
        text = start.text + nonce + '"' + form.qop
        if ctx[self._stale]:
            text += ", stale=true"
        return [(text + tail).encode("utf-8", "surrogateescape") for tail in form.tails]


def own_realm(msg: Any) -> str:
    """Return the realm of a request that the script names none for: the host of To in a REGISTER, else of From."""
    return str((msg.to if msg.method_id == M_REGISTER else msg.from_).uri.host)


def _find(msg: Any, realm: str, header: int) -> Given | None:
    entries: list[tuple[int, int, Auth | None]] = msg.credentials
    for number, at, auth in entries:
        if number == header and auth is not None and auth.get("realm") == realm and auth.is_digest:
            return Given(at, auth, realm)
    return None


def _count(auth: Auth) -> int:
    """Return the nonce count of credentials: 0 without qop, -1 when the eight digits or the cnonce are missing.

    With a qop they must be there (RFC 7616 section 3.4).
    """
    if not auth.get("qop"):
        return 0
    text = auth.get("nc")
    try:
        count = int(text, 16) if len(text) == 8 and auth.get("cnonce") else 0
    except ValueError:
        return -1
    return count if count > 0 else -1
