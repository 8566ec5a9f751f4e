"""Choose who sends a reply: tm, when it can keep state, or sl. Compiled, unlike the module that declares the word."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from osip.api import Ctx

if TYPE_CHECKING:
    from osip.modules.sl.replies import Replies

Reply = Callable[[Ctx, int, str], int]


class Choice:
    """What replies with state and what without; at least one of them is there."""
    __slots__ = ("_stateful", "_stateless")

    def __init__(self, stateful: Reply | None, stateless: Replies | None) -> None:
        self._stateful, self._stateless = stateful, stateless

    def send_reply(self, ctx: Ctx, code: int, reason: str) -> int:
        """Reply statefully when a transaction exists or nothing else is there; 1 when sent."""
        stateful, stateless = self._stateful, self._stateless
        if stateless is None or (stateful is not None and ctx.tx is not None):
            return stateful(ctx, code, reason)          # type: ignore[misc]
        return stateless.send_reply(ctx, code, reason)

    def answer(self, ctx: Ctx, code: int, reason: str, headers: bytes) -> int:
        """Reply with whole header lines besides those of the script; 1 when sent."""
        stateless = self._stateless
        before = ctx.reply_edits
        if stateless is not None and not before and code < 300 and (self._stateful is None or ctx.tx is None):
            return stateless.send_reply(ctx, code, reason, headers)
        if headers:
            ctx.reply_edits = [*(before or ()), headers]
        sent = self.send_reply(ctx, code, reason)
        ctx.reply_edits = before
        return sent
