"""Parse, compare and rewrite SIP, SIPS and tel URIs; keep any other as it is (RFC 3261 section 19.1, RFC 3966)."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.bounds import MAX_URI
from osip.core.sip.params import Params, build_params, find_param

_SIP: Final = re.compile(
    r"([sS][iI][pP][sS]?):"
    r"(?:([^@:\s<>\"]*)(?::([^@\s<>\"]*))?@)?"
    r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.\-]+))(?::([0-9]{1,5}))?"
    r"(;[^?\s<>\"]*)?(?:\?([^\s<>\"]*))?")
_ANY: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):([^\s<>\"]+)")
_TEL: Final = re.compile(r"\+?[0-9A-Fa-f*#().\-]+")
_PLAIN: Final = re.compile(r"sip:([A-Za-z0-9._\-]+)@([A-Za-z0-9._\-]+)")
_PLACE: Final = re.compile(r"sip:[A-Za-z0-9._+\-]+@([0-9.:]+(?:;transport=[a-z]+)?)")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
# Escaped or not makes a difference for these only (RFC 3261 section 19.1.4, RFC 2396 section 2.2).
_RESERVED: Final = frozenset(";/?:@&=+$,%")
_USER_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?/")
# These make two URIs differ when only one of them has it (RFC 3261 section 19.1.4).
_DECISIVE: Final = frozenset(("transport", "user", "ttl", "method", "maddr"))


class Uri:
    """Hold the parts of a URI as received: escapes are kept, the scheme is in lower case.

    `user`, `password` and `headers` are "" when absent. `host` is without the brackets of IPv6. A tel URI has its
    number as `user`; a URI of any other scheme has everything after the colon in `opaque`. Treat it as immutable.
    """

    __slots__ = ("scheme", "user", "password", "host", "port", "params", "headers", "is_ipv6", "opaque", "_text")

    def __init__(self, scheme: str = "sip", user: str = "", password: str = "", host: str = "",
                 port: int | None = None, params: Params = (), headers: str = "", is_ipv6: bool | None = None,
                 opaque: str = "", text: str = "") -> None:
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.params = params
        self.headers = headers
        self.is_ipv6 = ":" in host if is_ipv6 is None else is_ipv6
        self.opaque = opaque
        self._text = text

    def __str__(self) -> str:
        return self._text or self.build()

    def __repr__(self) -> str:
        return f"Uri({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Uri) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def build(self) -> str:
        """Write the URI from its parts."""
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        if self.scheme == "tel":
            return f"tel:{self.user}{build_params(self.params)}"
        text = f"{self.scheme}:"
        if self.user or self.password:
            text += f"{self.user}:{self.password}@" if self.password else f"{self.user}@"
        text += self.host_port
        if self.params:
            text += build_params(self.params)
        return f"{text}?{self.headers}" if self.headers else text

    @property
    def host_port(self) -> str:
        """Return host and port as they stand in the URI, IPv6 in brackets."""
        host = f"[{self.host}]" if self.is_ipv6 else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def is_sip(self) -> bool:
        """Tell whether the scheme is sip or sips."""
        return self.scheme == "sip" or self.scheme == "sips"

    def param(self, name: str) -> str | None:
        """Return a parameter's value; "" when it has none, None when it is absent."""
        return find_param(self.params, name) if self.params else None

    def has_param(self, name: str) -> bool:
        """Tell whether a parameter is present."""
        return bool(self.params) and find_param(self.params, name) is not None

    def replace(self, **changes: Any) -> Uri:
        """Return a copy with the named parts changed; a changed host is looked at anew for IPv6."""
        parts = {name: getattr(self, name) for name in Uri.__slots__ if name != "_text"}
        if "host" in changes and "is_ipv6" not in changes:
            host = changes["host"]
            changes["host"] = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
            parts["is_ipv6"] = None
        parts.update(changes)
        return Uri(**parts)

    def with_param(self, name: str, value: str | None = None) -> Uri:
        """Return a copy in which the parameter has this value, added at the end when it was absent."""
        kept = tuple([pair for pair in self.params if pair[0].lower() != name.lower()])
        return self.replace(params=(*kept, (name, value)))

    def without_param(self, name: str) -> Uri:
        """Return a copy without the parameter."""
        return self.replace(params=tuple([pair for pair in self.params if pair[0].lower() != name.lower()]))


def _parse_uri(text: str) -> Uri:
    """Parse a URI of any scheme; raise ParseError when it is malformed."""
    if len(text) > MAX_URI:
        raise ParseError("URI too long", 414)
    found = _SIP.fullmatch(text)
    if found is None:
        return _parse_other(text)
    scheme, user, password, ipv6, host, port, params, headers = found.groups()
    if ipv6 is not None:
        _check_ipv6(ipv6)
    if scheme != "sip":
        scheme = scheme.lower()
    number = None
    if port is not None:
        number = int(port)
        if number > 65535:
            raise ParseError("bad URI: port out of range")
    return Uri(scheme, user or "", password or "", ipv6 or host, number, _uri_params(params) if params else (),
               headers or "", ipv6 is not None, "", text)


def _uri_params(text: str) -> Params:
    """Split URI parameters; nothing is quoted there (RFC 3261 section 19.1.1)."""
    out: list[tuple[str, str | None]] = []
    for part in text[1:].split(";"):
        name, equals, value = part.partition("=")
        if name:
            out.append((name, value if equals else None))
        elif equals:
            raise ParseError("bad URI: parameter without a name")
    return tuple(out)


def _check_ipv6(text: str) -> None:
    # Not a full check: an address that cannot exist fails when it is resolved. This refuses what is plainly none.
    if ":" not in text or text.count("::") > 1 or ":::" in text:
        raise ParseError("bad URI: malformed IPv6 address")


def _parse_other(text: str) -> Uri:
    """Parse a URI that is not sip or sips, or say what is wrong with one that claims to be."""
    found = _ANY.fullmatch(text)
    if found is None:
        raise ParseError("bad URI")
    scheme = found.group(1).lower()
    rest = found.group(2)
    if scheme == "sip" or scheme == "sips":
        raise ParseError("bad URI")
    if scheme == "tel":
        number, semicolon, params = rest.partition(";")
        if not _TEL.fullmatch(number):
            raise ParseError("bad tel URI")
        return Uri("tel", number, params=_uri_params(";" + params) if semicolon else (), is_ipv6=False, text=text)
    return Uri(scheme, is_ipv6=False, opaque=rest, text=text)


URI_READER: Final = None if LEAF is None else LEAF.UriReader(Uri, _parse_uri)
parse_uri: Final[Callable[[str], Uri]] = _parse_uri if URI_READER is None else URI_READER.parse


def _plain_address(text: str) -> tuple[str, str] | None:
    """Return user and host, in lower case, of a URI that is no more than `sip:user@host`; None for any other text.

    Plain are letters, digits, full stops, hyphens and underscores: nothing that could be escaped.
    """
    found = _PLAIN.fullmatch(text) if len(text) < 512 else None
    return None if found is None else (found.group(1), found.group(2).lower())


plain_address: Final[Callable[[str], tuple[str, str] | None]] = _plain_address if LEAF is None else LEAF.plain_address


def _without_user(text: str) -> str:
    """Return a URI without its user when it is no more than `sip:user@address[:port][;transport=word]`, with IPv4.

    Whoever is called there, it leads to the same place. Any other text comes back as it is.
    """
    found = _PLACE.fullmatch(text) if len(text) < 512 else None
    return text if found is None else "sip:" + found.group(1)


without_user: Final[Callable[[str], str]] = _without_user if LEAF is None else LEAF.without_user


def unescape_user(text: str) -> str:
    """Undo %HH escapes of a user part; bytes that are not UTF-8 come back as surrogates."""
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    out = re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m.group(1), 16)]), raw)
    return out.decode("utf-8", "surrogateescape")


def escape_user(text: str) -> str:
    """Escape what may not stand in a user part."""
    raw = text.encode("utf-8", "surrogateescape")
    return "".join([chr(byte) if byte in _USER_SAFE else f"%{byte:02X}" for byte in raw])


def uri_equal(a: Uri | str, b: Uri | str) -> bool:
    """Compare two URIs by the rules of RFC 3261 section 19.1.4; URIs of other schemes compare as text."""
    one = parse_uri(a) if isinstance(a, str) else a
    two = parse_uri(b) if isinstance(b, str) else b
    if one.scheme != two.scheme:
        return False
    if one.scheme == "tel":
        return _tel_key(one) == _tel_key(two)
    if one.opaque or two.opaque:
        return one.opaque == two.opaque
    return (one.port == two.port and _plain(one.user) == _plain(two.user)
            and _plain(one.password) == _plain(two.password) and _plain(one.host).lower() == _plain(two.host).lower()
            and _params_equal(one.params, two.params) and _headers(one.headers) == _headers(two.headers))


def _plain(text: str) -> str:
    """Undo escapes of characters that mean the same escaped or not; write the others in upper case."""
    if "%" not in text:
        return text

    def undo(found: re.Match[str]) -> str:
        char = chr(int(found.group()[1:], 16))
        return char if "!" <= char <= "~" and char not in _RESERVED else found.group().upper()

    return _ESCAPE.sub(undo, text)


def _params_equal(a: Params, b: Params) -> bool:
    one = {_plain(name).lower(): None if value is None else _plain(value).lower() for name, value in a}
    two = {_plain(name).lower(): None if value is None else _plain(value).lower() for name, value in b}
    for name in one.keys() | two.keys():
        if name in one and name in two:
            if one[name] != two[name]:
                return False
        elif name in _DECISIVE:
            return False
    return True


def _headers(text: str) -> list[tuple[str, str]]:
    """Return URI headers in an order that does not depend on how they were written."""
    out = []
    for part in text.split("&") if text else ():
        name, _, value = part.partition("=")
        out.append((_plain(name).lower(), _plain(value)))
    return sorted(out)


def _tel_key(uri: Uri) -> tuple[str, frozenset[tuple[str, str]]]:
    number = re.sub(r"[().\-]", "", uri.user).lower()
    return number, frozenset([(name.lower(), (value or "").lower()) for name, value in uri.params])
