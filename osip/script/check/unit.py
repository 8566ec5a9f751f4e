"""Hold one script under check: its nodes by kind and route, its format strings taken apart, what failed to load."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from osip.core.exports.diagnostic import Diagnostic, Span
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check.loading import failed_modules
from osip.script.check.stock import Stock
from osip.script.variable import parse_format

N = TypeVar("N", bound=nodes.Node)


class Unit:
    """One script as the rules read it. `broken` says that parsing found faults, so that parts may be missing,
    `closed` that all its sockets are in it and none comes from the command line."""
    __slots__ = ("script", "registry", "broken", "closed", "failed", "stock", "routes", "_nodes", "_owner", "_formats",
                 "_fields", "_defined")

    def __init__(self, script: nodes.Script, registry: Registry, broken: bool = False,
                 closed: bool = True) -> None:
        self.script, self.registry, self.broken, self.closed = script, registry, broken, closed
        self.failed = failed_modules(script, registry)
        self.stock = Stock(registry)
        self.routes = script.routes()
        self._nodes: dict[type, list[nodes.Node]] = {}
        self._owner: dict[int, nodes.RouteDef] = {}
        self._formats: dict[int, tuple[nodes.Format, list[Diagnostic]]] = {}
        self._fields: dict[type, tuple[str, ...]] = {}
        self._defined: dict[str, dict[str, nodes.RouteDef]] = {}
        for route in self.routes:
            self._defined.setdefault(route.kind, {}).setdefault(route.name or "0", route)
        for item in script.items:
            route = item if isinstance(item, nodes.RouteDef) else None
            for node in self.walk(item):
                self._nodes.setdefault(type(node), []).append(node)
                if route is not None:
                    self._owner[id(node)] = route

    def walk(self, node: nodes.Node) -> Iterator[nodes.Node]:
        """Yield a node and everything below it, in order of writing."""
        stack: list[object] = [node]
        while stack:
            top = stack.pop()
            if isinstance(top, nodes.Node):
                yield top
                stack.extend(getattr(top, name) for name in self._names(type(top)))
            elif isinstance(top, tuple):
                stack.extend(reversed(top))

    def _names(self, kind: type) -> tuple[str, ...]:
        names = self._fields.get(kind)
        if names is None:
            all_names = kind.__dataclass_fields__               # type: ignore[attr-defined]
            names = tuple(name for name in reversed(all_names) if name not in ("span", "name_span"))
            self._fields[kind] = names
        return names

    def all(self, kind: type[N]) -> list[N]:
        """Return every node of one type, in order of writing."""
        return self._nodes.get(kind, [])                        # type: ignore[return-value]

    def route_of(self, node: nodes.Node) -> nodes.RouteDef | None:
        """Return the route block in which a node stands."""
        return self._owner.get(id(node))

    def format(self, text: nodes.Str) -> tuple[nodes.Format, list[Diagnostic]]:
        """Take a format string apart; its findings come along."""
        found = self._formats.get(id(text))
        if found is None:
            found = self._formats[id(text)] = parse_format(text.value, text.span, raw=text.raw or text.value)
        return found

    def constant(self, text: nodes.Str) -> str | None:
        """Return what a format string expands to when it holds no variable, else None."""
        if "$" not in text.value:
            return text.value
        parts = self.format(text)[0].parts
        return "".join(parts) if all(isinstance(part, str) for part in parts) else None     # type: ignore[arg-type]

    def variable(self, node: nodes.Node | None) -> nodes.VarRef | None:
        """Return the variable that an argument is, also a quoted one (`"$avp(x)"`), else None."""
        if isinstance(node, nodes.VarRef):
            return node
        if not isinstance(node, nodes.Str) or not node.value.startswith("$"):
            return None
        form, faults = self.format(node)
        parts = [part for part in form.parts if part != ""]
        if not faults and len(parts) == 1 and isinstance(parts[0], nodes.VarRef):
            return parts[0]
        return None

    def defined(self, kind: str) -> dict[str, nodes.RouteDef]:
        """Return the named routes of one keyword; the main `route` is "0"."""
        return self._defined.get(kind, {})


def label(route: nodes.RouteDef) -> str:
    """Return a route as its head is written: `failure_route[X]`."""
    return route.kind if route.name is None else f"{route.kind}[{route.name}]"


def inside(text: nodes.Str, start: int, length: int = 1) -> Span:
    """Return a stretch of a string literal's value as a span; the whole literal when escapes blur the position."""
    if text.raw and text.raw != text.value:
        return text.span
    before = text.value[:start]
    line = text.span.line + before.count("\n")
    col = start - before.rfind("\n") if "\n" in before else text.span.col + 1 + start
    return Span(text.span.file, line, col, line, col + max(length, 1))


def lines_of(spans: list[Span]) -> tuple[str, ...]:
    """Return a note that lists the further places of one fault."""
    if not spans:
        return ()
    places = ", ".join(str(span.line) for span in spans[:8]) + (", ..." if len(spans) > 8 else "")
    return (f"also at line{'s' if len(spans) > 1 else ''} {places}",)


