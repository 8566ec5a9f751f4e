"""Confirm answered INVITEs of our own with ACK, and end calls that nobody waits for (RFC 3261 13.2.2.4 and 15)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import (H_AUTHORIZATION, H_PROXY_AUTHORIZATION, Ctx, Dest, OsipError, ParseError, Request, Response,
                      Route, build_request, forward, parse, parse_uri)

if TYPE_CHECKING:
    from osip.modules.tm.branch import Branch
    from osip.modules.tm.uac import Outbound

LOCAL = int(Route.LOCAL)


class Remote:
    """Where the further requests of a dialog go: remote target, route set and next hop (12.1.2, 12.2.1.1)."""
    __slots__ = ("ruri", "routes", "next_hop")

    def __init__(self, msg: Response, ruri: str) -> None:
        self.ruri, self.routes, self.next_hop = ruri, [], ""
        try:
            if msg.contacts:
                self.ruri = self.next_hop = msg.contacts[0].uri_text
            self.routes = [f"<{route.uri_text}>" for route in reversed(msg.record_routes)]
            if self.routes:
                self.next_hop = self.routes[0][1:-1]
                if not parse_uri(self.next_hop).has_param("lr"):        # a strict router wants to be the request-URI
                    self.routes = [*self.routes[1:], f"<{self.ruri}>"]
                    self.ruri = self.next_hop
        except ParseError:                      # then there is no telling: it goes where the INVITE went
            self.ruri, self.routes, self.next_hop = ruri, [], ""


def confirm(out: Outbound, branch: Branch, msg: Response) -> None:
    """Acknowledge a 2xx, a copy of one too; when the INVITE had been given up before, hang up as well."""
    if branch.last is None:
        return
    invite: Request = parse(branch.last)                # type: ignore[assignment]
    remote = Remote(msg, invite.ruri)
    if out.acknowledges:
        _send_ack(out, branch, invite, msg, remote)
    if out.is_given_up and not out.is_hung_up:
        out.is_hung_up = True
        out.module.request("BYE", remote.ruri, _value(invite, "From"), _value(msg, "To"), call_id=invite.call_id,
                           cseq=out.cseq + 1, next_hop=remote.next_hop or None, socket=branch.dest.socket,
                           routes=tuple(remote.routes))


def _send_ack(out: Outbound, branch: Branch, invite: Request, msg: Response, remote: Remote) -> None:
    """Send the ACK, which is a transaction of its own without a response; it bears the INVITE's credentials (22.1)."""
    credentials = b"".join(invite.raw[start:end] + b"\r\n" for number, start, _, end in invite.headers
                           if number in (H_AUTHORIZATION, H_PROXY_AUTHORIZATION))
    raw = build_request("ACK", remote.ruri, _value(invite, "From"), _value(msg, "To"), invite.call_id, invite.cseq, b"",
                        None, remote.routes, credentials)
    ctx = Ctx(out.tm.env, parse(raw), None, LOCAL)
    ctx.target.du, ctx.target.socket = remote.next_hop or None, branch.dest.socket
    if not remote.next_hop:
        _send_first(ctx, [branch.dest])
        return
    try:
        dests = forward.next_hops(ctx, ctx.target)
    except OsipError as error:
        out.module.complain("ACK not sent", "ruri=%s error=%s", remote.ruri, error)
        return
    if dests is None:
        out.tm.env.spawn(_send_later(out, ctx), "own ACK")
    else:
        _send_first(ctx, dests)


async def _send_later(out: Outbound, ctx: Ctx) -> None:
    try:
        _send_first(ctx, await forward.next_hops_wait(ctx, ctx.target))
    except OsipError as error:
        out.module.complain("ACK not sent", "error=%s", error)


def _send_first(ctx: Ctx, dests: list[Dest]) -> None:
    env = ctx.env
    for dest in dests:
        data = forward.build(ctx, ctx.target, dest, env.ids.branch())
        if not forward.blocked(ctx, dest, data) and env.send(data, dest):
            return


def _value(msg: Any, name: str) -> str:
    return str(msg.get(name))
