"""Parse and build header parameters `;a=b;c="d"` and quoted strings (RFC 3261 sections 7.3.1 and 25.1)."""
from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from osip.core.errors import ParseError

Params = tuple[tuple[str, str | None], ...]

_QUOTED: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_FOLD: Final = re.compile(r"[ \t]*\r?\n[ \t]+")


def split_quoted(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside quoted strings; raise ParseError when a quote is left open."""
    if '"' not in text:
        return text.split(separator)
    parts: list[str] = []
    start = pos = 0
    size = len(text)
    while pos < size:
        char = text[pos]
        if char == '"':
            found = _QUOTED.match(text, pos)
            if found is None:
                raise ParseError("unterminated quoted string", offset=pos)
            pos = found.end()
            continue
        if char == separator:
            parts.append(text[start:pos])
            start = pos + 1
        pos += 1
    parts.append(text[start:])
    return parts


def parse_params(text: str) -> Params:
    """Parse `;a=b;c` into pairs in order; a parameter without "=" has the value None. Values stay as written."""
    out: list[tuple[str, str | None]] = []
    for part in split_quoted(text, ";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if name:
            out.append((name, value.strip() if equals else None))
    return tuple(out)


def find_param(params: Params, name: str) -> str | None:
    """Return the value of the first parameter of that name in any case; "" when it has none, None when absent."""
    for key, value in params:
        if key == name or key.lower() == name.lower():
            return "" if value is None else value
    return None


def build_params(params: Iterable[tuple[str, str | None]]) -> str:
    """Write parameters as `;a=b;c`."""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params])


def quote(text: str) -> str:
    """Put text between double quotes, escaping what must be."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """Take off double quotes and undo escapes; text without quotes comes back as it is."""
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        inner = text[1:-1]
        return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner
    return text


def is_token(text: str) -> bool:
    """Tell whether text is a token (RFC 3261 section 25.1)."""
    return _TOKEN.fullmatch(text) is not None


def unfold(text: str) -> str:
    """Collapse each folding of a header value to one blank (RFC 3261 section 7.3.1)."""
    return _FOLD.sub(" ", text) if "\n" in text else text
