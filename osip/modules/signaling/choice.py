"""Choose who sends a reply: tm, when it can keep state, or sl. Compiled, unlike the module that declares the word."""
from __future__ import annotations

from collections.abc import Callable

from osip.api import Ctx

Reply = Callable[[Ctx, int, str], int]


class Choice:
    """What replies with state and what without; at least one of them is there."""
    __slots__ = ("_stateful", "_stateless")

    def __init__(self, stateful: Reply | None, stateless: Reply | None) -> None:
        self._stateful, self._stateless = stateful, stateless

    def send_reply(self, ctx: Ctx, code: int, reason: str) -> int:
        """Reply statefully when a transaction exists or nothing else is there; 1 when sent."""
        stateful, stateless = self._stateful, self._stateless
        if stateless is None or (stateful is not None and ctx.tx is not None):
            return stateful(ctx, code, reason)          # type: ignore[misc]
        return stateless(ctx, code, reason)
