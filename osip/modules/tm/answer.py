"""Answer statefully: replies of our own, from scripts and from tm itself (RFC 3261 section 8.2.6)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osip.api import M_ACK, Ctx, Route, reply
from osip.modules.tm import arrival, cancel
from osip.modules.tm.machine import TERMINATED
from osip.modules.tm.transaction import ON_FINAL, Transaction

if TYPE_CHECKING:
    from osip.modules.tm.layer import Layer

REQUEST: Final = int(Route.REQUEST)
FAILURE: Final = int(Route.FAILURE)


def t_reply(tm: Layer, ctx: Ctx, code: int, reason: str, body: str = "") -> int:
    """Reply to the request of `ctx`, making its transaction if there is none; -1 when it has its final reply."""
    msg = ctx.msg
    if msg is None or not msg.is_request or msg.method_id == M_ACK or not 100 <= code <= 699:
        return -1
    tx, made = arrival.take(tm, ctx) if ctx.tx is None else (ctx.tx, 0)
    if tx is None:
        return 1 if made == 0 else -1
    if tx.is_local or tx.is_answered or tx.state == TERMINATED:
        return -1
    headers = reply.contact_lines(ctx) if 300 <= code < 400 else b""
    return 1 if send(tm, tx, ctx, code, reason, headers, body.encode("utf-8", "surrogateescape")) else -1


def send(tm: Layer, tx: Transaction, ctx: Ctx, code: int, reason: str, headers: bytes = b"", body: bytes = b"",
         tag: str = "") -> bool:
    """Build and send one reply through the transaction; a final one ends what is pending downstream."""
    if tm.local_reply_route:
        route = tm.route("route", tm.local_reply_route)
        if route is not None:
            ctx.reply_code = code
            tm.env.run_route(route, ctx)
    data = reply.build(ctx, code, reason, (tag or tx.to_tag) if code > 100 else "", headers, body)
    if not tx.respond(code, data, True):
        return False
    if code >= 200:
        if ctx.kind != FAILURE:
            tx.on_failure = None
        cancel.cancel_pending(tx)
        if tx.watchers is not None:
            tx.tell_watchers(ON_FINAL, code, None)
        tx.shrink()
    return True


def reply_local(tm: Layer, tx: Transaction, code: int, reason: str, tag: str = "") -> bool:
    """Send a reply that tm decided on itself (408, 487, 200 to a CANCEL)."""
    if tx.request is None:
        return False
    return send(tm, tx, tx.make_ctx(REQUEST), code, reason, tag=tag)
