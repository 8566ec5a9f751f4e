"""Emit routes as Python functions `route(ctx)` and gather them into the program."""
from __future__ import annotations

import linecache
from collections.abc import Sequence
from typing import Any

from osip.core.exports.diagnostic import Span
from osip.core.run.program import RouteFn, TimerRoute
from osip.script import nodes as n
from osip.script.check.names import fault_of
from osip.script.emit import expr, inline, stmt
from osip.script.emit.survey import Key, key_of
from osip.script.emit.unit import Pen, Unit
from osip.script.variable import parse_format


def reserve(unit: Unit, routes: Sequence[n.RouteDef]) -> list[str]:
    """Give every route its global name, so that any may call any."""
    names = []
    for route in routes:
        key = key_of(route)
        name = unit.names.bind(f"{key[0]}_{key[1]}" if key[1] else key[0], Slot())
        unit.routes.setdefault(key, name)
        names.append(name)
    return names


class Slot:
    """Hold a name until its route is emitted."""
    __slots__ = ()


def label(key: Key) -> str:
    """Return a route's name as the script writes it."""
    return f"{key[0]}[{key[1]}]" if key[1] else key[0]


def pen_of(unit: Unit, route: n.RouteDef, name: str) -> Pen:
    """Return the emitted text of one route."""
    key = key_of(route)
    pen = Pen(unit, route.span, key in unit.survey.waits)
    _function(pen, name, route.body)
    return pen


def _function(pen: Pen, name: str, body: Sequence[n.Stmt]) -> None:
    with pen.block(f"{'async ' if pen.is_async else ''}def {name}(ctx):"):
        start = len(pen.writer.lines)
        ends = stmt.body(pen, body, stmt.RETURN)
        pen.writer.at = pen.writer.spans[0]
        if not ends:
            pen.line("return 1")
        if pen.asks:
            pen.writer.lines.insert(start, "    c = 1")
            pen.writer.spans.insert(start, pen.writer.spans[0])
        _keep_method(pen, start)


def _keep_method(pen: Pen, start: int) -> None:
    """Read the id of the method once, at the start, where it is asked for more than once."""
    lines = pen.writer.lines
    name = inline.METHOD_CODE
    if sum(line.count(inline.METHOD) for line in lines) > 1:
        lines.insert(start, f"    m = {name}")
        pen.writer.spans.insert(start, pen.writer.spans[0])
        name = "m"
    for place, line in enumerate(lines):
        if inline.METHOD in line:
            lines[place] = line.replace(inline.METHOD, name)


def emit(unit: Unit, route: n.RouteDef, name: str) -> RouteFn:
    """Emit one route and bind it to its global name."""
    key = key_of(route)
    pen = pen_of(unit, route, name)
    space = unit.names.space
    pen.writer.define(route.span.file or "<script>", space)
    function: Any = space[name]
    shown = label(key)
    function.__code__ = function.__code__.replace(co_name=shown, co_qualname=shown)
    function.__name__ = function.__qualname__ = shown
    if unit.survey.stack or unit.survey.recursive(key):
        function = space[name] = unit.flow.tracked(shown, function)
    return function


def nested(pen: Pen, node: Any) -> tuple[str, bool]:
    """Emit a statement that stands in a condition as a small route; return its name and whether it may wait."""
    unit = pen.unit
    name = unit.names.bind("block", Slot())
    inner = Pen(unit, node.span, pen.is_async)
    _function(inner, name, (node,))
    inner.writer.define(node.span.file or "<script>", unit.names.space)
    return name, pen.is_async


def expander(unit: Unit, text: str, span: Span, *, strict: bool = False) -> RouteFn:
    """Return a function `(ctx) -> str` that expands a format string made at run time.

    With `strict` a text that no script could have is refused: ValueError. The names it needs go with the function.
    """
    form, faults = parse_format(text, span)
    if strict and (fault := faults[0].message if faults else fault_of(form, unit.registry)):
        raise ValueError(fault)
    own = unit.scratch()
    pen = Pen(own, span)
    name = own.names.bind("expander", Slot())
    with pen.block(f"def {name}(ctx):"):
        pen.line(f"return {expr.formatted(pen, form)}")
    pen.writer.define(span.file, own.names.space)
    return own.names.space[name]


def show(files: dict[str, str]) -> None:
    """Let tracebacks quote the script's lines."""
    for path, text in files.items():
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)


def timers(pairs: Sequence[tuple[n.RouteDef, RouteFn]]) -> list[TimerRoute]:
    """Return the timer routes."""
    return [TimerRoute(route.name or "", route.interval or 1, function) for route, function in pairs
            if route.kind == "timer_route"]
