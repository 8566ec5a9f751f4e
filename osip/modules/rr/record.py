"""Write our Record-Route when a request leaves (RFC 3261 section 16.6 step 4)."""
from __future__ import annotations

from typing import TYPE_CHECKING

from osip.api import DEFAULT_PORTS, Ctx, LocalSocket, ParseError, bracket, enclosed, forward, mypyc_attr, parse_uri

if TYPE_CHECKING:
    from osip.modules.rr.router import Router


@mypyc_attr(free_list_len=1)
class Recorded:
    """What one request (or one branch of it) was asked to record, and the Route of ours that it came with."""
    __slots__ = ("kind", "done", "params", "preset", "route")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.done = False
        self.params = ""                        # `;name=value` of each that was added
        self.preset: tuple[str, ...] = ()
        self.route: str | None = None           # parameters of the consumed Route

    def copy(self, kind: int) -> Recorded:
        """Return a copy for a branch, so that what it adds stays its own."""
        new = Recorded(kind)
        new.done, new.params, new.preset, new.route = self.done, self.params, self.preset, self.route
        return new


def write(rr: Router, out: forward.Outgoing) -> bytes:
    """Return the Record-Route lines of the copy that is about to leave: two when it changes sockets."""
    ctx = out.ctx
    state: Recorded = ctx[rr.recorded]
    came, left = out.socket_in, out.socket_out
    assert came is not None and left is not None
    if came is left and not state.params and not state.preset and rr.append_fromtag and not rr.add_username and not rr.tails \
            and not ctx.adv_host and not ctx.adv_port:
        line = _plain_line(rr, out, left)
        if line is not None:
            return line
    user = _user(ctx) if rr.add_username else ""
    uri: str = out.target.uri or ctx.msg.ruri           # type: ignore[union-attr]
    scheme = "sip" if uri[3:4] == ":" or uri[:5].lower() != "sips:" else "sips"
    from_tag: str = ctx.msg.from_tag if rr.append_fromtag else ""
    tag = ";ftag=" + from_tag if from_tag else ""
    more = "".join([tail(ctx) for tail in rr.tails]) if rr.tails else ""
    tail = f";lr{tag}{state.params}{more}>\r\n"
    double = rr.enable_double_rr and came is not left and \
        (came.proto != left.proto or came.adv_host != left.adv_host or came.adv_port != left.adv_port)
    if state.preset:
        double = len(state.preset) > 1
        hosts = list(state.preset)
    else:
        hosts = [_address(rr, ctx, left), _address(rr, ctx, came)] if double else [_address(rr, ctx, left)]
    mark = ";r2=on" if double else ""
    lines = ""
    for host in hosts:
        lines += f"Record-Route: <{scheme}:{user}{host}{mark}{tail}"
    return lines.encode("utf-8", "surrogateescape")


def _plain_line(rr: Router, out: forward.Outgoing, socket: LocalSocket) -> bytes | None:
    """Return the line that nearly all requests get, of parts that are known; None for another scheme or no tag."""
    uri: str = out.target.uri or out.ctx.msg.ruri           # type: ignore[union-attr]
    tag: str = out.ctx.msg.from_tag
    if uri[3:4] != ":" or not tag:
        return None
    start = rr.starts.get(socket.via_start)
    if start is None:
        start = f"Record-Route: <sip:{_address(rr, out.ctx, socket)};lr;ftag=".encode()
        rr.starts[socket.via_start] = start
    return enclosed(start, tag, b">\r\n")


def _user(ctx: Ctx) -> str:
    try:
        user = parse_uri(ctx.ruri or "").user
    except ParseError:
        return ""
    return f"{user}@" if user else ""


def _address(rr: Router, ctx: Ctx, socket: LocalSocket) -> str:
    """Return host, port and transport of a socket as they stand in a Record-Route."""
    if ctx.adv_host or ctx.adv_port:
        return _spell(ctx, socket)
    shown = rr.shown.get(socket.via_start)
    if shown is None:
        shown = rr.shown[socket.via_start] = _spell(ctx, socket)
    return shown


def _spell(ctx: Ctx, socket: LocalSocket) -> str:
    host, port = ctx.adv_host or socket.adv_host, ctx.adv_port or socket.adv_port
    shown = "" if port == DEFAULT_PORTS.get(socket.proto) and host[:1].isdigit() else f":{port}"
    transport = "" if socket.proto == "udp" else f";transport={socket.proto}"
    return f"{bracket(host)}{shown}{transport}"
