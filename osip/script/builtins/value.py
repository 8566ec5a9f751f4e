"""Share what several families of words need: picking by index, reading numbers, memo of parsed URIs."""
from __future__ import annotations

import re
from collections.abc import Sequence

from osip.api import DEFAULT_PORTS, ParseError
from osip.core.sip.uri import Uri, parse_uri

Index = int | str | None

_Q = re.compile(r"(?:0?(?:\.(\d{1,3})\d*)?|(1)(?:\.0*)?|0\.)")
_BITS_32 = 0xFFFFFFFF


def pick(values: Sequence[str | int], index: Index) -> str | int | None:
    """Return the element an index means: None the first, "*" all joined, an int counted from either end."""
    if index == "*":
        return ", ".join([str(value) for value in values]) if values else None
    position = index if isinstance(index, int) else 0
    if -len(values) <= position < len(values):
        return values[position]
    return None


def text_of(value: str | int | None) -> str:
    """Return a value as text; "" for NULL."""
    return "" if value is None else str(value)


def number_of(value: str | int | None) -> int | None:
    """Return a value as an integer; None when it is not a decimal number."""
    if isinstance(value, int):
        return value
    if value and value.lstrip("-").isdecimal() and value.isascii() and value.rfind("-") <= 0:
        return int(value)
    return None


def wrap_32(number: int) -> int:
    """Wrap a number to the 32-bit signed integers of the language."""
    number &= _BITS_32
    return number - (_BITS_32 + 1) if number > 0x7FFFFFFF else number


def parse_q(text: str) -> int | None:
    """Read a q value such as "0.7" in thousandths; "" is unspecified (-1), None when it is none."""
    text = text.strip()
    if not text:
        return -1
    found = _Q.fullmatch(text)
    if found is None:
        return None
    return 1000 if found.group(2) else int((found.group(1) or "0").ljust(3, "0"))


def print_q(q: int) -> str | None:
    """Write thousandths as a q value; None when unspecified."""
    if q < 0:
        return None
    return "1" if q >= 1000 else "0" if q == 0 else f"0.{q:03d}".rstrip("0")


def default_port(uri: Uri) -> int:
    """Return the port that a URI without one implies (RFC 3261 section 19.1.2)."""
    if uri.scheme == "sips":
        return DEFAULT_PORTS["tls"]
    return DEFAULT_PORTS.get((uri.param("transport") or "udp").lower(), 5060)


def transport(uri: Uri) -> str:
    """Return the transport parameter as written, else the name of the implied protocol."""
    return uri.param("transport") or ("TLS" if uri.scheme == "sips" else "UDP")


class UriMemo:
    """Parse URIs and keep the last one: a script reads several parts of the same one in a row."""
    __slots__ = ("_text", "_uri")

    def __init__(self) -> None:
        self._text: str | None = None
        self._uri: Uri | None = None

    def parse(self, text: str | None) -> Uri | None:
        """Return the parsed URI; None when it is absent or malformed."""
        if text is None:
            return None
        if text != self._text:
            try:
                self._uri = parse_uri(text)
            except ParseError:
                self._uri = None
            self._text = text
        return self._uri
