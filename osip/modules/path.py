"""Keep an edge proxy in the way of later requests to a registered contact (RFC 3327)."""
from __future__ import annotations

from typing import Any

from osip.api import (DEFAULT_PORTS, Complaint, Ctx, Module, ModuleError, ParseError, Route, bracket, find_param,
                      function, needs, param, parse_params, parse_uri, unescape_user)


class Hop:
    """A Path header of ours, written when the request is sent: only then is the socket it leaves by known."""
    __slots__ = ("user", "received", "is_double", "params")

    def __init__(self, user: str, received: str, is_double: bool, params: str = "") -> None:
        self.user, self.received, self.is_double, self.params = user, received, is_double, params

    def __call__(self, out: Any) -> bytes:
        came, left = out.socket_in, out.socket_out
        double = self.is_double and came is not left and \
            (came.proto, came.adv_host, came.adv_port) != (left.proto, left.adv_host, left.adv_port)
        # The registrar meets the side it will send to first.
        sockets = (left, came) if double else (left,)
        user = f"{self.user}@" if self.user else ""
        tail = ";lr" + (f";received={self.received}" if self.received else "") + (";r2=on" if double else "") \
            + self.params
        return "".join([f"Path: <sip:{user}{_address(out.ctx, socket)}{tail}>\r\n" for socket in sockets]).encode(
            "utf-8", "surrogateescape")


class Path(Module):
    """Path headers for the proxies between phone and registrar."""

    use_received = param(0, ge=0, le=1, doc="Send a request where the `received` parameter of our Route says.")
    enable_double_path = param(1, ge=0, le=1, live=True,
                               doc="Add two headers when a request leaves by another socket.")
    rr = needs("rr", when="use_received")

    def mod_init(self) -> None:
        """Listen to rr."""
        self.complain = Complaint(self.env.log, clock=lambda: self.env.now)
        if self.use_received:
            if self.rr is None:
                raise ModuleError('path: use_received needs loadmodule "rr.so"')
            self.rr.watchers.append(self.on_route)

    @function(routes=Route.REQUEST)
    def add_path(self, ctx: Ctx, user: str | None = None) -> int:
        """Put a Path header with our address on top; -1 when the user part cannot stand in a URI."""
        return self._add(ctx, user or "", "")

    @function(routes=Route.REQUEST)
    def add_path_received(self, ctx: Ctx, user: str | None = None) -> int:
        """Put a Path header on top that also tells where the request came from."""
        source = ctx.source
        if source is None:
            return -1
        proto = source.socket.proto
        # A semicolon would end the parameter.
        transport = f"%3Btransport%3D{proto}" if proto != "udp" else ""
        return self._add(ctx, user or "", f"sip:{bracket(source.host)}:{source.port}{transport}")

    def add(self, ctx: Ctx, params: str) -> None:
        """Put a Path header with our address and these parameters on top; for other modules."""
        ctx.edit.insert_hf(Hop("", "", bool(self.enable_double_path), params))

    def _add(self, ctx: Ctx, user: str, received: str) -> int:
        if user:
            try:
                if "@" in user or not parse_uri(f"sip:{user}@localhost").user:
                    return -1
            except ParseError:
                return -1
        ctx.edit.insert_hf(Hop(user, received, bool(self.enable_double_path)))
        return 1

    def on_route(self, ctx: Ctx, params: str) -> None:
        """Aim at the phone behind the address that it registered from."""
        received = find_param(parse_params(";" + params), "received")
        if not received:
            return
        uri = unescape_user(received)
        try:
            if parse_uri(uri).is_sip:
                ctx.target.du = uri
        except ParseError:
            self.complain("path:", "unusable received=%r call_id=%s", received, ctx.msg.call_id)


def _address(ctx: Ctx, socket: Any) -> str:
    """Return host, port and transport of a socket as they stand in a Path."""
    host, port = ctx.adv_host or socket.adv_host, ctx.adv_port or socket.adv_port
    shown = "" if port == DEFAULT_PORTS.get(socket.proto) and host[:1].isdigit() else f":{port}"
    transport = "" if socket.proto == "udp" else f";transport={socket.proto}"
    return f"{bracket(host)}{shown}{transport}"
