"""Find what has no end: loops whose condition nothing changes, and routes that call each other on every way.

At run time max_while_loops ends the former and the depth of calls the latter, with a line in the log for each message.
"""
from __future__ import annotations

from collections.abc import Iterator

from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check.unit import Unit, label

_LEAVES = (nodes.Break, nodes.Exit, nodes.Drop, nodes.Return, nodes.Assert, nodes.Async)
_ACTS = (nodes.Call, nodes.RouteCall, nodes.Launch)
"""What may end the script by returning 0, or change any variable."""
_PASSES = (nodes.Empty, nodes.Log, nodes.Xlog, nodes.ErrorLog)
_OWN = ("var", "avp")
"""Variables that nothing changes but the script itself."""


def check_loops(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of a `while` that nothing in it can end."""
    if unit.broken:                                 # what would have ended it may be what could not be read
        return
    for node in unit.all(nodes.While):
        inside = list(unit.walk(node))
        if any(isinstance(part, (*_LEAVES, *_ACTS)) for part in inside):
            continue
        tested = {_name(part) for part in unit.walk(node.cond) if isinstance(part, nodes.VarRef)}
        changed = {_name(part.target) for part in inside if isinstance(part, (nodes.Assign, nodes.For))}
        if None in tested or None in changed or tested & changed:
            continue
        if tested or (isinstance(node.cond, nodes.Num) and node.cond.value):
            names = ", ".join(f"${name}({key})" for name, key in sorted(filter(None, tested)))
            yield Diagnostic("W611", "this loop has no end", node.cond.span, Severity.WARNING,
                             f"nothing in it changes {names}" if names else "there is no break, exit or return in it")


def _name(var: nodes.VarRef) -> tuple[str, str] | None:
    """Return the name and key of a variable of the script; None for any other, which may change by itself."""
    return (var.name, var.key or "") if var.name in _OWN and var.key_var is None and var.context is None else None


def check_circles(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of routes that surely call each other again and again."""
    routes = unit.defined("route")
    following: dict[str, tuple[str, nodes.RouteCall]] = {}
    for name, route in routes.items():
        call = _first_call(route.body)
        target = _target(call.target) if call is not None else None
        if call is not None and target in routes:
            following[name] = (target, call)                # type: ignore[assignment]
    done: set[str] = set()
    for start in following:
        way: list[str] = []
        name = start
        while name in following and name not in done:
            done.add(name)
            way.append(name)
            name = following[name][0]
        circle = [routes[each] for each in way[way.index(name):]] if name in way else []
        if _is_entered(unit, circle):
            yield _circle(circle, following[name][1])


def _is_entered(unit: Unit, circle: list[nodes.RouteDef]) -> bool:
    """Say whether another route calls one of these; if not, they are unused, which is found elsewhere."""
    names = {route.name for route in circle}
    return any(_target(call.target) in (None, *names) and unit.route_of(call) not in circle
               for call in (unit.all(nodes.RouteCall) if circle else ()))


def _circle(routes: list[nodes.RouteDef], call: nodes.RouteCall) -> Diagnostic:
    names = [label(route) for route in routes]
    what = f"{names[0]} calls itself" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} call each other"
    return Diagnostic("W612", f"{what} on every way", call.span, Severity.WARNING,
                      "call it under a condition, or use while")


def _first_call(body: tuple[nodes.Stmt, ...]) -> nodes.RouteCall | None:
    """Return the call that a list of statements makes first and always; None when something may come between."""
    for statement in body:
        if isinstance(statement, nodes.RouteCall):
            return statement
        if isinstance(statement, nodes.Block):
            return _first_call(statement.body)
        if not isinstance(statement, _PASSES) and not _is_plain(statement):
            return None
    return None


def _is_plain(statement: nodes.Stmt) -> bool:
    """Say whether a statement is an assignment of a value that needs no call."""
    plain = (nodes.Num, nodes.Str, nodes.Null, nodes.VarRef, nodes.Arith)
    return isinstance(statement, nodes.Assign) and isinstance(statement.value, plain) \
        and not (isinstance(statement.value, nodes.Arith) and _calls(statement.value))


def _calls(node: nodes.Arith) -> bool:
    return any(isinstance(side, nodes.Arith) and _calls(side) or not isinstance(side, (
        nodes.Num, nodes.Str, nodes.VarRef, nodes.Arith)) for side in (node.left, node.right))


def _target(target: nodes.Expr) -> str | None:
    """Return the name of a route that is called by name."""
    if isinstance(target, nodes.Word):
        return target.name
    if isinstance(target, nodes.Num):
        return target.text or str(target.value)
    if isinstance(target, nodes.Str) and "$" not in target.value:
        return target.value
    return None
