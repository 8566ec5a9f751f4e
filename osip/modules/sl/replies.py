"""Send replies without state and know the ACKs to them. Compiled, unlike the module that declares the functions."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osip.api import M_ACK, Ctx, Request, reply

if TYPE_CHECKING:
    from osip.api import Env

_REQUEST: Final[Any] = Request          # what nearly all are: one comparison tells


class Replies:
    """Reply and count, for one worker."""
    __slots__ = ("env", "enable_stats", "failed", "replies_1xx", "replies_2xx", "replies_3xx", "replies_4xx",
                 "replies_5xx", "replies_6xx", "sent_replies", "received_acks")

    env: Env                # from `begin` on

    def __init__(self) -> None:
        self.enable_stats = True
        self.failed = False             # a final reply was sent: ACKs may come
        self.replies_1xx = self.replies_2xx = self.replies_3xx = 0
        self.replies_4xx = self.replies_5xx = self.replies_6xx = 0
        self.sent_replies = self.received_acks = 0

    def begin(self, module: Any) -> None:
        """Take over the environment and the parameters of the module."""
        self.env, self.enable_stats = module.env, bool(module.enable_stats)

    def send_reply(self, ctx: Ctx, code: int, reason: str, headers: bytes = b"") -> int:
        """Send a reply without keeping state; see the module's function. `headers` are whole lines."""
        msg: Any = ctx.msg
        kind: Any = type(msg)
        if (kind is not _REQUEST and (msg is None or not msg.is_request)) or msg.method_id == M_ACK \
                or not 100 <= code <= 699:
            return -1
        if 300 <= code < 400:
            headers = reply.contact_lines(ctx) + headers
        sent = reply.send_stateless(ctx, code, reason, headers)
        if sent > 0:
            if code >= 200:
                self.failed = True
            if self.enable_stats:
                self.count(code)
        return sent

    def count(self, code: int) -> None:
        """Count a reply, also by its class."""
        self.sent_replies += 1
        if code < 200:
            self.replies_1xx += 1
        elif code < 300:
            self.replies_2xx += 1
        elif code < 400:
            self.replies_3xx += 1
        elif code < 500:
            self.replies_4xx += 1
        elif code < 600:
            self.replies_5xx += 1
        else:
            self.replies_6xx += 1

    def absorb_ack(self, ctx: Ctx) -> bool:
        """Take an ACK that carries the To tag of a stateless reply; the script never sees it."""
        msg: Any = ctx.msg
        if not self.failed or msg.to_tag != reply.totag(self.env, msg):
            return False
        if self.enable_stats:
            self.received_acks += 1
        return True
