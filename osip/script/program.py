"""Hold one compiled script: its routes by kind and name (the `Program` that `osip.core.run.program` asks for)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.core.exports.diagnostic import Span
from osip.core.exports.types import Value
from osip.core.run.program import RouteFn, TimerRoute
from osip.script.runtime import bounded, clash
from osip.script.runtime import text as text_of
from osip.script.variable import parse_variable

if TYPE_CHECKING:
    from osip.core.run.ctx import Ctx
    from osip.script.emit.unit import Unit
    from osip.script.reference import Reference

_REMEMBERED = 512
_NESTED = 16
"""Most evaluations within evaluations: a text may evaluate itself."""
_SHOWN = 60


class Program:
    """One compiled script. A transaction keeps the routes that it armed, and with them the program they came from."""
    __slots__ = (
        "_count",
        "_evals",
        "_expanders",
        "_routes",
        "_unit",
        "_variables",
        "error",
        "events",
        "local",
        "path",
        "reply",
        "request",
        "space",
        "startup",
        "timers",
    )

    def __init__(self, path: str, unit: Unit) -> None:
        self.path = path
        self.request: RouteFn | None = None
        self.reply: RouteFn | None = None
        self.error: RouteFn | None = None
        self.local: RouteFn | None = None
        self.startup: RouteFn | None = None
        self.timers: list[TimerRoute] = []
        self.events: dict[str, list[RouteFn]] = {}
        self.space: dict[str, Any] = unit.names.space       # globals of the emitted code
        self._unit = unit
        self._routes: dict[tuple[str, str], RouteFn] = {}
        self._count = self._evals = 0
        self._expanders: dict[tuple[str, bool], Any] = {}
        self._variables: dict[str, Reference] = {}

    def add(self, key: tuple[str, str], function: RouteFn) -> None:
        """Take in one route."""
        kind, name = key
        self._count += 1
        self._routes.setdefault(key, function)
        if kind == "event_route":
            self.events.setdefault(name, []).append(function)

    def seal(self) -> None:
        """Find the routes that the engine runs by itself."""
        self.request = self._routes.get(("route", ""))
        self.reply = self._routes.get(("onreply_route", ""))
        self.error = self._routes.get(("error_route", ""))
        self.local = self._routes.get(("local_route", ""))
        self.startup = self._routes.get(("startup_route", ""))
        flow = self._unit.flow
        flow.error = self.error
        flow.routes.update({name or "0": function for (kind, name), function in self._routes.items()
                            if kind == "route"})

    def named(self, kind: str, name: str) -> RouteFn | None:
        """Return the route of this keyword (`failure_route`) and name."""
        return self._routes.get((kind, "" if name == "0" else name))

    def names(self, kind: str) -> list[str]:
        """Return the names of the routes of this keyword, without the unnamed one."""
        return [name for found, name in self._routes if found == kind and name]

    def route_count(self) -> int:
        """Count the routes of every kind."""
        return self._count

    # --- texts that come to be at run time --------------------------------------------------------------------------

    def expand(self, ctx: Ctx, text: str) -> str:
        """Expand a format string that is known only at run time."""
        return text if "$" not in text else self._expander(text, False)(ctx)

    def eval(self, ctx: Ctx, value: Value) -> str | None:
        """Carry out `{s.eval}`: NULL (and a log line) for a text that no script could have as a format string."""
        if value is None or "$" not in (text := text_of(value)):
            return None if value is None else text
        self._evals += 1
        try:
            if self._evals > _NESTED:
                raise ValueError("evaluates itself")
            return bounded(self._unit.env.config.pv_print_buf_size, self._expander(text, True)(ctx))
        except ValueError as error:
            clash(f"s.eval: {error} in {text[:_SHOWN]!r}")
            return None
        finally:
            self._evals -= 1

    def _expander(self, text: str, strict: bool) -> Any:
        found = self._expanders.get((text, strict))
        if found is None:
            from osip.script.emit import (
                route,  # the emitter makes programs; only this needs it back
            )
            if len(self._expanders) >= _REMEMBERED:
                self._expanders.clear()
            found = route.expander(self._unit, text, _here(text), strict=strict)
            self._expanders[text, strict] = found
        return found

    def trace(self, ctx: Ctx, file: str, line: int, kind: str, action: str) -> None:
        """Tell one action to `script_trace`."""
        words: Any = self._unit.registry.instances.get("core_script")
        state = ctx[words.trace] if words is not None else None
        if state is not None:
            words.trace_step(ctx, f"{file}:{line}", kind, action, self.expand(ctx, state[1]))

    def variable(self, text: str) -> Reference:
        """Return a variable, written `$avp(x)`, to read and assign; ValueError when it is none."""
        found = self._variables.get(text)
        if found is None:
            from osip.script.emit import assign
            faults: list[Any] = []
            var = parse_variable(text.strip(), _here(text), faults)
            if faults or not text.strip().startswith("$"):
                raise ValueError(f"{text!r} is no variable")
            if len(self._variables) >= _REMEMBERED:
                self._variables.clear()
            found = self._variables[text] = assign.reference(self._unit, var)
        return found


def _here(text: str) -> Span:
    return Span("<text>", 1, 1, 1, len(text) + 1)
