"""Record routes and follow them: Record-Route, loose and strict Route handling (RFC 3261 16.4, 16.6, 16.12)."""
from __future__ import annotations

import re

from osip.api import Complaint, Ctx, Module, Route, Uri, find_param, function, param, pvar, slot
from osip.modules.rr.record import Recorded
from osip.modules.rr.router import Router


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

    def __init__(self) -> None:
        self.router = router = Router(self.recorded)
        super().__init__()
        self.watchers, self.tails, self.own = router.watchers, router.tails, router.own
        # Scripts call what is compiled without a step in between.
        self.record_route, self.loose_route = router.record_route, router.loose_route

    def mod_init(self) -> None:
        """Take the parameters over."""
        self.complain = Complaint(self.env.log, clock=lambda: self.env.now)
        self.router.begin(self)

    # --- recording -----------------------------------------------------------------------------------------------

    def state(self, ctx: Ctx) -> Recorded:
        """Return what is known of this request, made on first use; a branch route has its own."""
        return self.router.state(ctx)

    @function(routes="QBF")
    def record_route(self, ctx: Ctx, params: str | None = None) -> int:
        """Add our Record-Route, written when the request is sent; -1 the second time."""
        return self.router.record_route(ctx, params)

    @function(routes="QBF")
    def record_route_preset(self, ctx: Ctx, string: str, string2: str | None = None) -> int:
        """Add a Record-Route with the given `host[:port][;params]`; with two, the outbound one comes first."""
        return self.router.record(ctx, (string, string2) if string2 else (string,), None) if string else -1

    @function(routes="QBF")
    def add_rr_param(self, ctx: Ctx, param: str) -> int:
        """Append `;name=value` to the Record-Route that was or will be added."""
        if not param:
            return -1
        self.state(ctx).params += param if param[0] == ";" else ";" + param
        return 1

    # --- following -----------------------------------------------------------------------------------------------

    @function(routes=Route.REQUEST)
    def loose_route(self, ctx: Ctx) -> int:
        """Consume our Route headers and set the next hop.

        1 when there was a Route to follow; -1 without one, and for a request outside a dialog whose only Route was us.
        """
        return self.router.loose_route(ctx)

    def is_ours(self, uri: Uri) -> bool:
        """Say whether a URI is one that we put into a Record-Route or Path: it names us."""
        return self.router.is_ours(uri)

    def route_params(self, ctx: Ctx) -> str | None:
        """Return the parameters of the Route of ours that was consumed; None before loose_route."""
        return self.router.route_params(ctx)

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
