"""Find header lines in raw bytes without reading their values; peek at the Call-ID (RFC 3261 section 7.3).

Offsets in, offsets out: nothing is decoded here. This file is what the accelerator replaces first.
"""
from __future__ import annotations

import re
from typing import Final

from osip.core.errors import ParseError
from osip.core.sip.bounds import MAX_HEADERS
from osip.core.sip.names import H_OTHER, HEADER_BYTES

# header id, start of the line, start of the value, one past the value (its CRLF excluded)
Header = tuple[int, int, int, int]

_LF_BLANK: Final = re.compile(rb"\r?\n\r?\n")
_CALL_ID: Final = re.compile(rb"\n(?:call-id|i)[ \t]*:(?:[ \t]|\r?\n[ \t])*([^ \t\r\n]*)", re.IGNORECASE)


def find_head_end(raw: bytes) -> tuple[int, int]:
    """Return (end of the last head line, start of the body); (-1, -1) when no blank line ends the head."""
    end = raw.find(b"\r\n\r\n")
    if end >= 0:
        return end, end + 4
    # Some senders end lines with a bare LF. A stream never gets here: its framer insists on CRLF.
    found = _LF_BLANK.search(raw)
    return (found.start(), found.end()) if found else (-1, -1)


def scan(raw: bytes, pos: int, end: int) -> tuple[list[Header], bytes]:
    """Index the header lines in raw[pos:end]; return the index and its header ids as a byte string.

    `end` is the end of the last line, its CRLF excluded. The ids are apart because searching a byte string is the
    cheapest way to find the n-th header of a kind. Of too many lines (an error with code 513), those that count are
    in the error's `partial`.
    """
    if pos >= end:
        return [], b""
    lines = raw[pos:end].split(b"\r\n")
    if len(lines) > MAX_HEADERS:
        raise _too_many(raw, pos, pos + len(b"\r\n".join(lines[:MAX_HEADERS])))
    if raw.count(b"\n", pos, end) != len(lines) - 1:
        return _scan_slowly(raw, pos, end)
    headers: list[Header] = []
    first = pos
    known = HEADER_BYTES.get
    for line in lines:
        name, _, value = line.partition(b":")
        number = known(name)
        if number is None:
            if line[:1] in b" \t":          # a folded line, or an empty one: rare, so start over with care
                return _scan_slowly(raw, first, end)
            number = known(name.rstrip().lower(), H_OTHER)
        size = len(line)
        headers.append((number, pos, pos + size - len(value.lstrip(b" \t")), pos + size))
        pos += size + 2
    return headers, bytes([header[0] for header in headers])


def _too_many(raw: bytes, pos: int, end: int) -> ParseError:
    """Return the error for too many header lines; its `partial` is the index of those in raw[pos:end], for the answer."""
    try:
        known = scan(raw, pos, end)
    except ParseError:
        known = None
    return ParseError("too many headers", 513, pos, known)


def _scan_slowly(raw: bytes, pos: int, end: int) -> tuple[list[Header], bytes]:
    """Index lines that may be folded, end with a bare LF or be empty."""
    headers: list[Header] = []
    for line in raw[pos:end].split(b"\n"):
        step = len(line) + 1
        line = line.removesuffix(b"\r")
        if not line or (not headers and line[:1] in (b" ", b"\t")):
            # A reader that takes a bare LF for a line end would see the head end here, or the start line go on.
            raise ParseError("bad header line", 400, pos)
        if line[:1] in (b" ", b"\t"):
            number, start, value_start, _ = headers[-1]
            # "Name:" with its whole value on the next line has its value start there.
            if not raw[value_start:pos].strip():
                value_start = pos + len(line) - len(line.lstrip(b" \t"))
            headers[-1] = (number, start, value_start, pos + len(line))
        else:
            name, colon, value = line.partition(b":")
            number = HEADER_BYTES.get(name.rstrip().lower(), H_OTHER) if colon else H_OTHER
            size = len(line)
            if len(headers) == MAX_HEADERS:
                known = headers, bytes([header[0] for header in headers])
                raise ParseError("too many headers", 513, pos, known)
            headers.append((number, pos, pos + size - len(value.lstrip(b" \t")), pos + size))
        pos += step
    return headers, bytes([header[0] for header in headers])


def peek_call_id(raw: bytes) -> bytes | None:
    """Return the Call-ID (RFC 3261 section 20.8) without parsing; None when there is none. Used to steer."""
    start = raw.find(b"\nCall-ID: ")
    # The body of a NOTIFY may hold a Call-ID of its own, so what was found must lie in the head.
    if start >= 0 and raw.find(b"\r\n\r\n", 0, start) < 0:
        end = raw.find(b"\n", start + 10)
        value = raw[start + 10:end if end >= 0 else len(raw)].strip()
        if value:
            return value
    found = _CALL_ID.search(raw)
    if found is None or not found.group(1) or raw.find(b"\r\n\r\n", 0, found.start()) >= 0:
        return None
    return found.group(1)
