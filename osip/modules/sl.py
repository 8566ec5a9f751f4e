"""Reply without state, and absorb the ACKs to such replies by their To tag (RFC 3261 sections 8.2.7 and 16.11)."""
from __future__ import annotations

from osip.api import M_ACK, Ctx, Hook, Module, Route, function, hook, param, reply, stat

_ERRORS = {1: (500, "Server error occurred (1/SL)"), 400: (400, "Bad Request (400/SL)")}
CLASSES = ("", "replies_1xx", "replies_2xx", "replies_3xx", "replies_4xx", "replies_5xx", "replies_6xx")


class Sl(Module):
    """Stateless replies."""

    enable_stats = param(1, ge=0, le=1, doc="Count replies by class.")
    replies_1xx = stat("Stateless 1xx replies.", name="1xx_replies")
    replies_2xx = stat("Stateless 2xx replies.", name="2xx_replies")
    replies_3xx = stat("Stateless 3xx replies.", name="3xx_replies")
    replies_4xx = stat("Stateless 4xx replies.", name="4xx_replies")
    replies_5xx = stat("Stateless 5xx replies.", name="5xx_replies")
    replies_6xx = stat("Stateless 6xx replies.", name="6xx_replies")
    sent_replies = stat("Stateless replies sent.")
    sent_err_replies = stat("Replies that described an internal error.")
    received_acks = stat("ACKs to stateless replies, absorbed.", name="received_ACKs")

    def mod_init(self) -> None:
        """Start with nothing to acknowledge."""
        self._failed = False            # a stateless reply of 300 or above was sent: ACKs may come

    @function(routes=Route.ANY)
    def sl_send_reply(self, ctx: Ctx, code: int, reason: str) -> int:
        """Send a reply without keeping state; -1 for an ACK, outside requests, or when it cannot be sent."""
        msg = ctx.msg
        if msg is None or not msg.is_request or msg.method_id == M_ACK or not 100 <= code <= 699:
            return -1
        headers = reply.contact_lines(ctx) if 300 <= code < 400 else b""
        sent = reply.send_stateless(ctx, code, reason, headers)
        if sent > 0:
            if code >= 200 and not self._failed:
                self._failed = True
            if self.enable_stats:
                self.sent_replies += 1
                if 200 <= code < 300:
                    self.replies_2xx += 1
                else:
                    kind = CLASSES[code // 100]
                    setattr(self, kind, getattr(self, kind) + 1)
        return sent

    @function(routes=Route.REQUEST)
    def sl_reply_error(self, ctx: Ctx) -> int:
        """Reply with the last internal error of this request, 500 when none is known."""
        error = ctx.error
        code, reason = (error[3], error[4]) if error is not None else _ERRORS[1]
        if error is not None and "/SL" not in reason:
            reason = f"{reason} ({code}/SL)"
        sent = self.sl_send_reply(ctx, code, reason)
        if sent > 0 and self.enable_stats:
            self.sent_err_replies += 1
        return int(sent)

    @hook(Hook.REQUEST, order=10, methods=(M_ACK,))
    def absorb_ack(self, ctx: Ctx) -> bool:
        """Take an ACK that carries the To tag of a stateless reply; the script never sees it."""
        msg = ctx.msg
        if not self._failed or msg.to_tag != reply.totag(self.env, msg):
            return False
        if self.enable_stats:
            self.received_acks += 1
        return True
