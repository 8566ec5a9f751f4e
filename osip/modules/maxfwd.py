"""Count Max-Forwards down and refuse requests that went too far (RFC 3261 section 16.3)."""
from __future__ import annotations

from osip.api import Ctx, Module, ParseError, Route, function, param


class Maxfwd(Module):
    """Max-Forwards checks."""

    max_limit = param(256, ge=1, le=256, live=True, doc="Cap for the value put into outgoing requests.")

    @function(routes=Route.REQUEST)
    def mf_process_maxfwd_header(self, ctx: Ctx, max_value: int) -> int:
        """Take one hop: 2 the header was added, 1 it was decremented, -1 it was already 0, -2 it cannot be read."""
        try:
            hops = ctx.msg.max_forwards
        except ParseError:
            return -2
        if hops == 0:
            return -1
        if hops is None:
            ctx.edit.set_max_forwards(min(max_value, self.max_limit))
            return 2
        ctx.edit.set_max_forwards(min(hops - 1, self.max_limit))
        return 1

    @function(routes="QFB")
    def is_maxfwd_lt(self, ctx: Ctx, max_value: int) -> int:
        """Compare: 1 the received value is below `max_value`, -1 not, -2 no header, -3 it cannot be read."""
        try:
            hops = ctx.msg.max_forwards
        except ParseError:
            return -3
        if hops is None:
            return -2
        return 1 if hops < max_value else -1
