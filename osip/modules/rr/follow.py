"""Follow a Route set: take our own values off, find the next hop (RFC 3261 sections 16.4 and 16.6 step 6)."""
from __future__ import annotations

from typing import Any

from osip.api import DEFAULT_PORTS, H_ROUTE, Ctx, NameAddr, ParseError, Uri, parse_name_addr, parse_uri, split_commas

MOST_OWN = 256
"""Addresses of Routes that are remembered as ours or not."""


def loose_route(rr: Any, ctx: Ctx) -> int:
    """Do what the script function of this name does."""
    msg = ctx.msg
    at = msg.ids.find(H_ROUTE)
    if at < 0:
        return -1
    try:
        uri: Uri = msg.uri if ctx.target.uri is None else parse_uri(ctx.target.uri)
        if msg.to_tag and _is_recorded(rr, uri):
            code = _after_strict(rr, ctx, Routes(ctx, at), uri)
        elif (params := _only_ours(rr, msg, at)) is not None:
            ctx.edit.remove_header_at(at)
            rr.state(ctx).route = params
            code = 1 if msg.to_tag else -1
        else:
            code = _after_loose(rr, ctx, Routes(ctx, at))
    except ParseError:
        return -1
    if rr.watchers:
        params = rr.route_params(ctx)
        if params is not None:
            for watcher in rr.watchers:
                watcher(ctx, params)
    return code


def _only_ours(rr: Any, msg: Any, at: int) -> str | None:
    """Return the parameters of the only Route value when it is one of ours, as nearly always; None to look closer."""
    if msg.ids.find(H_ROUTE, at + 1) >= 0:
        return None
    value: str = msg.value(at)
    if value[:5] != "<sip:" or value.find(">") != len(value) - 1 or "," in value or "?" in value or "@" in value:
        return None
    address, _, params = value[5:-1].partition(";")
    lowered = params.lower()
    if "transport" in lowered or "r2=" in lowered:
        return None
    own = rr.own.get(address)
    if own is None:
        if len(rr.own) >= MOST_OWN:
            rr.own.clear()
        own = rr.own[address] = rr.is_ours(parse_uri("sip:" + address))
    return params if own else None


def _is_recorded(rr: Any, uri: Uri) -> bool:
    # A strict router upstream put our Record-Route into the R-URI (RFC 3261 section 16.4). A user of ours at our
    # own address is no such value, so one with a user must carry the mark of a Record-Route.
    return uri.is_sip and (not uri.user or (bool(uri.params) and (uri.has_param("lr") or uri.has_param("ftag")))) \
        and bool(rr.is_ours(uri))


def _after_strict(rr: Any, ctx: Ctx, routes: Routes, uri: Uri) -> int:
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


def _after_loose(rr: Any, ctx: Ctx, routes: Routes) -> int:
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


def _take_second(rr: Any, ctx: Ctx, routes: Routes) -> None:
    """Take off the second header of a double Record-Route; the request leaves by the socket it names."""
    uri = routes.first().uri
    routes.take()
    proto = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
    socket = rr.env.find_socket(proto, uri.host, uri.port or DEFAULT_PORTS.get(proto, 5060))
    if socket is not None:
        ctx.target.socket = socket
    elif rr.enable_socket_mismatch_warning:
        rr.complain("rr:", "no socket for the second Route of a double one uri=%s", uri)


def _consumed(rr: Any, ctx: Ctx, uri: Uri) -> None:
    text = str(uri).partition("?")[0].partition("@")
    params = (text[2] or text[0]).partition(";")[2]
    rr.state(ctx).route = params


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
