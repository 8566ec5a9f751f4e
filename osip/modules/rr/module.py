"""Record routes and follow them: Record-Route, loose and strict Route handling (RFC 3261 16.4, 16.6, 16.12)."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from osip.api import DEFAULT_PORTS, Complaint, Ctx, Module, Route, Uri, find_param, function, param, pvar, slot
from osip.modules.rr.follow import loose_route
from osip.modules.rr.record import Recorded, write

BRANCH = int(Route.BRANCH)


class Rr(Module):
    """Record-Route and Route."""

    append_fromtag = param(1, ge=0, le=1, doc="Put the From tag into the Record-Route, for is_direction.")
    enable_double_rr = param(1, ge=0, le=1, doc="Write two headers when a request leaves by another socket.")
    enable_full_lr = param(0, ge=0, le=1, removed="lr is written without a value (RFC 3261 section 19.1.1)",
                           doc="Of 1.x. No effect.")
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
        self.own: dict[str, bool] = {}          # `host[:port]` of Routes seen lately: is it ours?
        self.env.on_reload.append(self.own.clear)

    # --- recording -----------------------------------------------------------------------------------------------

    def state(self, ctx: Ctx) -> Recorded:
        """Return what is known of this request, made on first use; a branch route has its own."""
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
        state = self.state(ctx)
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
        self.state(ctx).params.append(param if param[0] == ";" else ";" + param)
        return 1

    def _finish(self, out: Any) -> bytes:
        return write(self, out)

    # --- following -----------------------------------------------------------------------------------------------

    @function(routes=Route.REQUEST)
    def loose_route(self, ctx: Ctx) -> int:
        """Consume our Route headers and set the next hop.

        1 when there was a Route to follow; -1 without one, and for a request outside a dialog whose only Route was us.
        """
        return loose_route(self, ctx)

    def is_ours(self, uri: Uri) -> bool:
        """Say whether a URI is one that we put into a Record-Route or Path: it names us."""
        if not uri.is_sip or (self.ignore_user is not None and uri.user == self.ignore_user):
            return False
        transport = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
        port = uri.port or DEFAULT_PORTS.get(transport, 5060)
        return bool(self.env.is_myself(uri.host, port))

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


def _pairs(params: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, value if equals else None)
                 for name, equals, value in (part.partition("=") for part in params.split(";")))
