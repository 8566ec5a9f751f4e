"""Parse and build credentials and challenges: a scheme and its parameters (RFC 3261 sections 20.7, 20.27, 20.44)."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.names import H_AUTHORIZATION, H_PROXY_AUTHORIZATION
from osip.core.sip.params import quote, unquote

if TYPE_CHECKING:
    from osip.core.sip.message import Message

_SCHEME: Final = re.compile(r"\s*([A-Za-z0-9\-.!%*_+`'~]+)(?:\s+|$)")
_PARAM: Final = re.compile(
    r"\s*([A-Za-z0-9\-.!%*_+`'~]+)\s*=\s*(\"[^\"\\]*(?:\\.[^\"\\]*)*\"|[^\s\",]*)\s*(?:,|$)", re.DOTALL)
_TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_PARAMS: Final[Any] = None if LEAF is None else LEAF.digest_params
# Written without quotes (RFC 7616 sections 3.3 and 3.4, RFC 3261 section 25.1).
_BARE: Final = frozenset(("algorithm", "stale", "nc"))


class Auth:
    """Hold credentials or a challenge: `scheme` as written, `params` by lower-case name with quotes taken off.

    What follows a scheme without parameters (a bearer token) is in `token`.
    """

    __slots__ = ("scheme", "params", "token")

    def __init__(self, scheme: str, params: Mapping[str, str] | None = None, token: str = "") -> None:
        self.scheme = scheme
        self.params: dict[str, str] = dict(params or {})
        self.token = token

    @property
    def is_digest(self) -> bool:
        """Tell whether the scheme is Digest."""
        return self.scheme.lower() == "digest"

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter by its lower-case name."""
        return self.params.get(name, default)

    def __str__(self) -> str:
        return build_auth(self.scheme, self.params, self.token)

    def __repr__(self) -> str:
        return f"Auth({str(self)!r})"


def parse_auth(text: str) -> Auth:
    """Parse the value of an Authorization, Proxy-Authorization, WWW- or Proxy-Authenticate header."""
    if _PARAMS is not None:
        plain: dict[str, str] | None = _PARAMS(text)
        if plain is not None:
            return _made("Digest", plain)
    return _parse_auth(text)


def _made(scheme: str, params: dict[str, str]) -> Auth:
    """Return an `Auth` that keeps these parameters, not a copy."""
    auth = Auth(scheme)
    auth.params = params
    return auth


def _parse_auth(text: str) -> Auth:
    found = _SCHEME.match(text)
    if found is None:
        raise ParseError("bad credentials")
    scheme = found.group(1)
    pos = found.end()
    rest = text[pos:].strip()
    if rest and scheme.lower() != "digest" and _TOKEN68.fullmatch(rest):
        return Auth(scheme, token=rest)
    quick = _plain_params(rest)
    if quick is not None:
        return _made(scheme, quick)
    params: dict[str, str] = {}
    size = len(text.rstrip())
    while pos < size:
        found = _PARAM.match(text, pos)
        if found is None:
            raise ParseError("bad credentials", offset=pos)
        name = found.group(1).lower()
        if name in params:
            raise ParseError(f"bad credentials: {name} given twice", offset=pos)
        params[name] = unquote(found.group(2))
        pos = found.end()
    return _made(scheme, params)


def _plain_params(text: str) -> dict[str, str] | None:
    """Read parameters whose values hold no comma, quote or escape; None when there is anything else among them."""
    if "\\" in text or not text.isascii():
        return None
    params: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        name, value = name.strip().lower(), value.strip()
        if not equals or not name.isalnum() or name in params:
            return None
        if value.startswith('"'):
            if len(value) < 2 or value.find('"', 1) != len(value) - 1:
                return None
            value = value[1:-1]
        elif not value.isprintable() or '"' in value or " " in value:
            return None
        params[name] = value
    return params


def build_auth(scheme: str, params: Mapping[str, str], token: str = "") -> str:
    """Write credentials or a challenge; `qop` is quoted in a challenge and bare in credentials."""
    if token:
        return f"{scheme} {token}"
    is_answer = "response" in params
    out = []
    for name, value in params.items():
        bare = name in _BARE or (name == "qop" and is_answer)
        out.append(f"{name}={value}" if bare else f"{name}={quote(value)}")
    return f"{scheme} {', '.join(out)}"


def find_credentials(msg: Message) -> Auth | None:
    """Return the credentials of a request: Authorization, else Proxy-Authorization; None when there are none.

    Nobody has checked them, and others may stand behind them: whose request it is says the module auth.
    """
    for _, _, auth in msg.credentials:
        if auth is None:
            break                       # its text tells what is wrong with it
        return auth
    text = msg.get(H_AUTHORIZATION) or msg.get(H_PROXY_AUTHORIZATION)
    return parse_auth(text) if text else None
