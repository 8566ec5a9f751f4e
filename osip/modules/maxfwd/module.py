"""Declare maxfwd: its parameter and its functions."""
from __future__ import annotations

from osip.api import Ctx, Module, ParseError, Route, function, param
from osip.modules.maxfwd.hops import Hops


class Maxfwd(Module):
    """Max-Forwards checks."""

    max_limit = param(256, ge=1, le=256, live=True, doc="Cap for the value put into outgoing requests.")

    def __init__(self) -> None:
        super().__init__()
        # Scripts call what is compiled without a step in between.
        self.mf_process_maxfwd_header = Hops(self).take

    @function(routes=Route.REQUEST)
    def mf_process_maxfwd_header(self, ctx: Ctx, max_value: int) -> int:
        """Take one hop: 2 the header was added, 1 it was decremented, -1 it was already 0, -2 it cannot be read."""
        return Hops(self).take(ctx, max_value)

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
