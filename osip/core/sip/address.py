"""Parse name-addr and addr-spec values: From, To, Contact, Route and their kin (RFC 3261 sections 20.10 and 25.1)."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.bounds import MAX_DIGITS, MAX_SECONDS
from osip.core.sip.params import Params, build_params, find_param, parse_params, unquote
from osip.core.sip.uri import Uri, parse_uri

_QUOTED_NAME: Final = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")[ \t\r\n]*<', re.DOTALL)
_BARE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*:[^\s;?,<>\"]+)[ \t]*(;.*)?", re.DOTALL)
_SPECIAL: Final = re.compile(r'[",<]')
_QVALUE: Final = re.compile(r"(0)(?:\.([0-9]{0,3}))?|(1)(?:\.0{0,3})?")
# What Expires counts when it is malformed (RFC 3261 section 10.2.1.1).
DEFAULT_EXPIRES: Final = 3600


class NameAddr:
    """Hold a display name, a URI and header parameters, as written.

    `uri`, `params`, `tag` ("" when absent), `q` (0 to 1000, or -1) and `expires` (None when absent) are read on first
    use. `params_text` is what follows the URI, with its leading semicolon.
    """

    __slots__ = ("display", "uri_text", "params_text", "uri", "params", "tag", "q", "expires", "has_brackets")
    uri: Uri
    params: Params
    tag: str
    q: int
    expires: int | None

    def __init__(self, display: str, uri_text: str, params_text: str = "", has_brackets: bool = True) -> None:
        self.display = display
        self.uri_text = uri_text
        self.params_text = params_text
        self.has_brackets = has_brackets

    def __getattr__(self, name: str) -> Any:
        # Reached only for a slot that is still empty.
        if name == "uri":
            value: Any = parse_uri(self.uri_text)
        elif name == "params":
            value = parse_params(self.params_text) if self.params_text else ()
        elif name == "tag":
            value = self.param("tag") or ""
        elif name == "q":
            value = _qvalue(self.param("q"))
        elif name == "expires":
            value = parse_expires(self.param("expires"))
        else:
            raise AttributeError(name)
        setattr(self, name, value)
        return value

    def __str__(self) -> str:
        if not self.has_brackets:
            return self.uri_text + self.params_text
        blank = " " if self.display else ""
        return f"{self.display}{blank}<{self.uri_text}>{self.params_text}"

    def __repr__(self) -> str:
        return f"NameAddr({str(self)!r})"

    @property
    def display_name(self) -> str:
        """Return the display name without quotes and escapes."""
        return unquote(self.display)

    def param(self, name: str) -> str | None:
        """Return a header parameter without its quotes; "" when it has no value, None when it is absent."""
        value = find_param(self.params, name)
        return unquote(value) if value else value

    def has_param(self, name: str) -> bool:
        """Tell whether a header parameter is present."""
        return find_param(self.params, name) is not None


def _parse_name_addr(text: str) -> NameAddr:
    """Parse one name-addr or addr-spec with its parameters; raise ParseError when it is malformed."""
    if text[:1] in " \t\r\n" or text[-1:] in " \t\r\n":
        text = text.strip()
    if text[:1] == '"':
        found = _QUOTED_NAME.match(text)
        if found is None:
            raise ParseError("bad address: unterminated display name or missing <")
        display = found.group(1)
        start = found.end()
    else:
        start = text.find("<") + 1
        if start == 0:
            return _parse_bare(text)
        display = text[:start - 1].rstrip()
        if display and ('"' in display or "," in display or ";" in display or ">" in display):
            raise ParseError("bad address: display name needs quotes")
    end = text.find(">", start)
    if end <= start:
        raise ParseError("bad address: missing > or URI")
    params = text[end + 1:]
    if params and params[0] != ";":
        params = params.lstrip()
        if params[:1] != ";":
            raise ParseError("bad address: stray text after >")
    return NameAddr(display, text[start:end], params)


def _parse_bare(text: str) -> NameAddr:
    # Without brackets every parameter is the header's, and a URI with "?" or "," may not stand (section 20.10).
    found = _BARE.fullmatch(text)
    if found is None:
        raise ParseError("bad address")
    return NameAddr("", found.group(1), found.group(2) or "", False)


parse_name_addr: Final[Callable[[str], NameAddr]] = \
    _parse_name_addr if LEAF is None else LEAF.AddressReader(NameAddr, _parse_name_addr).parse


def build_name_addr(uri: Uri | str, display: str = "", params: Params = ()) -> str:
    """Write a name-addr; `display` is taken as it is, quotes included."""
    blank = " " if display else ""
    return f"{display}{blank}<{uri}>{build_params(params)}"


def split_commas(text: str) -> list[str]:
    """Split a header value at the commas outside quotes and angle brackets; blanks around elements are taken off."""
    if "," not in text:
        return [text.strip()]
    parts: list[str] = []
    start = pos = 0
    while True:
        found = _SPECIAL.search(text, pos)
        if found is None:
            break
        pos = found.end()
        char = found.group()
        if char == ",":
            parts.append(text[start:pos - 1].strip())
            start = pos
        else:
            pos = _skip(text, pos, char)
    parts.append(text[start:].strip())
    return parts


def _skip(text: str, pos: int, opening: str) -> int:
    """Return the offset behind the quoted string or angle bracket that was opened just before `pos`."""
    if opening == "<":
        end = text.find(">", pos)
        if end < 0:
            raise ParseError("bad header: unterminated <", offset=pos)
        return end + 1
    while True:
        end = text.find('"', pos)
        if end < 0:
            raise ParseError("bad header: unterminated quoted string", offset=pos)
        slashes = end
        while slashes > pos and text[slashes - 1] == "\\":
            slashes -= 1
        pos = end + 1
        if (end - slashes) % 2 == 0:
            return pos


def _qvalue(text: str | None) -> int:
    """Return a q value in thousandths; -1 when absent or malformed."""
    found = _QVALUE.fullmatch(text) if text else None
    if found is None:
        return -1
    return 1000 if found.group(3) else int((found.group(2) or "").ljust(3, "0"))


def parse_expires(text: str | None) -> int | None:
    """Return delta-seconds, clamped to 32 bits; 3600 for a malformed value, None for an absent one."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        return DEFAULT_EXPIRES
    return MAX_SECONDS if len(text) > MAX_DIGITS else min(int(text), MAX_SECONDS)
