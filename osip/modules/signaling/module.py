"""Declare signaling: one word for replying."""
from __future__ import annotations

from osip.api import Ctx, Module, function, needs, pvar, reply
from osip.modules.signaling.choice import Choice


class Signaling(Module):
    """One word for replying."""

    tm = needs("tm", optional=True)
    sl = needs("sl", optional=True)
    any_of = needs("tm|sl")

    def mod_init(self) -> None:
        """Let scripts and other modules call what chooses without a step in between."""
        self.choice = Choice(self.tm.t_reply if self.tm is not None else None,
                             self.sl.replies if self.sl is not None else None)
        self.send_reply = self.choice.send_reply

    @function(routes="QEF")
    def send_reply(self, ctx: Ctx, code: int, reason: str) -> int:
        """Reply statefully when a transaction exists, else statelessly; 1 when sent."""
        raise NotImplementedError                       # mod_init puts the choice in its place

    @pvar("sig_local_totag")
    def local_totag(self, ctx: Ctx) -> str | None:
        """The To tag that replies of ours to this request carry."""
        msg = ctx.msg
        if msg is None or not msg.is_request:
            return None
        if ctx.tx is not None:
            return str(ctx.tx.to_tag)
        return reply.totag(self.env, msg)
