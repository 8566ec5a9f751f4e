"""Let another module do something about a response after the script's onreply_route, also where that has to wait."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from osip.api import Ctx
from osip.modules.tm.layer import Layer


class Late:
    """The onreply_route of a transaction (`route`, None for none), and what is called after it with each response.

    It stands where the route alone would: the response is passed on when `work` has returned, or what it returned was
    awaited.
    """
    __slots__ = ("_layer", "route", "_work")

    def __init__(self, layer: Layer, route: Callable[[Ctx], Any] | None, work: Callable[[Ctx], Any]) -> None:
        self._layer, self.route, self._work = layer, route, work

    def __call__(self, ctx: Ctx) -> Any:
        """Run the route, then the work."""
        waits = self._layer.call(self.route, ctx) if self.route is not None else None
        return self._work(ctx) if waits is None else self._go_on(waits, ctx)

    async def _go_on(self, waits: Any, ctx: Ctx) -> None:
        await waits
        found = self._work(ctx)
        if found is not None:
            await found
