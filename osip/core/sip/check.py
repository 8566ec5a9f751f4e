"""Say whether a parsed message can be worked with (RFC 3261 sections 8.1.1, 16.3 and 18.3)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osip.core.errors import ParseError
from osip.core.sip import names
from osip.core.sip.bounds import MAX_CSEQ
from osip.core.sip.fields import fill

if TYPE_CHECKING:
    from osip.core.sip.message import Message, Request

# A second one would make two readers see two different messages.
_SINGLE: Final = (names.H_FROM, names.H_TO, names.H_CALL_ID, names.H_CSEQ, names.H_MAX_FORWARDS)
_SCHEMES: Final = frozenset(("sip", "sips", "tel", "urn"))


def check(msg: Message, deep: bool = False) -> ParseError | None:
    """Return what makes the message unusable, with the reply code that fits, or None.

    `deep` also reads every address the message holds, which the packet path leaves until it is wanted.
    """
    if msg.checked and not deep:
        return None
    try:
        return _check_deeply(msg) if msg.checked else _check(msg, deep)
    except ParseError as error:
        return error


def _check(msg: Message, deep: bool) -> ParseError | None:
    fill(msg)
    count = msg.ids.count
    for number in _SINGLE:
        if count(number) > 1:
            return ParseError(f"duplicate {names.canonical_name(number)} header")
    if not msg.via1_alone:
        msg.vias  # noqa: B018
    if msg.cseq >= MAX_CSEQ:
        return ParseError("bad CSeq header: number out of range")
    error = _check_length(msg)
    if error is None and msg.is_request:
        error = _check_request(msg)  # type: ignore[arg-type]
    return _check_deeply(msg) if error is None and deep else error


def _check_length(msg: Message) -> ParseError | None:
    length = msg.content_length
    if length is None:
        return None
    if msg.ids.count(names.H_CONTENT_LENGTH) > 1 and len({int(v) for v in _lengths(msg)}) > 1:
        return ParseError("conflicting Content-Length headers")
    if length > len(msg.raw) - msg.body_start:
        return ParseError("Content-Length larger than the body")
    return None


def _lengths(msg: Message) -> list[str]:
    values = msg.get_all(names.H_CONTENT_LENGTH)
    for value in values:
        if not (value.isascii() and value.isdigit() and len(value) <= 10):
            raise ParseError("bad Content-Length header")
    return values


def _check_request(msg: Request) -> ParseError | None:
    if msg.cseq_method != msg.method:
        return ParseError("CSeq method differs from the request's")
    hops = msg.max_forwards
    if hops is not None and hops > 255:
        return ParseError("bad Max-Forwards header")
    if msg.uri.scheme not in _SCHEMES:
        return ParseError("unsupported URI scheme", 416)
    return None


def _check_deeply(msg: Message) -> ParseError | None:
    at = msg.ids.find(names.H_OTHER)
    while at >= 0:
        _, start, value_start, _ = msg.headers[at]
        if b":" not in msg.raw[start:value_start]:
            return ParseError("bad header line", offset=start)
        at = msg.ids.find(names.H_OTHER, at + 1)
    for address in (msg.from_, msg.to, *msg.contacts, *msg.routes, *msg.record_routes, *msg.paths):
        address.params  # noqa: B018
        address.uri  # noqa: B018
    for via in msg.vias:
        via.params  # noqa: B018
    return None
