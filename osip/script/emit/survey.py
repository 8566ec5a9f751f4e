"""Look a whole script over before emitting: which special variables it reads, who calls whom, which routes wait."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING

from osip.script import nodes as n
from osip.script.variable import parse_format

if TYPE_CHECKING:
    from osip.core.exports.registry import Registry

Key = tuple[str, str]


def walk(node: object) -> Iterator[n.Node]:
    """Yield a node and all below it."""
    if isinstance(node, n.Node):
        yield node
        for item in fields(node):
            if item.name != "span":
                yield from walk(getattr(node, item.name))
    elif isinstance(node, tuple):
        for part in node:
            yield from walk(part)


def formatted(literal: n.Str) -> tuple[n.VarRef, ...]:
    """Return the variables in a literal, read as a format string."""
    if "$" not in literal.value:
        return ()
    form, _ = parse_format(literal.value, literal.span, literal.raw or None)
    return tuple(part for part in form.parts if isinstance(part, n.VarRef))


def literal(arg: n.Node | None) -> str | None:
    """Return the text of a constant argument, "" for one that was left out; None for one that is computed."""
    if arg is None or isinstance(arg, n.Null):
        return ""
    if isinstance(arg, n.Num):
        return arg.text or str(arg.value)
    return target_name(arg)


def target_name(target: object) -> str | None:
    """Return the constant name that a `route(...)` calls; None when it is computed."""
    if isinstance(target, n.Word):
        return target.name
    if isinstance(target, n.Num):
        return target.text or str(target.value)
    if isinstance(target, n.Str):
        return None if formatted(target) else target.value
    return None


def key_of(route: n.RouteDef) -> Key:
    """Return the kind and name under which a route is known; `route[0]` is `route`."""
    name = "" if route.name == "0" and route.kind in ("route", "onreply_route") else route.name or ""
    return route.kind, name


class Survey:
    """Facts about a script that change how all of it is emitted."""

    def __init__(self, script: n.Script, registry: Registry) -> None:
        self.registry = registry
        self.words: set[str] = set()                    # names of the variables that are read anywhere
        self.calls: dict[Key, set[str | None]] = {}     # called routes; None: a computed name
        self.waits: set[Key] = set()
        self.asking = False                             # a transformation has to ask for something
        self._direct: set[Key] = set()
        self.functions: set[str] = set()
        self.transforms: set[str] = set()
        self._calls: list[tuple[Key, n.Call]] = []
        for route in script.routes():
            self._look(route)
        known = frozenset(self.functions)
        self._methods = {id(call): self._method(call, known) for _, call in self._calls}
        self._direct |= {key for key, call in self._calls if self._methods[id(call)]}
        self._spread()

    def awaited(self, call: n.Call) -> str:
        """Return the method to await for a call; "" when the call never has to wait."""
        return self._methods.get(id(call), "")

    def _method(self, call: n.Call, functions: frozenset[str]) -> str:
        spec = self.registry.function(call.name)
        return "" if spec is None else self.registry.awaited(spec, tuple(map(literal, call.args)), functions)

    @property
    def rc(self) -> bool:
        """Tell whether `$rc` must be kept."""
        return bool(self.words & {"rc", "retcode"})

    @property
    def params(self) -> bool:
        """Tell whether route parameters are read."""
        return "param" in self.words

    @property
    def returns(self) -> bool:
        """Tell whether extra return values are read."""
        return "return" in self.words

    @property
    def stack(self) -> bool:
        """Tell whether the call stack must be kept in every route."""
        return any(word.split(".")[0] == "route" for word in self.words)

    @property
    def traced(self) -> bool:
        """Tell whether every action must be told to `script_trace`."""
        return "script_trace" in self.functions

    def recursive(self, key: Key) -> bool:
        """Tell whether a route can reach itself."""
        seen: set[str] = set()
        todo = [key]
        while todo:
            for name in self.calls.get(todo.pop(), ()):
                if name is None:
                    return key[0] == "route"
                if ("route", name) == key:
                    return True
                if name not in seen:
                    seen.add(name)
                    todo.append(("route", name))
        return False

    def _look(self, route: n.RouteDef) -> None:
        key = key_of(route)
        calls = self.calls.setdefault(key, set())
        deferred: set[int] = set()
        for node in walk(route.body):
            if isinstance(node, n.VarRef | n.Transform):
                self._note(node, key)
            elif isinstance(node, n.Str):
                for var in formatted(node):
                    for inner in walk(var):
                        self._note(inner, key)
            elif isinstance(node, n.RouteCall):
                name = target_name(node.target)
                calls.add("" if name == "0" else name)
            elif isinstance(node, n.Async | n.Launch):
                deferred.add(id(node.call))
            elif isinstance(node, n.Call):
                self.functions.add(node.name)
                if id(node) not in deferred:
                    self._calls.append((key, node))

    def _note(self, node: n.Node, key: Key) -> None:
        if isinstance(node, n.VarRef):
            self.words.add(node.name)
            pvar = self.registry.pvar(node.name)
            if pvar is not None and pvar.ask:
                self.asking = True
                self._direct.add(key)
        elif isinstance(node, n.Transform):
            self.transforms.add(node.name)
            if self.asks(node):
                self.asking = True
                self._direct.add(key)

    def asks(self, node: n.Transform) -> bool:
        """Tell whether a transformation has to ask for something, and so makes its route wait."""
        spec = self.registry.transform(node.name)
        return spec is not None and spec.ask is not None

    def _spread(self) -> None:
        waits = set(self._direct)
        changed = True
        while changed:
            changed = False
            some_route = any(kind == "route" for kind, _ in waits)
            for key, calls in self.calls.items():
                if key not in waits and any(some_route if name is None else ("route", name) in waits
                                            for name in calls):
                    waits.add(key)
                    changed = True
        self.waits = waits
