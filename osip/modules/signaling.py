"""Reply with or without state, whichever fits: through tm when a transaction exists, else through sl."""
from __future__ import annotations

from osip.api import Ctx, Module, function, needs, pvar, reply


class Signaling(Module):
    """One word for replying."""

    tm = needs("tm", optional=True)
    sl = needs("sl", optional=True)
    any_of = needs("tm|sl")

    @function(routes="QEF")
    def send_reply(self, ctx: Ctx, code: int, reason: str) -> int:
        """Reply statefully when a transaction exists, else statelessly; 1 when sent."""
        if self.tm is not None and (ctx.tx is not None or self.sl is None):
            return int(self.tm.t_reply(ctx, code, reason))
        return int(self.sl.sl_send_reply(ctx, code, reason))

    @pvar("sig_local_totag")
    def local_totag(self, ctx: Ctx) -> str | None:
        """The To tag that replies of ours to this request carry."""
        msg = ctx.msg
        if msg is None or not msg.is_request:
            return None
        if ctx.tx is not None:
            return str(ctx.tx.to_tag)
        return reply.totag(self.env, msg)
