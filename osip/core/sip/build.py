"""Build messages: replies, ACK, CANCEL, forwarded ones and fresh requests (RFC 3261 sections 8, 9.1, 16.6, 17.1.1.3).

Each function does a whole job from raw bytes to raw bytes; the accelerator replaces them one for one.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.edits import Edit, Edits, Replacement, encode, header_lines, message_parts
from osip.core.sip.mark import mark_identity
from osip.core.sip.message import READER, Message, Request, Response, parse
from osip.core.sip.names import (
    H_CALL_ID,
    H_CSEQ,
    H_FROM,
    H_RECORD_ROUTE,
    H_ROUTE,
    H_TIMESTAMP,
    H_TO,
    H_VIA,
    M_REGISTER,
)
from osip.core.sip.via import complete_via

_COPIED: Final = frozenset((H_VIA, H_FROM, H_TO, H_CALL_ID, H_CSEQ))
_COPIED_ROUTED: Final = _COPIED | {H_RECORD_ROUTE}
_COPIED_TRYING: Final = _COPIED | {H_TIMESTAMP}
_LIKE_INVITE: Final[Any] = None if LEAF is None else LEAF.like_invite
_ENCLOSED: Final[Any] = None if LEAF is None else LEAF.via_line
TAG_ENDING: Final = ".osip"
"""Ends the To tag of every stateless reply; before it stands what `mark_identity` tells of the request."""
_MAX_FORWARDS: Final = b"Max-Forwards: 70\r\n"
_BUILD_REPLY: Final[Any] = None if READER is None else READER.build_reply
_BUILD_ANSWER: Final[Any] = None if READER is None else READER.build_answer
_BUILD_FORWARD: Final[Any] = None if READER is None else READER.build_forward
_BUILD_FORWARD_REPLY: Final[Any] = None if READER is None else READER.build_forward_reply


def build_reply(req: Request, status: int, reason: str, to_tag: str = "", extra: bytes = b"", body: bytes = b"",
                server: bytes = b"", received: str = "", rport: int = 0, force_rport: bool = False) -> bytes:
    """Build a reply to a request (section 8.2.6).

    `to_tag` is added unless To has a tag; "" adds none. `extra` is whole header lines (Content-Type among them),
    `server` the value of a Server header. With `received`, the address the request came from, the top Via gets
    `received` and `rport` by the rules of section 18.2.1 and RFC 3581.
    """
    if _BUILD_REPLY is not None:
        built: bytes | None = _BUILD_REPLY(req, status, reason, to_tag, extra, body, server, received, rport,
                                                 force_rport)
        if built is not None:
            return built
    raw = req.raw
    if status == 100:
        wanted = _COPIED_TRYING
    else:
        wanted = _COPIED_ROUTED if status < 300 and req.method_id != M_REGISTER else _COPIED
    parts = [b"SIP/2.0 %d %b\r\n" % (status, encode(reason))]
    via_done = not received
    tag = b";tag=%b\r\n" % encode(to_tag) if to_tag and not _has_to_tag(req) else b"\r\n"
    # In a plain message every line ends with CRLF, which is then copied with it.
    size = 2 if req.checked else 0
    for number, start, _, end in req.headers:
        if number not in wanted:
            continue
        if number == H_VIA and not via_done:
            via_done = True
            first, last = req.via1_span
            parts += (raw[start:first], _completed(raw[first:last], received, rport, force_rport), raw[last:end], b"\r\n")
        elif number == H_TO:
            parts += (raw[start:end], tag)
        elif size:
            parts.append(raw[start:end + size])
        else:
            parts += (raw[start:end], b"\r\n")
    if extra:
        parts.append(header_lines(extra))
    if server:
        parts += (b"Server: ", server, b"\r\n")
    parts.append(b"Content-Length: %d\r\n\r\n" % len(body))
    if body:
        parts.append(body)
    return b"".join(parts)


def _build_answer(req: Request, status: int, reason: str, secret: str, ending: str, extra: bytes, body: bytes,
                  server: bytes, received: str, rport: int) -> bytes | None:
    """Build a stateless reply; None unless its top Via wants it where the request came from, port included.

    `secret` and `ending` make its To tag.
    """
    via = req.via1
    if via.param("maddr") is not None or not (via.rport is not None or via.port == rport):
        return None
    tag = "" if status == 100 else mark_identity(req, secret) + ending
    return build_reply(req, status, reason, tag, extra, body, server, received, rport)


build_answer: Final[Callable[..., bytes | None]] = _build_answer if _BUILD_ANSWER is None else _BUILD_ANSWER
"""What cannot be answered at once gets None, too."""


def _completed(value: bytes, received: str, rport: int, force_rport: bool) -> bytes:
    # A reply that says what is wrong with a message is built from that message, so nothing here may raise.
    try:
        return complete_via(value, received, rport, force_rport)
    except ParseError:
        return value


def _has_to_tag(req: Request) -> bool:
    try:
        return bool(req.to_tag)
    except ParseError:
        return True


def enclosed(start: bytes, text: str, end: bytes) -> bytes:
    """Return a text between what stands before and behind it, as bytes."""
    if _ENCLOSED is not None:
        built: bytes | None = _ENCLOSED(start, text, end)
        if built is not None:
            return built
    return start + encode(text) + end


def _line(msg: Message, number: int) -> bytes:
    """Return the first header line of an id with its CRLF; empty when there is none."""
    at = msg.ids.find(number)
    if at < 0:
        return b""
    _, start, _, end = msg.headers[at]
    return msg.raw[start:end] + b"\r\n"


def _lines(msg: Message, number: int) -> bytes:
    """Return all header lines of an id with their CRLFs."""
    return b"".join([msg.raw[start:end] + b"\r\n" for hid, start, _, end in msg.headers if hid == number])


def _like_invite(invite: Request, method: bytes, to_line: bytes, extra: bytes) -> bytes:
    """Build a request that belongs to an INVITE's client transaction: same target, Via, route and CSeq number."""
    if _LIKE_INVITE is not None:
        built: bytes | None = _LIKE_INVITE(READER, invite, method, to_line, header_lines(extra), H_ROUTE)
        if built is not None:
            return built
    raw = invite.raw
    first, last = invite.via1_span
    return b"".join((
        method, b" ", raw[invite.ruri_start:invite.ruri_end], b" SIP/2.0\r\nVia: ", raw[first:last], b"\r\n",
        _MAX_FORWARDS, _lines(invite, H_ROUTE), _line(invite, H_FROM), to_line, _line(invite, H_CALL_ID),
        b"CSeq: %d %b\r\n" % (invite.cseq, method), header_lines(extra), b"Content-Length: 0\r\n\r\n"))


def _request(sent: bytes | Request) -> Request:
    msg = parse(sent) if isinstance(sent, bytes) else sent
    if not isinstance(msg, Request):
        raise TypeError("a request was expected")
    return msg


def build_ack(invite_sent: bytes | Request, response: bytes | Response) -> bytes:
    """Build the ACK for a final response other than 2xx (section 17.1.1.3); To is the response's."""
    answer = parse(response) if isinstance(response, bytes) else response
    return _like_invite(_request(invite_sent), b"ACK", _line(answer, H_TO), b"")


def build_cancel(invite_sent: bytes | Request, reason_hdr: bytes = b"") -> bytes:
    """Build the CANCEL of an INVITE that was sent (section 9.1); `reason_hdr` is whole header lines."""
    invite = _request(invite_sent)
    return _like_invite(invite, b"CANCEL", _line(invite, H_TO), reason_hdr)


def build_forward(req: Request, ruri: str | None, via: Replacement, edits: Edits | None = None,
                  out: Any = None, received: str = "", rport: int = 0, force_rport: bool = False) -> bytes:
    """Build the request to send on: request-URI rewritten, a Via line put on top, edits spliced (section 16.6).

    `ruri` None keeps the request-URI. Max-Forwards is left to the edits. A missing Content-Length is added, since the
    next hop may be a stream. With `received`, the address the request came from, the Via that was on top gets
    `received` and `rport`, unless an edit has replaced it.
    """
    if _BUILD_FORWARD is not None:
        built: bytes | None = _BUILD_FORWARD(req, ruri, via, None if edits is None else edits.items, out, received, rport,
                                             force_rport)
        if built is not None:
            return built
    if received and not _replaces_via(req, edits):
        edits = Edits(req) if edits is None else edits.copy()
        edits.set_received(received, rport, force_rport)
    raw = req.raw
    line = via if isinstance(via, bytes) else via(out)
    if line[:4] == b"SIP/":
        line = b"Via: " + line + b"\r\n"
    head_start = req.head_start
    items: list[Edit] = [(head_start, head_start, line)]
    if edits is not None and edits.items:
        items += edits.items
    if ruri is None:
        return b"".join(message_parts(req, 0, items, out, True))
    parts = [raw[:req.ruri_start], encode(ruri)]
    parts += message_parts(req, req.ruri_end, items, out, True)
    return b"".join(parts)


def _replaces_via(req: Request, edits: Edits | None) -> bool:
    """Say whether the topmost Via value has been replaced already."""
    if edits is None or not edits.items:
        return False
    first, last = req.via1_span
    for start, end, _ in edits.items:
        if start == first and end == last:
            return True
    return False


def build_forward_reply(resp: Response, edits: Edits | None = None, out: Any = None) -> bytes:
    """Build the response to pass on: the topmost Via value taken off, edits spliced (section 16.7)."""
    if _BUILD_FORWARD_REPLY is not None:
        built: bytes | None = _BUILD_FORWARD_REPLY(resp, None if edits is None else edits.items, out)
        if built is not None:
            return built
    start, end = resp.via1_cut
    items: list[Edit] = [(start, end, b"")]
    if edits is not None and edits.items:
        items += edits.items
    return b"".join(message_parts(resp, 0, items, out, True))


def build_request(method: str, ruri: str, from_: str | bytes, to: str | bytes, call_id: str, cseq: int,
                  via: bytes, contact: str | bytes | None = None, routes: Iterable[str] = (),
                  headers: bytes = b"", body: bytes = b"", max_forwards: int = 70) -> bytes:
    """Build a request of our own (section 8.1.1).

    `from_`, `to`, `contact` and each of `routes` are header values; `via` is a Via line or value; `headers` are whole
    lines, Content-Type among them.
    """
    if via[:4] == b"SIP/":
        via = b"Via: " + via + b"\r\n"
    parts = [encode(f"{method} {ruri} SIP/2.0\r\n"), via, b"Max-Forwards: %d\r\n" % max_forwards]
    parts += [b"Route: " + encode(route) + b"\r\n" for route in routes]
    parts += (b"From: ", encode(from_), b"\r\nTo: ", encode(to), encode(f"\r\nCall-ID: {call_id}\r\n"),
              encode(f"CSeq: {cseq} {method}\r\n"))
    if contact is not None:
        parts += (b"Contact: ", encode(contact), b"\r\n")
    parts += (header_lines(headers), b"Content-Length: %d\r\n\r\n" % len(body), body)
    return b"".join(parts)
