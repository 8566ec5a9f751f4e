"""Follow a Route set: take our own values off, find the next hop (RFC 3261 sections 16.4 and 16.6 step 6)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import (DEFAULT_PORTS, H_ROUTE, Ctx, NameAddr, ParseError, Uri, has_plain_user, only_route, parse_name_addr, parse_uri,
                      split_commas, value_start)

if TYPE_CHECKING:
    from osip.modules.rr.router import Router


def loose_route(rr: Router, ctx: Ctx) -> int:
    """Do what the script function of this name does."""
    msg: Any = ctx.msg
    try:
        start, end, address, params = only_route(msg)
        if start < 0 and value_start(msg, H_ROUTE) < 0:
            return -1
        uri: Uri | None = None                          # stays so where it cannot be what we recorded
        if ctx.target.uri is not None:
            uri = parse_uri(ctx.target.uri)
        elif not has_plain_user(msg):
            uri = msg.uri
        in_dialog = bool(msg.to_tag)
        if uri is not None and in_dialog and _is_recorded(rr, uri):
            code = _after_strict(rr, ctx, Routes(ctx), uri)
        elif start >= 0 and rr.is_own(address):         # one plain value of ours, as nearly always
            ctx.edit.drop(start, end)
            rr.state(ctx).route = params
            code = 1 if in_dialog else -1
        else:
            code = _after_loose(rr, ctx, Routes(ctx))
    except ParseError:
        return -1
    if rr.watchers:
        told = rr.route_params(ctx)
        if told is not None:
            for watcher in rr.watchers:
                watcher(ctx, told)
    return code


def _is_recorded(rr: Router, uri: Uri) -> bool:
    # A strict router upstream put our Record-Route into the R-URI (RFC 3261 section 16.4). A user of ours at our
    # own address is no such value, so one with a user must carry the mark of a Record-Route.
    if uri.user and not uri.params:
        return False
    return uri.is_sip and (not uri.user or (bool(uri.params) and (uri.has_param("lr") or uri.has_param("ftag")))) \
        and bool(rr.is_ours(uri))


def _after_strict(rr: Router, ctx: Ctx, routes: Routes, uri: Uri) -> int:
    _consumed(rr, ctx, uri)
    if uri.has_param("r2") and routes.left() and rr.is_ours(routes.first().uri):
        _take_second(rr, ctx, routes)
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


def _after_loose(rr: Router, ctx: Ctx, routes: Routes) -> int:
    ours = False
    uri = routes.first().uri
    if rr.is_ours(uri):
        ours = True
        routes.take()
        _consumed(rr, ctx, uri)
        if uri.has_param("r2") and routes.left() and rr.is_ours(routes.first().uri):
            _take_second(rr, ctx, routes)
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
        rr.state(ctx).route = None
    return 1


def _take_second(rr: Router, ctx: Ctx, routes: Routes) -> None:
    """Take off the second header of a double Record-Route; the request leaves by the socket it names."""
    uri = routes.first().uri
    routes.take()
    proto = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
    socket = rr.env.find_socket(proto, uri.host, uri.port or DEFAULT_PORTS.get(proto, 5060))
    if socket is not None:
        ctx.target.socket = socket
    elif rr.complain is not None:
        rr.complain("rr:", "no socket for the second Route of a double one uri=%s", uri)


def _consumed(rr: Router, ctx: Ctx, uri: Uri) -> None:
    text = str(uri).partition("?")[0].partition("@")
    params = (text[2] or text[0]).partition(";")[2]
    rr.state(ctx).route = params


class Routes:
    """The Route set of a request while it is worked on: values over all lines, as taken off or added."""
    __slots__ = ("ctx", "lines", "values", "taken", "dropped", "extra")

    def __init__(self, ctx: Ctx) -> None:
        msg = ctx.msg
        at = msg.ids.find(H_ROUTE)
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
