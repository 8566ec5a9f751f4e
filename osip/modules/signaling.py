"""Reply with or without state, whichever fits: through tm when a transaction exists, else through sl."""
from __future__ import annotations

from collections.abc import Callable

from osip.api import Ctx, Module, function, needs, pvar, reply


class Signaling(Module):
    """One word for replying."""

    tm = needs("tm", optional=True)
    sl = needs("sl", optional=True)
    any_of = needs("tm|sl")

    def mod_init(self) -> None:
        """Find what replies without state: to look it up for each reply would cost more than the call."""
        self._reply: Callable[[Ctx, int, str], int] | None = self.sl.sl_send_reply if self.sl is not None else None

    @function(routes="QEF")
    def send_reply(self, ctx: Ctx, code: int, reason: str) -> int:
        """Reply statefully when a transaction exists, else statelessly; 1 when sent."""
        stateless = self._reply
        if stateless is None or (ctx.tx is not None and self.tm is not None):
            return int(self.tm.t_reply(ctx, code, reason))
        return stateless(ctx, code, reason)

    @pvar("sig_local_totag")
    def local_totag(self, ctx: Ctx) -> str | None:
        """The To tag that replies of ours to this request carry."""
        msg = ctx.msg
        if msg is None or not msg.is_request:
            return None
        if ctx.tx is not None:
            return str(ctx.tx.to_tag)
        return reply.totag(self.env, msg)
