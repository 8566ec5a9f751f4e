"""Check the course of statements: what can never run, what ends nothing, what an `if` assigns."""
from __future__ import annotations

from collections.abc import Iterator

from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check.unit import Unit, label

_ENDS = (nodes.Exit, nodes.Drop, nodes.Return, nodes.Break)


def check_unreachable(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of the first statement of each block that nothing can reach."""
    bodies = [route.body for route in unit.routes]
    bodies += [node.body for kind in (nodes.Block, nodes.Case) for node in unit.all(kind)]  # type: ignore[attr-defined]
    for body in bodies:
        for place, statement in enumerate(body[:-1]):
            if not ends(statement):
                continue
            rest = [later for later in body[place + 1:] if not isinstance(later, (nodes.Empty, nodes.Break))]
            if rest:
                yield Diagnostic("W602", "this can never run", rest[0].span, Severity.WARNING,
                                 f"{_what(statement)} at line {statement.span.end_line} leaves before it")
            break


def ends(statement: nodes.Node) -> bool:
    """Say whether nothing after the statement in its block can run."""
    if isinstance(statement, _ENDS):
        return True
    if isinstance(statement, nodes.Block):
        return any(ends(inner) for inner in statement.body)
    if isinstance(statement, nodes.If):
        return statement.orelse is not None and ends(statement.then) and ends(statement.orelse)
    return False


def _what(statement: nodes.Node) -> str:
    names = {nodes.Exit: "exit", nodes.Drop: "drop", nodes.Return: "return", nodes.Break: "break"}
    return names.get(type(statement), "every way through the block")


def check_breaks(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find `break` outside of while, for and switch."""
    inner = {id(node) for kind in (nodes.While, nodes.For, nodes.Switch) for loop in unit.all(kind)
             for node in unit.walk(loop) if isinstance(node, nodes.Break)}
    for node in unit.all(nodes.Break):
        if id(node) not in inner:
            yield Diagnostic("E204", '"break" outside of while, for and switch', node.span,
                             hint='to leave the route write "return"')


def check_conditions(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of `=` where `==` was meant: the whole condition assigns a plain value."""
    for kind in (nodes.If, nodes.While):
        for node in unit.all(kind):
            cond = node.cond                                    # type: ignore[attr-defined]
            while isinstance(cond, nodes.Not):
                cond = cond.operand
            yield from _assigned(cond, registry)


def _assigned(cond: nodes.Node, registry: Registry) -> Iterator[Diagnostic]:
    if isinstance(cond, nodes.Binary):
        yield from _assigned(cond.left, registry)
        yield from _assigned(cond.right, registry)
    elif isinstance(cond, nodes.Assign) and cond.op == "=":
        spec = registry.pvar(cond.target.name)
        plain = isinstance(cond.value, (nodes.Num, nodes.Str, nodes.Null, nodes.VarRef))
        if plain and spec is not None and spec.setter:
            yield Diagnostic("W601", f'"=" assigns to {cond.target.text or "$" + cond.target.name}', cond.span,
                             Severity.WARNING, 'did you mean "=="?')


def check_loops(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of a `for` whose source is no list: the loop is then skipped (dsl.md section 6)."""
    for node in unit.all(nodes.For):
        if node.source.index != "*":
            yield Diagnostic("W606", "this loop never runs: its source needs the index [*]", node.source.span,
                             Severity.WARNING, f"write $({_inner(node.source)}[*])")


def _inner(var: nodes.VarRef) -> str:
    return var.name if var.key is None else f"{var.name}({var.key})"


def check_cases(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of a `case` label that stands in the switch already; strings compare without case."""
    for switch in unit.all(nodes.Switch):
        seen: dict[object, int] = {}
        for case in switch.cases:
            if case.label is None:
                continue
            value = case.label.value
            value = value.lower() if isinstance(value, str) else value
            if value in seen:
                yield Diagnostic("W605", "this case can never be chosen", case.label.span, Severity.WARNING,
                                 f"the same label stands at line {seen[value]}")
            seen.setdefault(value, case.span.line)


def check_main(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of a script that has routes and none for the requests that arrive."""
    if unit.broken or not unit.routes or unit.defined("route").get("0") is not None:
        return
    yield Diagnostic("W646", "there is no main route", unit.routes[0].name_span, Severity.WARNING,
                     "every request is dropped: write route { ... }")


def check_empty(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of a route without a statement."""
    if unit.broken:
        return
    for route in unit.routes:
        if not route.body:
            yield Diagnostic("W604", f"{label(route)} is empty", route.name_span, Severity.WARNING,
                             'write ";" in it when that is meant')
