"""Write our Record-Route when a request leaves (RFC 3261 section 16.6 step 4)."""
from __future__ import annotations

from typing import Any

from osip.api import DEFAULT_PORTS, Ctx, ParseError, bracket, parse_uri


class Recorded:
    """What one request (or one branch of it) was asked to record, and the Route of ours that it came with."""
    __slots__ = ("kind", "done", "params", "preset", "route")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.done = False
        self.params: list[str] = []
        self.preset: tuple[str, ...] = ()
        self.route: str | None = None           # parameters of the consumed Route

    def copy(self, kind: int) -> Recorded:
        """Return a copy for a branch, so that what it adds stays its own."""
        new = Recorded(kind)
        new.done, new.params, new.preset, new.route = self.done, list(self.params), self.preset, self.route
        return new


def write(rr: Any, out: Any) -> bytes:
    """Return the Record-Route lines of the copy that is about to leave: two when it changes sockets."""
    ctx: Ctx = out.ctx
    state: Recorded = ctx[rr.recorded]
    msg = ctx.msg
    came, left = out.socket_in, out.socket_out
    user = _user(ctx) if rr.add_username else ""
    scheme = "sips" if (out.target.uri or msg.ruri)[:5].lower() == "sips:" else "sip"
    tag = f";ftag={msg.from_tag}" if rr.append_fromtag and msg.from_tag else ""
    more = "".join([tail(ctx) for tail in rr.tails]) if rr.tails else ""
    tail = f";lr{tag}{''.join(state.params)}{more}>\r\n"
    double = bool(rr.enable_double_rr) and came is not left and \
        (came.proto != left.proto or came.adv_host != left.adv_host or came.adv_port != left.adv_port)
    if state.preset:
        double = len(state.preset) > 1
        hosts = list(state.preset)
    else:
        hosts = [_address(ctx, left), _address(ctx, came)] if double else [_address(ctx, left)]
    mark = ";r2=on" if double else ""
    return "".join([f"Record-Route: <{scheme}:{user}{host}{mark}{tail}" for host in hosts]).encode(
        "utf-8", "surrogateescape")


def _user(ctx: Ctx) -> str:
    try:
        user = parse_uri(ctx.ruri or "").user
    except ParseError:
        return ""
    return f"{user}@" if user else ""


def _address(ctx: Ctx, socket: Any) -> str:
    """Return host, port and transport of a socket as they stand in a Record-Route."""
    host, port = ctx.adv_host or socket.adv_host, ctx.adv_port or socket.adv_port
    shown = "" if port == DEFAULT_PORTS.get(socket.proto) and host[:1].isdigit() else f":{port}"
    transport = "" if socket.proto == "udp" else f";transport={socket.proto}"
    return f"{bracket(host)}{shown}{transport}"
