"""Read typed values out of a message's header index, one function a field (RFC 3261 section 20).

Each takes the message and is called once, on first use; `Message` keeps what it returns.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip import names
from osip.core.sip.address import NameAddr, parse_expires, parse_name_addr, split_commas
from osip.core.sip.auth import Auth, parse_auth
from osip.core.sip.bounds import MAX_DIGITS, MAX_SECONDS, MAX_VALUES
from osip.core.sip.cseq import parse_cseq
from osip.core.sip.index import scan
from osip.core.sip.params import unfold
from osip.core.sip.uri import parse_uri
from osip.core.sip.via import VIA_READER, Via, parse_via

if TYPE_CHECKING:
    from osip.core.sip.message import Message

_COMMA_OUTSIDE_QUOTES: Final = re.compile(rb'(?:[^",]|"(?:[^"\\]|\\.)*")*', re.DOTALL)
_HEADER_VALUE: Final[Any] = None if LEAF is None else LEAF.header_value
_GAP: Final = re.compile(rb",(?:[ \t]|\r?\n[ \t])*")


def _headers(msg: Message) -> Any:
    headers, msg.ids = scan(msg.raw, msg.head_start, msg.head_end)
    return headers


def _ids(msg: Message) -> bytes:
    msg.headers, ids = scan(msg.raw, msg.head_start, msg.head_end)
    return ids


def _first(msg: Message, number: int) -> int:
    """Return the index of a header that must be there."""
    at = msg.ids.find(number)
    if at < 0:
        raise ParseError(f"missing {names.canonical_name(number)}")
    return at


def _name_values(number: int, error: ParseError) -> ParseError:
    """Name the header in an error that came out of its value."""
    return ParseError(f"bad {names.canonical_name(number)} header", error.code, error.offset)


def _value(msg: Any, at: int) -> str:
    """Return what `Message.value` does; a call from here to there costs more than the work."""
    _, _, start, end = msg.headers[at]
    raw: bytes = msg.raw
    text = raw[start:end].decode("utf-8", "surrogateescape").strip(" \t\r\n")
    return unfold(text) if "\n" in text else text


def value_of(msg: Any, number: int) -> str | None:
    """Return the first value of a header by id, None when it is absent: `Message.get` for code that is compiled."""
    if _HEADER_VALUE is not None:
        found = _HEADER_VALUE(msg.raw, msg.headers, number, False)
        if found is not NotImplemented:
            return found                # type: ignore[no-any-return]
    at = msg.ids.find(number)
    return None if at < 0 else _value(msg, at)


def _expires(msg: Any) -> int | None:
    text = value_of(msg, names.H_EXPIRES)
    if text is not None and len(text) < MAX_DIGITS and text.isdigit() and text.isascii():
        return min(int(text), MAX_SECONDS)
    return parse_expires(text)


def _address(msg: Message, number: int) -> NameAddr:
    text = value_of(msg, number)
    if text is None:
        raise ParseError(f"missing {names.canonical_name(number)}")
    try:
        return parse_name_addr(text)
    except ParseError as error:
        raise _name_values(number, error) from None


def _addresses(msg: Message, number: int) -> list[NameAddr]:
    if msg.ids.find(number) < 0:
        return []
    try:
        return [parse_name_addr(text) for text in _elements(msg, number)]
    except ParseError as error:
        raise _name_values(number, error) from None


def _elements(msg: Message, number: int) -> list[str]:
    """Return all elements of a comma-separated header, over all its lines; raise when there are too many."""
    out: list[str] = []
    at = msg.ids.find(number)
    while at >= 0:
        out += split_commas(_value(msg, at))
        at = msg.ids.find(number, at + 1)
    if len(out) > MAX_VALUES:
        raise ParseError(f"too many {names.canonical_name(number)} values")
    return out


def _tokens(msg: Message, number: int) -> list[str]:
    return [text for text in _elements(msg, number) if text]


def _tag(msg: Message, number: int, field: str) -> str:
    """Find a tag without parsing the address; leave whatever looks unusual to the parser."""
    at = msg.ids.find(number)
    if at < 0:
        raise ParseError(f"missing {names.canonical_name(number)}")
    _, _, start, end = msg.headers[at]
    value = msg.raw[start:end]
    closing = value.rfind(b">")
    # An odd number of quotes is either a fault or an escaped one inside a name.
    if closing >= 0 and b"<" in value and not value.count(b'"') & 1:
        tail = value[closing + 1:]
        at = tail.find(b";tag=")
        if at < 0:
            if not tail:
                return ""
        elif b'"' not in tail:
            tag = tail[at + 5:].partition(b";")[0]
            if tag.isalnum():
                return tag.decode("ascii")
    address: NameAddr = getattr(msg, field)
    return address.tag


def _number(msg: Message, number: int) -> int | None:
    at = msg.ids.find(number)
    if at < 0:
        return None
    _, _, start, end = msg.headers[at]
    value = msg.raw[start:end].strip()
    if not value.isdigit() or len(value) > MAX_DIGITS:
        raise ParseError(f"bad {names.canonical_name(number)} header", offset=start)
    return int(value)


def _cseq(msg: Message) -> int:
    number, msg.cseq_method = parse_cseq(msg.value(_first(msg, names.H_CSEQ)))
    return number


def _cseq_method(msg: Message) -> str:
    msg.cseq, method = parse_cseq(msg.value(_first(msg, names.H_CSEQ)))
    return method


def _call_id(msg: Message) -> str:
    _, _, start, end = msg.headers[_first(msg, names.H_CALL_ID)]
    value = msg.raw[start:end].strip(b" \t")
    # One word, as `peek_call_id` sees it: the two must steer to the same worker.
    if value.split() != [value]:
        raise ParseError("bad Call-ID header", offset=start)
    return value.decode("utf-8", "surrogateescape")


def _via1_span(msg: Message) -> tuple[int, int]:
    _, _, start, end = msg.headers[_first(msg, names.H_VIA)]
    value = msg.raw[start:end]
    size = value.find(b",")
    msg.via1_alone = size < 0
    if size >= 0 and b'"' in value:
        found = _COMMA_OUTSIDE_QUOTES.match(value)
        size = found.end() if found else size
        msg.via1_alone = size == len(value)
    if size >= 0:
        value = value[:size]
    return start, start + len(value.rstrip())


def _via1_alone(msg: Message) -> bool:
    msg.via1_span = _via1_span(msg)
    return msg.via1_alone


def _via1_cut(msg: Message) -> tuple[int, int]:
    """Return what must go so that the topmost Via value is gone: its line, or itself and the comma behind it."""
    start, end = msg.via1_span
    if msg.via1_alone:
        at = msg.ids.find(names.H_VIA)
        return msg.headers[at][1], msg.line_end(at)
    found = _GAP.search(msg.raw, end)
    return start, found.end() if found else end


def _via1(msg: Message) -> Via:
    start, end = msg.via1_span
    return parse_via(unfold(msg.raw[start:end].decode("utf-8", "surrogateescape")))


def _via1_branch(msg: Message) -> str:
    return msg.via1.branch


def _vias(msg: Message) -> list[Via]:
    _first(msg, names.H_VIA)
    if VIA_READER is not None:
        found: list[Via] | None = VIA_READER.all(msg.raw, msg.headers)
        if found is not None:
            return found
    return [parse_via(text) for text in _elements(msg, names.H_VIA)]


def _contacts(msg: Message) -> list[NameAddr]:
    text = NotImplemented if _HEADER_VALUE is None else _HEADER_VALUE(msg.raw, msg.headers, names.H_CONTACT, True)
    if text is None or (text is NotImplemented and msg.ids.find(names.H_CONTACT) < 0):
        msg.contact_star = False
        return []
    values = [text] if text is not NotImplemented and "," not in text else _elements(msg, names.H_CONTACT)
    msg.contact_star = values == ["*"]
    if msg.contact_star:
        return []
    try:
        found = [parse_name_addr(text) for text in values]
        for one in found:
            if not one.params_text:
                one.expires, one.q = None, -1       # known at once: to find it out on first use costs more
        return found
    except ParseError as error:
        raise _name_values(names.H_CONTACT, error) from None


def _contact_star(msg: Message) -> bool:
    msg.contacts = _contacts(msg)
    return msg.contact_star


def _content_type(msg: Message) -> str | None:
    at = msg.ids.find(names.H_CONTENT_TYPE)
    return None if at < 0 else msg.value(at)


def _credentials(msg: Any) -> list[tuple[int, int, Auth | None]]:
    """Return (header id, index, parts) of each Authorization, then of each Proxy-Authorization; None for bad parts."""
    found: list[tuple[int, int, Auth | None]] = []
    ids: bytes = msg.ids
    for number in (names.H_AUTHORIZATION, names.H_PROXY_AUTHORIZATION):
        at = ids.find(number)
        while at >= 0:
            auth: Auth | None = None
            try:
                auth = parse_auth(_value(msg, at))
            except ParseError:
                pass
            found.append((number, at, auth))
            at = ids.find(number, at + 1)
    return found


def _body_end(msg: Message) -> int:
    # What follows the length that was told is not part of the message (RFC 3261 section 18.3).
    length = msg.content_length
    size = len(msg.raw)
    return size if length is None else min(size, msg.body_start + length)


def fill(msg: Message) -> None:
    """Read in one go what every message is asked for; raise ParseError for what is missing or broken.

    It does what reading the attributes one by one would do, without the detour for each.
    """
    try:
        msg.headers, msg.ids = scan(msg.raw, msg.head_start, msg.head_end)
    except ParseError as error:
        if error.partial is not None:       # too many lines: the first ones are good enough for the answer
            msg.headers, msg.ids = error.partial
            error.partial = None
        raise
    msg.via1_span = _via1_span(msg)
    msg.via1 = via = _via1(msg)
    msg.via1_branch = via.branch
    msg.from_tag = _tag(msg, names.H_FROM, "from_")
    msg.to_tag = _tag(msg, names.H_TO, "to")
    msg.call_id = _call_id(msg)
    msg.cseq, msg.cseq_method = parse_cseq(msg.value(_first(msg, names.H_CSEQ)))
    msg.content_length = _number(msg, names.H_CONTENT_LENGTH)
    msg.max_forwards = _number(msg, names.H_MAX_FORWARDS)


# A plain dict: it is asked once for each value of each message.
COMPUTE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "headers": _headers,
    "ids": _ids,
    "ruri": lambda msg: msg.text(msg.ruri_start, msg.ruri_end),
    "uri": lambda msg: parse_uri(msg.ruri),
    "via1": _via1,
    "vias": _vias,
    "via1_span": _via1_span,
    "via1_alone": _via1_alone,
    "via1_cut": _via1_cut,
    "via1_branch": _via1_branch,
    "from_": lambda msg: _address(msg, names.H_FROM),
    "to": lambda msg: _address(msg, names.H_TO),
    "from_tag": lambda msg: _tag(msg, names.H_FROM, "from_"),
    "to_tag": lambda msg: _tag(msg, names.H_TO, "to"),
    "call_id": _call_id,
    "cseq": _cseq,
    "cseq_method": _cseq_method,
    "method": lambda msg: msg.cseq_method,
    "method_id": lambda msg: names.METHOD_IDS.get(msg.cseq_method, names.M_OTHER),
    "max_forwards": lambda msg: _number(msg, names.H_MAX_FORWARDS),
    "contacts": _contacts,
    "contact_star": _contact_star,
    "routes": lambda msg: _addresses(msg, names.H_ROUTE),
    "record_routes": lambda msg: _addresses(msg, names.H_RECORD_ROUTE),
    "paths": lambda msg: _addresses(msg, names.H_PATH),
    "expires": _expires,
    "content_length": lambda msg: _number(msg, names.H_CONTENT_LENGTH),
    "content_type": _content_type,
    "body": lambda msg: msg.raw[msg.body_start:msg.body_end],
    "body_end": _body_end,
    "credentials": _credentials,
    "supported": lambda msg: _tokens(msg, names.H_SUPPORTED),
    "require": lambda msg: _tokens(msg, names.H_REQUIRE),
    "proxy_require": lambda msg: _tokens(msg, names.H_PROXY_REQUIRE),
}
