"""Count the hops of a request down. Compiled, unlike the module that declares the function."""
from __future__ import annotations

from typing import Any

from osip.api import Ctx, ParseError


class Hops:
    """Take hops for one worker; `module` has the parameters, which a reload may change."""
    __slots__ = ("module",)

    def __init__(self, module: Any) -> None:
        self.module = module

    def take(self, ctx: Ctx, max_value: int) -> int:
        """Take one hop; see the module's function."""
        msg: Any = ctx.msg
        try:
            hops: int | None = msg.max_forwards
        except ParseError:
            return -2
        if hops is None:
            left, code = max_value, 2
        elif hops == 0:
            return -1
        else:
            left, code = hops - 1, 1
        limit: int = self.module.max_limit
        ctx.edit.set_max_forwards(left if left < limit else limit)
        return code
