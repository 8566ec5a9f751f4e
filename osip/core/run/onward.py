"""Forward requests without state, as the word forward() does (RFC 3261 sections 16.3 and 16.11)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.core.errors import OsipError
from osip.core.net.endpoint import bracket
from osip.core.run import forward as relay
from osip.core.run import refusal, reply
from osip.core.sip.names import M_ACK

if TYPE_CHECKING:
    from osip.core.net.endpoint import Dest, Endpoint
    from osip.core.run.ctx import Ctx, Target


def forward(ctx: Ctx, dest: Any = None) -> bool:
    """Relay the request of `ctx` without state: to an endpoint, else to the next hop, else to the R-URI.

    True too when it was answered here, since no proxy may forward it, or waits for a name to be found.
    """
    msg: Any = ctx.msg
    if not msg.is_request:
        return False
    if ctx.targets:
        ctx.env.log.warning("not forwarded, it has branches: use t_relay call_id=%s", msg.get("Call-ID"))
        return False
    if _refuse(ctx):
        return True
    target = ctx.target
    if dest is not None:
        target = target.copy()
        target.du = uri_of(dest)
    try:
        hops = relay.next_hops(ctx, target)
        if hops is None:                                # a name has to be asked for: the script does not wait
            run = ctx.copy()
            run.target = target.copy()
            ctx.env.spawn(_forward_later(run), "forward")
            return True
        return _send_first(ctx, target, hops)
    except OsipError as error:
        ctx.env.log.warning("not forwarded call_id=%s error=%s", msg.get("Call-ID"), error)
        return False


def uri_of(dest: Endpoint) -> str:
    """Write a destination as a URI, the form that next hops have."""
    uri = f"sip:{bracket(dest.host)}"
    if dest.port:
        uri += f":{dest.port}"
    return f"{uri};transport={dest.proto}" if dest.proto else uri


def _refuse(ctx: Ctx) -> bool:
    """Answer a request that no proxy may forward (16.3); True when it was one."""
    lacking = refusal.unsupported(ctx)
    if not lacking and refusal.count_hop(ctx):
        return False
    if ctx.msg.method_id != M_ACK:
        code, reason = (420, "Bad Extension") if lacking else (483, "Too Many Hops")
        headers = f"Unsupported: {lacking}\r\n".encode("utf-8", "surrogateescape") if lacking else b""
        reply.send_stateless(ctx, code, reason, headers)
    return True


async def _forward_later(ctx: Ctx) -> None:
    try:
        _send_first(ctx, ctx.target, await relay.next_hops_wait(ctx, ctx.target))
    except OsipError as error:
        ctx.env.log.warning("not forwarded call_id=%s error=%s", ctx.msg.get("Call-ID"), error)


def _send_first(ctx: Ctx, target: Target, hops: list[Dest]) -> bool:
    """Send to the first hop that takes the message; `target` stands in for branch 0 meanwhile."""
    if target is ctx.target:
        return relay.send_stateless(ctx, hops)
    kept, ctx.target = ctx.target, target
    try:
        return relay.send_stateless(ctx, hops)
    finally:
        ctx.target = kept
