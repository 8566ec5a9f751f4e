"""Record routes and follow them: Record-Route, loose and strict Route handling (RFC 3261 16.4, 16.6, 16.12)."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from osip.api import (DEFAULT_PORTS, H_ROUTE, Complaint, Ctx, Module, NameAddr, ParseError, Route, Uri, bracket,
                      find_param, function, param, parse_name_addr, parse_uri, pvar, slot, split_commas)

BRANCH = int(Route.BRANCH)


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


class Rr(Module):
    """Record-Route and Route."""

    append_fromtag = param(1, ge=0, le=1, doc="Put the From tag into the Record-Route, for is_direction.")
    enable_double_rr = param(1, ge=0, le=1, doc="Write two headers when a request leaves by another socket.")
    ignore_user = param(None, kind=str, doc="A Route with this user part is not ours.")
    add_username = param(0, ge=0, le=1, doc="Put the user part of the R-URI into the Record-Route.")
    enable_socket_mismatch_warning = param(1, ge=0, le=1, doc="Warn when a double Route names no socket of ours.")
    recorded = slot(Recorded)

    def mod_init(self) -> None:
        """Start without listeners."""
        self.complain = Complaint(self.env.log, clock=lambda: self.env.now)
        # Called as (ctx, route parameters) when loose_route has consumed a Route of ours and set the next hop.
        self.watchers: list[Callable[[Ctx, str], Any]] = []
        # Called as (ctx) when a Record-Route is written; they return more parameters for it (`;name=value`) or "".
        self.tails: list[Callable[[Ctx], str]] = []

    # --- recording -----------------------------------------------------------------------------------------------

    def _recorded(self, ctx: Ctx) -> Recorded:
        state: Recorded | None = ctx[self.recorded]
        if state is None:
            state = ctx[self.recorded] = Recorded(ctx.kind)
        elif ctx.kind == BRANCH and state.kind != BRANCH:
            state = ctx[self.recorded] = state.copy(BRANCH)
        return state

    @function(routes="QBF")
    def record_route(self, ctx: Ctx, params: str | None = None) -> int:
        """Add our Record-Route, written when the request is sent; -1 the second time."""
        return self._record(ctx, (), params)

    @function(routes="QBF")
    def record_route_preset(self, ctx: Ctx, string: str, string2: str | None = None) -> int:
        """Add a Record-Route with the given `host[:port][;params]`; with two, the outbound one comes first."""
        return self._record(ctx, (string, string2) if string2 else (string,), None) if string else -1

    def _record(self, ctx: Ctx, preset: tuple[str, ...], params: str | None) -> int:
        state = self._recorded(ctx)
        if state.done or not ctx.msg.is_request:
            return -1
        state.done = True
        state.preset = preset
        if params:
            state.params.append(params if params[0] == ";" else ";" + params)
        ctx.edit.insert_hf(self._finish)
        return 1

    @function(routes="QBF")
    def add_rr_param(self, ctx: Ctx, param: str) -> int:
        """Append `;name=value` to the Record-Route that was or will be added."""
        if not param:
            return -1
        self._recorded(ctx).params.append(param if param[0] == ";" else ";" + param)
        return 1

    def _finish(self, out: Any) -> bytes:
        ctx = out.ctx
        state: Recorded = ctx[self.recorded]
        user = self._user(ctx) if self.add_username else ""
        scheme = "sips" if (out.target.uri or ctx.msg.ruri)[:5].lower() == "sips:" else "sip"
        tag = f";ftag={ctx.msg.from_tag}" if self.append_fromtag and ctx.msg.from_tag else ""
        more = "".join([write(ctx) for write in self.tails])
        tail = f";lr{tag}{''.join(state.params)}{more}>\r\n"
        came, left = out.socket_in, out.socket_out
        double = bool(self.enable_double_rr) and came is not left and \
            (came.proto != left.proto or came.adv_host != left.adv_host or came.adv_port != left.adv_port)
        if state.preset:
            double = len(state.preset) > 1
            hosts = list(state.preset)
        else:
            hosts = [_address(ctx, left), _address(ctx, came)] if double else [_address(ctx, left)]
        mark = ";r2=on" if double else ""
        return "".join([f"Record-Route: <{scheme}:{user}{host}{mark}{tail}" for host in hosts]).encode(
            "utf-8", "surrogateescape")

    @staticmethod
    def _user(ctx: Ctx) -> str:
        try:
            user = parse_uri(ctx.ruri or "").user
        except ParseError:
            return ""
        return f"{user}@" if user else ""

    # --- following -----------------------------------------------------------------------------------------------

    @function(routes=Route.REQUEST)
    def loose_route(self, ctx: Ctx) -> int:
        """Consume our Route headers and set the next hop.

        1 when there was a Route to follow; -1 without one, and for a request outside a dialog whose only Route was us.
        """
        msg = ctx.msg
        at = msg.ids.find(H_ROUTE)
        if at < 0:
            return -1
        try:
            routes = Routes(ctx, at)
            uri = parse_uri(ctx.ruri or "")
            if msg.to_tag and self._is_recorded(uri):
                code = self._after_strict(ctx, routes, uri)
            else:
                code = self._after_loose(ctx, routes)
        except ParseError:
            return -1
        params = self.route_params(ctx)
        if params is not None:
            for watcher in self.watchers:
                watcher(ctx, params)
        return code

    def _is_ours(self, uri: Uri) -> bool:
        if not uri.is_sip or (self.ignore_user is not None and uri.user == self.ignore_user):
            return False
        transport = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
        port = uri.port or DEFAULT_PORTS.get(transport, 5060)
        return bool(self.env.is_myself(uri.host, port))

    def _is_recorded(self, uri: Uri) -> bool:
        # A strict router upstream put our Record-Route into the R-URI (RFC 3261 section 16.4). A user of ours at our
        # own address is no such value, so one with a user must carry the mark of a Record-Route.
        return uri.is_sip and (not uri.user or uri.has_param("lr") or uri.has_param("ftag")) and self._is_ours(uri)

    def _after_strict(self, ctx: Ctx, routes: Routes, uri: Uri) -> int:
        self._consumed(ctx, uri)
        if uri.has_param("r2") and routes.left() and self._is_ours(routes.first().uri):
            self._take_second(ctx, routes)
        if not routes.left():
            routes.apply()
            return -1
        first = routes.first()
        if not first.uri.has_param("lr"):
            # Strict before and behind us: the next Route takes the place of the R-URI.
            ctx.target.uri = first.uri_text
            routes.take()
        else:
            last = routes.last()
            ctx.target.uri = last.uri_text
            routes.take_last()
            ctx.target.du = routes.first().uri_text if routes.left() else None
        routes.apply()
        return 1

    def _after_loose(self, ctx: Ctx, routes: Routes) -> int:
        ours = False
        uri = routes.first().uri
        if self._is_ours(uri):
            ours = True
            routes.take()
            self._consumed(ctx, uri)
            if uri.has_param("r2") and routes.left() and self._is_ours(routes.first().uri):
                self._take_second(ctx, routes)
            if not routes.left():
                routes.apply()
                return 1 if ctx.msg.to_tag else -1
        following = routes.first()
        if following.uri.has_param("lr"):
            ctx.target.du = following.uri_text
        else:
            # A strict router is next: it wants itself in the R-URI and the R-URI as the last Route (16.6 step 6).
            old = ctx.ruri or ""
            routes.take()
            routes.append(old)
            ctx.target.uri, ctx.target.du = following.uri_text, None
        routes.apply()
        if not ours:
            self._recorded(ctx).route = None
        return 1

    def _take_second(self, ctx: Ctx, routes: Routes) -> None:
        """Take off the second header of a double Record-Route; the request leaves by the socket it names."""
        uri = routes.first().uri
        routes.take()
        proto = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
        socket = self.env.find_socket(proto, uri.host, uri.port or DEFAULT_PORTS.get(proto, 5060))
        if socket is not None:
            ctx.target.socket = socket
        elif self.enable_socket_mismatch_warning:
            self.complain("rr:", "no socket for the second Route of a double one uri=%s", uri)

    def _consumed(self, ctx: Ctx, uri: Uri) -> None:
        text = str(uri).partition("?")[0].partition("@")
        params = (text[2] or text[0]).partition(";")[2]
        self._recorded(ctx).route = params

    def route_params(self, ctx: Ctx) -> str | None:
        """Return the parameters of the Route of ours that was consumed; None before loose_route."""
        state: Recorded | None = ctx[self.recorded]
        return state.route if state is not None else None

    @function(routes=Route.REQUEST)
    def check_route_param(self, ctx: Ctx, re: re.Pattern) -> int:
        """Search the parameters of our consumed Route; 1 found, -1 not."""
        params = self.route_params(ctx)
        return 1 if params is not None and re.search(params) else -1

    @function(routes=Route.REQUEST)
    def is_direction(self, ctx: Ctx, dir: str) -> int:
        """Say whether a request within a dialog goes `downstream` (from the caller) or `upstream`."""
        params = self.route_params(ctx)
        tag = find_param(_pairs(params), "ftag") if params else None
        downstream = not tag or tag == ctx.msg.from_tag
        wanted = dir.strip().lower()
        if wanted not in ("downstream", "upstream"):
            return -1
        return 1 if downstream == (wanted == "downstream") else -1

    @pvar("rr_params")
    def rr_params(self, ctx: Ctx) -> str | None:
        """The parameters of the Route of ours that loose_route consumed."""
        return self.route_params(ctx)


class Routes:
    """The Route set of a request while it is worked on: values over all lines, as taken off or added."""
    __slots__ = ("ctx", "lines", "values", "taken", "dropped", "extra")

    def __init__(self, ctx: Ctx, at: int) -> None:
        msg = ctx.msg
        self.ctx = ctx
        self.lines: list[tuple[int, int]] = []          # (header index, number of values)
        self.values: list[str] = []
        while at >= 0:
            found = split_commas(msg.value(at))
            self.lines.append((at, len(found)))
            self.values += found
            at = msg.ids.find(H_ROUTE, at + 1)
        self.taken = 0                                  # from the front
        self.dropped = 0                                # from the end
        self.extra: list[str] = []

    def left(self) -> int:
        """Count the values that remain."""
        return len(self.values) - self.taken - self.dropped

    def first(self) -> NameAddr:
        """Return the first remaining value."""
        return parse_name_addr(self.values[self.taken])

    def last(self) -> NameAddr:
        """Return the last remaining value."""
        return parse_name_addr(self.values[len(self.values) - self.dropped - 1])

    def take(self) -> None:
        """Take the first value off."""
        self.taken += 1

    def take_last(self) -> None:
        """Take the last value off."""
        self.dropped += 1

    def append(self, uri: str) -> None:
        """Add a URI behind the last value."""
        self.extra.append(f"Route: <{uri}>")

    def apply(self) -> None:
        """Lay the changes over the request; lines that keep all their values are not touched."""
        edit, msg = self.ctx.edit, self.ctx.msg
        end = len(self.values) - self.dropped
        number = 0
        for at, count in self.lines:
            kept = self.values[max(number, self.taken):min(number + count, end)]
            number += count
            if not kept:
                edit.remove_header_at(at)
            elif len(kept) < count:
                edit.set_value(at, ", ".join(kept))
        if self.extra:
            pos = msg.line_end(self.lines[-1][0])
            edit.insert(pos, "".join(line + "\r\n" for line in self.extra).encode("utf-8", "surrogateescape"))


def _pairs(params: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, value if equals else None)
                 for name, equals, value in (part.partition("=") for part in params.split(";")))


def _address(ctx: Ctx, socket: Any) -> str:
    """Return host, port and transport of a socket as they stand in a Record-Route."""
    host, port = ctx.adv_host or socket.adv_host, ctx.adv_port or socket.adv_port
    shown = "" if port == DEFAULT_PORTS.get(socket.proto) and host[:1].isdigit() else f":{port}"
    transport = "" if socket.proto == "udp" else f";transport={socket.proto}"
    return f"{bracket(host)}{shown}{transport}"
