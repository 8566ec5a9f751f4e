"""Say what the engine needs of a compiled script; `osip.script` makes it, the engine knows nothing of the language."""
from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from osip.core.exports.types import Var
    from osip.core.run.ctx import Ctx

RouteFn = Callable[["Ctx"], "int | Awaitable[int]"]
"""A compiled route: returns its code (0 = the script was ended), or a coroutine when it has to wait."""


class TimerRoute(NamedTuple):
    name: str
    interval: int
    run: RouteFn


class Program(Protocol):
    """One compiled script."""
    path: str
    request: RouteFn | None
    reply: RouteFn | None
    error: RouteFn | None
    local: RouteFn | None
    startup: RouteFn | None
    timers: list[TimerRoute]
    events: dict[str, list[RouteFn]]

    def named(self, kind: str, name: str) -> RouteFn | None:
        """Return the route of this keyword (`failure_route`) and name."""

    def expand(self, ctx: Ctx, text: str) -> str:
        """Expand a format string that is known only at run time (parameters such as `log_extra`)."""

    def variable(self, text: str) -> Var:
        """Return the variable written `$avp(x)`; ValueError when it is none."""

    def route_count(self) -> int:
        """Count the routes of every kind."""
