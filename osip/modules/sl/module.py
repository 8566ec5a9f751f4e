"""Declare sl: its parameter, functions and statistics; the work is done in the file beside it."""
from __future__ import annotations

from typing import Any

from osip.api import M_ACK, Ctx, Hook, Module, Route, function, hook, param, stat
from osip.modules.sl.replies import Replies

_ERRORS = {1: (500, "Server error occurred (1/SL)"), 400: (400, "Bad Request (400/SL)")}


def _count(doc: str, name: str = "") -> Any:
    return stat(doc, name=name, holder="replies")


class Sl(Module):
    """Stateless replies."""

    enable_stats = param(1, ge=0, le=1, doc="Count replies by class.")
    replies_1xx = _count("Stateless 1xx replies.", name="1xx_replies")
    replies_2xx = _count("Stateless 2xx replies.", name="2xx_replies")
    replies_3xx = _count("Stateless 3xx replies.", name="3xx_replies")
    replies_4xx = _count("Stateless 4xx replies.", name="4xx_replies")
    replies_5xx = _count("Stateless 5xx replies.", name="5xx_replies")
    replies_6xx = _count("Stateless 6xx replies.", name="6xx_replies")
    sent_replies = _count("Stateless replies sent.")
    sent_err_replies = stat("Replies that described an internal error.")
    received_acks = _count("ACKs to stateless replies, absorbed.", name="received_ACKs")

    def __init__(self) -> None:
        self.replies = replies = Replies()
        super().__init__()
        # What the core and compiled scripts take from this object they then call without a step in between.
        self.sl_send_reply, self.absorb_ack = replies.send_reply, replies.absorb_ack

    def mod_init(self) -> None:
        """Start with nothing to acknowledge."""
        self.replies.begin(self)

    @function(routes="QE")
    def sl_send_reply(self, ctx: Ctx, code: int, reason: str) -> int:
        """Send a reply without keeping state; -1 for an ACK, outside requests, or when it cannot be sent."""
        return self.replies.send_reply(ctx, code, reason)

    @function(routes=Route.REQUEST)
    def sl_reply_error(self, ctx: Ctx) -> int:
        """Reply with the last internal error of this request, 500 when none is known."""
        error = ctx.error
        code, reason = (error[3], error[4]) if error is not None else _ERRORS[1]
        if error is not None and "/SL" not in reason:
            reason = f"{reason} ({code}/SL)"
        sent = self.replies.send_reply(ctx, code, reason)
        if sent > 0 and self.enable_stats:
            self.sent_err_replies += 1
        return sent

    @hook(Hook.REQUEST, order=10, methods=(M_ACK,))
    def absorb_ack(self, ctx: Ctx) -> bool:
        """Take an ACK that carries the To tag of a stateless reply; the script never sees it."""
        return self.replies.absorb_ack(ctx)
