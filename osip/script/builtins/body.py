"""Read the body of the message as received, part by part (variables.md section 5, RFC 2046 section 5.1)."""
from __future__ import annotations

from typing import NamedTuple

from osip.api import Ctx, Message, Module, ParseError, Value, pvar
from osip.core.sip.names import H_CONTENT_TYPE
from osip.core.sip.params import find_param, parse_params, unquote
from osip.script.builtins.value import Index, pick

MAX_PARTS = 64


class Part(NamedTuple):
    """One part of a body: its content type as written and its bytes."""
    content_type: str
    content: bytes


def mime_type(content_type: str | None) -> str:
    """Return `type/subtype` in lower case, without parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def parts_of(msg: Message) -> list[Part]:
    """Return the parts of a multipart body, or the whole body as the only part; none when it is empty."""
    body, kind = body_of(msg), msg.get(H_CONTENT_TYPE)
    if not body:
        return []
    boundary = _boundary(kind) if mime_type(kind).startswith("multipart/") else ""
    if not boundary:
        return [Part(kind or "", body)]
    mark = b"--" + boundary.encode("utf-8", "surrogateescape")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)[1:]
    found = []
    for piece in pieces[:MAX_PARTS]:
        if piece.startswith(b"--"):
            break
        found.append(_part(piece.lstrip(b" \t").removeprefix(b"\r\n")))
    return found


def body_of(msg: Message) -> bytes:
    """Return the body; empty when a broken Content-Length does not tell where it ends."""
    try:
        return msg.body
    except ParseError:
        return b""


def _boundary(content_type: str | None) -> str:
    params = (content_type or "").partition(";")[2]
    try:
        return unquote(find_param(parse_params(params), "boundary") or "")
    except ParseError:
        return ""


def _part(piece: bytes) -> Part:
    """Split a part into its headers and its content; a part without headers is plain text."""
    if piece.startswith(b"\r\n"):
        return Part("text/plain", piece[2:])
    head, _, content = piece.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-type", b"c"):
            return Part(value.strip().decode("utf-8", "surrogateescape"), content)
    return Part("text/plain", content)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


class CoreBody(Module):
    """The body and its parts."""
    name = "core_body"

    @pvar("rb", key="optional", key_parse=mime_type, index=True)
    def rb(self, ctx: Ctx, mime: str | None, index: Index) -> Value:
        """The whole body; with an index that part, with a MIME type the n-th part of that type."""
        if mime is None:
            if index is None or index == "*":
                body = body_of(ctx.msg)
                return _text(body) if body else None
            return pick([_text(part.content) for part in parts_of(ctx.msg)], index)
        return pick([_text(part.content) for part in parts_of(ctx.msg) if mime_type(part.content_type) == mime],
                    index)

    @pvar("cT", index=True)
    def content_type(self, ctx: Ctx, index: Index) -> Value:
        """The Content-Type of the message, or of its n-th body part."""
        if index is None:
            return ctx.msg.get(H_CONTENT_TYPE)
        return pick([part.content_type for part in parts_of(ctx.msg)], index)
