"""Read what scripts ask for most: the addresses of a message, its R-URI, where it came from (variables.md section 3).

These functions need no module, only the context; emitted code calls them directly, and mypyc compiles them. What a
variable means is told where it is declared, in the modules beside this one.
"""
from __future__ import annotations

from typing import Any, Final

from osip.core.errors import ParseError
from osip.core.exports.types import Value
from osip.core.run.ctx import ONREPLY, Ctx
from osip.core.sip.message import READER
from osip.core.sip.names import H_USER_AGENT
from osip.core.sip.params import unfold
from osip.core.sip.uri import parse_uri

_VALUE: Final[Any] = None if READER is None else READER.value


def ruri(ctx: Ctx) -> Any:
    """Return the R-URI now, parsed; None on a reply, and when it is none."""
    target = ctx.target
    text = target.uri
    try:
        if text is None:
            msg: Any = ctx.msg
            return msg.uri if msg.is_request else None
        if ctx.kind == ONREPLY:                         # the target of a response is its branch's
            return None
        if target.parsed_text != text:
            target.parsed, target.parsed_text = None, text
            target.parsed = parse_uri(text)
        return target.parsed
    except ParseError:
        return None


def ru(ctx: Ctx) -> Value:
    """Return `$ru`."""
    text = ctx.target.uri
    if text is not None:
        return text if ctx.kind != ONREPLY else None
    msg: Any = ctx.msg
    return msg.ruri if msg.is_request else None         # type: ignore[no-any-return]


def ru_user(ctx: Ctx) -> Value:
    """Return `$rU`."""
    uri = ruri(ctx)
    return None if uri is None else uri.user or None


def ru_domain(ctx: Ctx) -> Value:
    """Return `$rd`."""
    return host_of(ruri(ctx))


def du(ctx: Ctx) -> Value:
    """Return `$du`."""
    return ctx.target.du


def host_of(uri: Any) -> str | None:
    """Return a URI's host as it stands in it, IPv6 in brackets; None when it has none."""
    if uri is None:
        return None
    host: str = uri.host
    if not host:
        return None
    return f"[{host}]" if uri.is_ipv6 else host


def from_uri(ctx: Ctx) -> Value:
    """Return `$fu`."""
    try:
        msg: Any = ctx.msg
        return msg.from_.uri_text                       # type: ignore[no-any-return]
    except ParseError:
        return None


def from_user(ctx: Ctx) -> Value:
    """Return `$fU`."""
    try:
        msg: Any = ctx.msg
        return msg.from_.uri.user or None
    except ParseError:
        return None


def from_domain(ctx: Ctx) -> Value:
    """Return `$fd`."""
    try:
        msg: Any = ctx.msg
        return host_of(msg.from_.uri)
    except ParseError:
        return None


def from_tag(ctx: Ctx) -> Value:
    """Return `$ft`."""
    try:
        msg: Any = ctx.msg
        return msg.from_tag or None
    except ParseError:
        return None


def to_uri(ctx: Ctx) -> Value:
    """Return `$tu`."""
    try:
        msg: Any = ctx.msg
        return msg.to.uri_text                          # type: ignore[no-any-return]
    except ParseError:
        return None


def to_user(ctx: Ctx) -> Value:
    """Return `$tU`."""
    try:
        msg: Any = ctx.msg
        return msg.to.uri.user or None
    except ParseError:
        return None


def to_domain(ctx: Ctx) -> Value:
    """Return `$td`."""
    try:
        msg: Any = ctx.msg
        return host_of(msg.to.uri)
    except ParseError:
        return None


def to_tag(ctx: Ctx) -> Value:
    """Return `$tt`."""
    try:
        msg: Any = ctx.msg
        return msg.to_tag or None
    except ParseError:
        return None


def method(ctx: Ctx) -> Value:
    """Return `$rm`."""
    try:
        msg: Any = ctx.msg
        return msg.method                               # type: ignore[no-any-return]
    except ParseError:
        return None


def status(ctx: Ctx) -> Value:
    """Return `$rs`."""
    msg: Any = ctx.msg
    return None if msg.is_request else msg.status       # type: ignore[no-any-return]


def call_id(ctx: Ctx) -> Value:
    """Return `$ci`."""
    try:
        msg: Any = ctx.msg
        return msg.call_id                              # type: ignore[no-any-return]
    except ParseError:
        return None


def user_agent(ctx: Ctx) -> Value:
    """Return `$ua`."""
    return header(ctx, H_USER_AGENT)


def header(ctx: Ctx, number: int) -> str | None:
    """Return the first value of a header that has an id; None when it is absent."""
    msg: Any = ctx.msg
    found: Any = None if _VALUE is None else _VALUE(msg, number)
    if found is not None:
        return None if found == () else found           # type: ignore[no-any-return]
    ids: bytes = msg.ids
    at = ids.find(number)
    if at < 0:
        return None
    place: tuple[int, int, int, int] = msg.headers[at]
    raw: bytes = msg.raw
    text = raw[place[2]:place[3]].decode("utf-8", "surrogateescape").strip(" \t\r\n")
    return unfold(text) if "\n" in text else text


def source_ip(ctx: Ctx) -> Value:
    """Return `$si`."""
    source = ctx.source
    return None if source is None else source.host


def source_port(ctx: Ctx) -> Value:
    """Return `$sp`."""
    source = ctx.source
    return None if source is None else source.port


def is_myself(ctx: Ctx, host: str, port: int | None = None) -> bool:
    """Say whether a host (and port, 0 for any) is one of our sockets, advertised names or aliases."""
    return bool(ctx.env.is_myself(host, port or 0))
