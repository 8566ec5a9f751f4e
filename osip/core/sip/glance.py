"""Read a plain well-formed message at one glance: everything `parse` finds and `check` wants to know, in one pass.

What looks unusual in any way is not judged here: `read` returns None, and the careful code (`message.parse`,
`check.check`, `fields`) decides and words the error. What is filled in is what that code would find, byte for byte;
tests/fuzz/test_twin.py holds the two, and the accelerator's reader, against each other.
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Final

from osip.core.errors import ParseError
from osip.core.sip.bounds import MAX_CSEQ, MAX_DIGITS, MAX_HEAD, MAX_HEADERS, MAX_URI
from osip.core.sip.names import (
    H_CALL_ID,
    H_CONTENT_LENGTH,
    H_CSEQ,
    H_FROM,
    H_MAX_FORWARDS,
    H_TO,
    H_VIA,
    HEADER_ID_OF,
    METHOD_BYTES,
)
from osip.core.sip.uri import parse_uri

if TYPE_CHECKING:
    from osip.core.sip.message import Message, Request, Response

_COLONS: Final = repeat(b": ")
_VIA: Final = re.compile(
    rb"SIP/2\.0/(?:UDP|TCP|TLS|WSS?|SCTP) [A-Za-z0-9_.\-]+(?::(?:[0-9]{1,4}|[1-5][0-9]{4}))?(?:;[!#-+\--~]*)?").fullmatch
_NAMED: Final = re.compile(rb'(?:"[^"\\]*"[ \t]*)?<[^<>"]+').fullmatch
_MARKS: Final = b"-._~"
_SCHEMES: Final = frozenset(("sip", "sips", "tel", "urn"))


def read(raw: bytes, request: type[Request], response: type[Response]) -> Request | Response | None:
    """Return the message with all that `check` would have filled in, or None for a message that needs care."""
    end = raw.find(b"\r\n\r\n")
    if not 0 < end <= MAX_HEAD - 4:
        return None
    lines = raw[:end].split(b"\r\n")
    if len(lines) > MAX_HEADERS or raw.count(b"\n", 0, end) != len(lines) - 1:
        return None
    if raw.find(b":  ", 0, end) >= 0 or raw.find(b": \t", 0, end) >= 0:    # more blanks than `_index` counts with
        return None
    names, colons, values = zip(*map(bytes.partition, lines, _COLONS), strict=True)
    if b"" in colons[1:]:
        return None
    try:
        ids = bytes(map(HEADER_ID_OF, names[1:]))
    except KeyError:                            # a folded line, or one that is no header
        return None
    first = lines[0]
    msg: Request | Response | None
    if first.startswith(b"SIP/2.0 "):
        msg = _response(first, response)
    else:
        msg = _request(first, request)
    if msg is None:
        return None
    msg.raw = raw
    msg.head_start = len(first) + 2
    msg.head_end = end
    msg.body_start = end + 4
    msg.ids = ids
    if not (_fill(msg, ids, values) and _fill_via(msg, ids, names, values)):
        return None
    if msg.is_request:                          # a response is rarely edited: its index waits until it is wanted
        msg.headers = _index(ids, names, lines, msg.head_start)
    msg.checked = True
    return msg


def _response(first: bytes, response: type[Response]) -> Response | None:
    code = first[8:11]
    if not code.isdigit() or first[11:12] != b" " or not b"100" <= code <= b"699":
        return None
    msg = response()
    msg.status = int(code)
    msg.reason = first[12:].decode("utf-8", "surrogateescape")
    return msg


def _request(first: bytes, request: type[Request]) -> Request | None:
    parts = first.split(b" ")
    known = METHOD_BYTES.get(parts[0])
    if known is None or len(parts) != 3 or parts[2] != b"SIP/2.0":
        return None
    uri = parts[1]
    if not 0 < len(uri) <= MAX_URI or b"<" in uri or b"\t" in uri:
        return None
    msg = request()
    msg.method_id, msg.method = known
    msg.ruri_start = start = len(parts[0]) + 1
    msg.ruri_end = start + len(uri)
    msg.ruri = text = uri.decode("utf-8", "surrogateescape")
    try:
        msg.uri = parse_uri(text)
    except ParseError:
        return None
    return msg if msg.uri.scheme in _SCHEMES else None


def _index(ids: bytes, names: Sequence[bytes], lines: Sequence[bytes], pos: int) -> list[tuple[int, int, int, int]]:
    headers = []
    at = 0
    for number in ids:
        at += 1
        end = pos + len(lines[at])
        headers.append((number, pos, pos + len(names[at]) + 2, end))
        pos = end + 2
    return headers


def _fill(msg: Message, ids: bytes, values: Sequence[bytes]) -> bool:
    """Fill in what comes from the headers that may stand once; False when one is missing, double or unusual."""
    count = ids.count
    if not (count(H_FROM) == count(H_TO) == count(H_CALL_ID) == count(H_CSEQ) == 1) or count(H_MAX_FORWARDS) > 1 \
            or count(H_CONTENT_LENGTH) > 1:
        return False
    find = ids.find
    call_id = values[find(H_CALL_ID) + 1]
    if call_id.split() != [call_id]:
        return False
    msg.call_id = call_id.decode("utf-8", "surrogateescape")
    from_tag, to_tag = _tag(values[find(H_FROM) + 1]), _tag(values[find(H_TO) + 1])
    if from_tag is None or to_tag is None:
        return False
    msg.from_tag, msg.to_tag = from_tag, to_tag
    number, _, method = values[find(H_CSEQ) + 1].partition(b" ")
    known = METHOD_BYTES.get(method)
    if known is None or not number.isdigit() or len(number) > MAX_DIGITS:
        return False
    msg.cseq = cseq = int(number)
    msg.cseq_method = known[1]
    if cseq >= MAX_CSEQ or (msg.is_request and known[1] != msg.method):
        return False
    if not msg.is_request:
        msg.method_id, msg.method = known
    return _fill_numbers(msg, find(H_CONTENT_LENGTH) + 1, find(H_MAX_FORWARDS) + 1, values)


def _fill_numbers(msg: Message, length_at: int, hops_at: int, values: Sequence[bytes]) -> bool:
    if length_at:
        text = values[length_at]
        if not text.isdigit() or len(text) > MAX_DIGITS:
            return False
        msg.content_length = length = int(text)
        msg.body_end = msg.body_start + length
        if msg.body_end > len(msg.raw):
            return False
    else:
        msg.content_length = None
        msg.body_end = len(msg.raw)
    msg.max_forwards = None
    if hops_at:
        text = values[hops_at]
        if not text.isdigit() or len(text) > 3:
            return False
        msg.max_forwards = hops = int(text)
        return hops <= 255
    return True


def _fill_via(msg: Message, ids: bytes, names: Sequence[bytes], values: Sequence[bytes]) -> bool:
    """Fill in what concerns the topmost Via, the first of all headers in nearly every message."""
    at = ids.find(H_VIA) + 1
    if not at:
        return False
    via = values[at]
    if not _VIA(via):
        return False
    pos = msg.head_start
    for before in range(1, at):
        pos += len(names[before]) + len(values[before]) + 4
    start = pos + len(names[at]) + 2
    end = start + len(via)
    msg.via1_span = (start, end)
    msg.via1_alone = True
    msg.via1_cut = (pos, end + 2)
    found = via.find(b";branch=")
    if found >= 0:
        msg.via1_branch = via[found + 8:].partition(b";")[0].decode("ascii")
    return True


def _tag(value: bytes) -> str | None:
    """Return the tag of a From or To value, "" when it has none; None when the address needs to be parsed for that."""
    address, closing, tail = value.rpartition(b">")
    if not closing or b"<" not in address or address.count(b'"') & 1:
        return None
    if not tail:
        return ""
    tag = tail[5:]
    if tail[:5] != b";tag=":
        return None
    if tag.isalnum():
        return tag.decode("ascii")
    # A tag of other characters makes the careful code parse the address, so the address must be sound.
    return tag.decode("ascii") if tag.translate(None, _MARKS).isalnum() and _NAMED(address) else None
