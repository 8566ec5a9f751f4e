"""Check what the grammar leaves open on purpose, and put loose statements into a route.

The rules here are those of syntax that read better in words than as a parse error: which kinds of route take a name
(dsl.md section 5), where `default:` may stand (section 6), statements outside any route (section 14).
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from osip.core.exports.diagnostic import Severity
from osip.script import nodes as n
from osip.script.lexer import Reading

NAMELESS_KINDS = frozenset(("error_route", "local_route", "startup_route"))
NAMED_KINDS = frozenset(("failure_route", "branch_route", "timer_route", "event_route"))
EVENT_MODES = ("sync", "async")
_STATEMENTS = n.Stmt.__args__       # type: ignore[attr-defined]


def check_items(found: Iterable[Any], reading: Reading, lenient: bool) -> list[n.Item]:
    """Return the items of a script in order, with loose statements wrapped in a route."""
    items: list[n.Item] = []
    loose: list[n.Stmt] = []
    at = 0
    for item in found:
        if isinstance(item, list):
            items.extend(item)
        elif isinstance(item, _STATEMENTS):
            at = at if loose else len(items)
            loose.append(item)
        elif isinstance(item, n.Node):
            items.append(item)          # type: ignore[arg-type]
    if loose:
        wrapped = _wrap(loose, items, reading, lenient)
        if wrapped is not None:
            items.insert(at, wrapped)
    for item in items:
        if isinstance(item, n.RouteDef):
            _check_head(item, reading)
            _check_switches(item.body, reading)
    return items


def _wrap(loose: list[n.Stmt], items: list[n.Item], reading: Reading, lenient: bool) -> n.RouteDef | None:
    first = loose[0].span
    has_main = any(isinstance(item, n.RouteDef) and item.kind == "route" and item.name in (None, "0")
                   for item in items)
    if has_main or not lenient:
        if not any(found.code == "E005" for found in reading.diagnostics):      # one brace too many tells it all
            reading.fault("E011", "statement outside any route", first, "statements belong into route { ... }")
        return None
    reading.fault("N703", "statements outside any route are taken as the main route", first,
                  "put them into route { ... }", severity=Severity.WARNING)
    span = first.to(loose[-1].span) if first.file == loose[-1].span.file else first
    return n.RouteDef(span, "route", None, tuple(loose), first)


def _check_head(route: n.RouteDef, reading: Reading) -> None:
    kind, span = route.kind, route.name_span
    if kind in NAMELESS_KINDS and route.name is not None:
        reading.fault("E014", f"{kind} takes no name", span, f"write {kind} {{ ... }}")
    elif kind in NAMED_KINDS and route.name is None:
        form = {"timer_route": "timer_route[name, 30]", "event_route": "event_route[E_NAME]"}
        reading.fault("E014", f"{kind} needs a name", span, f"write {form.get(kind, kind + '[name]')} {{ ... }}")
    if kind != "timer_route" and route.interval is not None:
        reading.fault("E014", f"{kind} takes no interval", span, "only timer_route does")
    if kind == "timer_route" and route.name is not None and route.mode is None:
        if route.interval is None:
            reading.fault("E014", f"{kind} needs an interval in seconds", span, f"write {kind}[{route.name}, 30]")
        elif route.interval < 1:
            reading.fault("E014", f"{kind} needs an interval of one second or more", span)
    if kind == "event_route":
        if route.mode is not None and route.mode not in EVENT_MODES:
            reading.fault("E014", f'"{route.mode}" is no way to run an event route', span, 'it is "sync" or "async"')
    elif route.mode is not None:
        reading.fault("E014", f"{kind} takes only a name in its brackets", span)


def _check_switches(body: Iterable[Any], reading: Reading) -> None:
    for switch in _switches(body):
        labels = [case.label for case in switch.cases]
        if labels and labels == [None] * len(labels):
            reading.fault("E013", "switch has no case", switch.span, "it needs one case before default")
        elif labels.count(None) > 1:
            second = [case for case in switch.cases if case.label is None][1]
            reading.fault("E013", "switch has a second default", second.span)
        elif None in labels[:-1]:
            default = switch.cases[labels.index(None)]
            reading.fault("E013", "default must be the last label of a switch", default.span)


def _switches(body: Iterable[Any]) -> Iterator[n.Switch]:
    """Yield every switch in some statements, however deep; no recursion, so depth cannot exhaust the stack."""
    todo = list(body)
    while todo:
        item = todo.pop()
        if isinstance(item, n.Switch):
            yield item
            for case in item.cases:
                todo.extend(case.body)
        elif isinstance(item, n.Block):
            todo.extend(item.body)
        elif isinstance(item, n.If):
            todo.extend((item.cond, item.then, item.orelse))
        elif isinstance(item, n.While | n.For):
            todo.append(item.body)
        elif isinstance(item, n.Binary):
            todo.extend((item.left, item.right))
        elif isinstance(item, n.Not):
            todo.append(item.operand)
