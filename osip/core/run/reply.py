"""Answer requests: what a local reply looks like and where it goes (RFC 3261 sections 8.2.6 and 18.2.2, RFC 3581)."""
from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from osip.core.net.endpoint import DEFAULT_PORTS, Dest, is_ip
from osip.core.run.ctx import FORCE_RPORT, REPLY_TO_VIA, Ctx
from osip.core.sip.build import TAG_ENDING, build_answer, build_reply
from osip.core.sip.mark import mark_identity
from osip.core.sip.message import READER
from osip.core.sip.names import reason_phrase

if TYPE_CHECKING:
    from osip.core.net.endpoint import LocalSocket, Source
    from osip.core.run.env import Env
    from osip.core.sip.message import Request
    from osip.core.sip.via import Via

REASON_OF_BAD: Final = {400: "Bad Request", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
                        416: "Unsupported URI Scheme", 482: "Loop Detected", 505: "Version Not Supported",
                        513: "Message Too Large"}
_ANSWER: Final[Any] = None if READER is None else build_answer
_ANSWER_PORT: Final[Any] = None if READER is None else READER.answer_port


def build(ctx: Ctx, status: int, reason: str, to_tag: str = "", headers: bytes = b"", body: bytes = b"") -> bytes:
    """Build a local reply to the request of `ctx`, with what `append_to_reply` and its like asked for."""
    headers = _lines(ctx, status, headers)
    if ctx.reply_body is not None and not body:
        body = ctx.reply_body
    if not reason:
        reason = reason_phrase(status)
    env, source = ctx.env, ctx.source
    if source is None:
        return build_reply(ctx.msg, status, reason, to_tag, headers, body, env.quick.server)
    return build_reply(ctx.msg, status, reason, to_tag, headers, body, env.quick.server, source.host, source.port,
                       bool(ctx.via_flags & FORCE_RPORT))


def _lines(ctx: Ctx, status: int, headers: bytes) -> bytes:
    """Return the header lines of a local reply: those that are given, those of the script, a Warning if one is wanted."""
    extra = ctx.reply_edits
    if extra:
        headers += b"".join([line for line in extra if line])
    env, source = ctx.env, ctx.source
    if status >= 300 and env.quick.sip_warning and source is not None:
        where = source.socket.sent_by
        headers += f'Warning: 392 {where} "Noisy feedback tells: pid={env.pid} req_src_ip={source.host}"\r\n'.encode()
    return headers


def dest(env: Env, request: Request, source: Source, via_flags: int = 0) -> Dest:
    """Say where replies to a request go: the connection it came on, else by the top Via's maddr, received and rport.

    A script that calls `force_rport()` wants them where the request came from, whatever the Via says.
    """
    socket = source.socket
    if not socket.reliable and not via_flags and not env.quick.reply_to_via and _ANSWER_PORT is not None:
        wanted = _ANSWER_PORT(request)
        if wanted is not None:
            port: int = wanted
            if port < 0:
                return Dest(socket.proto, source.host, source.port, socket)
            return Dest(socket.proto, source.host, port or DEFAULT_PORTS[socket.proto], socket)
    via = request.via1
    if socket.reliable:
        # The port counts only when the connection is gone and a new one must be made (18.2.2).
        where = Dest(socket.proto, source.host, via.port or DEFAULT_PORTS[socket.proto], socket, source.conn)
        where.name = via.host           # for TLS: whose certificate a new connection must find there
        return where
    if "addr" in via.params_text.lower() and not via_flags & FORCE_RPORT:
        wished = maddr(via, source.host, (socket,))
        if wished:
            is_ipv6 = ":" in wished
            near = socket if socket.is_ipv6 == is_ipv6 else env.pick_socket(socket.proto, is_ipv6, socket)
            if near is not None:
                return Dest(socket.proto, wished, via.port or DEFAULT_PORTS[socket.proto], near)
    if (via_flags & REPLY_TO_VIA or env.quick.reply_to_via) and is_ip(via.host):   # a name would have to be asked for
        return Dest(socket.proto, via.host, via.port or DEFAULT_PORTS[socket.proto], socket)
    if via.rport is not None or via_flags & FORCE_RPORT:
        return Dest(socket.proto, source.host, source.port, socket)
    return Dest(socket.proto, source.host, via.port or DEFAULT_PORTS[socket.proto], socket)


def maddr(via: Via, peer: str, sockets: Sequence[LocalSocket]) -> str:
    """Return the address to which the maddr of a Via sends responses (RFC 3261 section 18.2.2); "" for none to follow.

    `peer` is where the request came from. Anybody can write anything there, so a group must be one of `sockets`, and
    only this machine may name this machine; a name is not asked for (docs/decisions/009).
    """
    text = via.param("maddr")
    if not text or not is_ip(text):
        return ""
    wished = ip_address(text.strip("[]"))
    if wished.is_multicast:
        return str(wished) if any([socket.host == str(wished) for socket in sockets]) else ""
    if wished.is_unspecified or wished.is_reserved or wished.is_link_local:
        return ""
    if wished.is_loopback and not (is_ip(peer) and ip_address(peer).is_loopback):
        return ""
    return str(wished)


def totag(env: Env, request: Request) -> str:
    """Return the To tag of stateless replies: the same for every copy of a request, so that its ACK is known again."""
    return mark_identity(request, env.tag_secret) + TAG_ENDING


def send_stateless(ctx: Ctx, status: int, reason: str, headers: bytes = b"", body: bytes = b"") -> int:
    """Send a reply without keeping state; 1 when it was handed to the network, -1 otherwise."""
    env, request, source = ctx.env, ctx.msg, ctx.source
    if source is None:
        return -1
    quick, socket = env.quick, source.socket
    data: bytes | None = None
    if _ANSWER is not None and not socket.reliable and not ctx.via_flags and not quick.reply_to_via:
        own = ctx.reply_body
        data = _ANSWER(request, status, reason or reason_phrase(status), env.tag_secret, TAG_ENDING,
                       _lines(ctx, status, headers), body if body or own is None else own, quick.server, source.host,
                       source.port)
    if data is not None:
        where = Dest(socket.proto, source.host, source.port, socket)
    else:
        tag = "" if status == 100 else totag(env, request)          # type: ignore[arg-type]
        data = build(ctx, status, reason, tag, headers, body)
        where = dest(env, request, source, ctx.via_flags)           # type: ignore[arg-type]
    where.only_reuse = bool(ctx.flags & env.no_new_conn_reply)
    for listener in env.on_stateless:
        listener(ctx, status, data)
    return 1 if env.hand(data, where) else -1


def contact_lines(ctx: Ctx) -> bytes:
    """Return the Contact line of a 3xx made from the destination set; empty when nothing was set or a script gave one.

    The R-URI counts only when it was rewritten; q is written when it is known.
    """
    if any(line[:8].lower() == b"contact:" for line in ctx.reply_edits or ()):
        return b""
    targets = ([ctx.target] if ctx.target.uri is not None else []) + (ctx.targets or [])
    values = []
    for target in targets:
        uri = target.uri if target.uri is not None else ctx.msg.ruri       # type: ignore[union-attr]
        values.append(f"<{uri}>" + (f";q={target.q / 1000:g}" if target.q >= 0 else ""))
    return f"Contact: {', '.join(values)}\r\n".encode("utf-8", "surrogateescape") if values else b""
