"""Check routes: defined, defined once, and which functions each kind of route can reach (dsl.md section 5)."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.core.exports.registry import Registry
from osip.core.exports.spec import FunctionSpec
from osip.core.exports.types import ROUTE_KINDS, Route
from osip.script import nodes
from osip.script.check.reference import arg_of
from osip.script.check.unit import Unit, label, lines_of
from osip.script.check.word import did_you_mean, suggest
from osip.script.complaint import STATEMENTS
from osip.script.roster import owners

_REPEATED = ("timer_route",)        # several of one name are allowed (dsl.md section 13)
_ALWAYS = ("error_route", "local_route", "startup_route", "timer_route", "event_route")


class Mention(NamedTuple):
    """One place that names a route; `name` is None when it is computed, `prefix` the constant text before that."""
    kind: str
    name: str | None
    span: Span
    owner: nodes.RouteDef | None
    what: str
    prefix: str = ""


def mentions(unit: Unit, registry: Registry) -> Iterator[Mention]:
    """Yield every place that names a route: calls, armings, resume and report routes, route parameters."""
    for jump in unit.all(nodes.RouteCall):
        yield _mention(unit, "route", jump.target, unit.route_of(jump), "route()")
    for node in unit.all(nodes.Async):
        yield _mention(unit, "route", node.resume, unit.route_of(node), "async()")
    for node in unit.all(nodes.Launch):
        if node.report is not None:
            yield _mention(unit, "route", node.report, unit.route_of(node), "launch()")
    for call in unit.all(nodes.Call):
        spec = registry.function(call.name)
        for position, given in enumerate(call.args if spec else ()):
            arg = arg_of(spec, position)                        # type: ignore[arg-type]
            if arg is not None and arg.kind == "route" and given is not None:
                found = _mention(unit, arg.route_kind, given, unit.route_of(call), f"{call.name}()")
                if found.name != "":
                    yield found


def _mention(unit: Unit, kind: str, node: nodes.Node, owner: nodes.RouteDef | None, what: str) -> Mention:
    name: str | None = None
    prefix = ""
    if isinstance(node, nodes.Word):
        name = node.name
    elif isinstance(node, nodes.Num):
        name = node.text or str(node.value)        # as the head of a route is read: route[on], route[0x10]
    elif isinstance(node, nodes.Str):
        name = unit.constant(node)
        if name is None:
            first = unit.format(node)[0].parts[:1]
            prefix = first[0] if first and isinstance(first[0], str) else ""
    return Mention(kind, name, node.span, owner, what, prefix)


def check_defined(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find names of routes that do not exist; one finding for each name."""
    unknown: dict[tuple[str, str], list[Mention]] = {}
    for mention in mentions(unit, registry):
        if mention.name is not None and mention.name not in unit.defined(mention.kind):
            unknown.setdefault((mention.kind, mention.name), []).append(mention)
    for (kind, name), places in unknown.items():
        if unit.broken and _headed(unit, name):
            continue                            # its head is there, the fault in it is reported already
        first = places[0]
        yield Diagnostic("E201", f'{kind} "{name}" is not defined', first.span, hint=_near(unit, kind, name),
                         notes=lines_of([place.span for place in places[1:]]))


def _headed(unit: Unit, name: str) -> bool:
    head = re.compile(rf"""\[\s*["']?{re.escape(name)}["']?\s*[\],]""")
    return any(head.search(text) for text in unit.script.files.values())


def _near(unit: Unit, kind: str, name: str) -> str:
    defined = unit.defined(kind)
    near = suggest(name, [known for known in defined if known != "0"])
    if near:
        places = [f'"{one}" (line {defined[one].span.line})' for one in near]
        return f"did you mean {' or '.join(places)}?"
    for other in ROUTE_KINDS:
        if other != kind and name in unit.defined(other):
            return f'there is a {other} of that name at line {unit.defined(other)[name].span.line}'
    return ""


def check_duplicates(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find routes of one kind and name that are defined twice."""
    seen: dict[tuple[str, str], nodes.RouteDef] = {}
    for route in unit.routes:
        if route.kind in _REPEATED:
            continue
        first = seen.setdefault((route.kind, route.name or "0"), route)
        if first is not route:
            where = "" if first.span.file == route.span.file else f"{first.span.file}:"
            yield Diagnostic("E202", f"{label(route)} is defined twice", route.name_span,
                             hint=f"first at line {where}{first.span.line}")


class Reach(NamedTuple):
    """How a route is reached from a kind of top route: the path, outermost first."""
    kind: str
    path: tuple[str, ...]


def reaches(unit: Unit, registry: Registry) -> dict[int, list[Reach]]:
    """Follow every call path from the top routes; by id of the route block, one path for each kind."""
    jumps: dict[int, list[str]] = {}
    for jump in unit.all(nodes.RouteCall):
        _jump(unit, jumps, jump.target, unit.route_of(jump))
    resumes: dict[int, list[str]] = {}
    for node in unit.all(nodes.Async):
        _jump(unit, resumes, node.resume, unit.route_of(node))
    named = unit.defined("route")
    found: dict[int, list[Reach]] = {}
    for top in unit.routes:
        if top.kind != "route" or top.name in (None, "0"):
            _follow(top, Reach(top.kind, (label(top),)), named, jumps, resumes, found)
    return found


def _jump(unit: Unit, jumps: dict[int, list[str]], target: nodes.Node, owner: nodes.RouteDef | None) -> None:
    mention = _mention(unit, "route", target, owner, "")
    if owner is not None and mention.name is not None:
        jumps.setdefault(id(owner), []).append(mention.name)


def _follow(top: nodes.RouteDef, start: Reach, named: dict[str, nodes.RouteDef], jumps: dict[int, list[str]],
            resumes: dict[int, list[str]], found: dict[int, list[Reach]]) -> None:
    queue = [(top, start)]
    while queue:
        route, reach = queue.pop(0)
        known = found.setdefault(id(route), [])
        if any(one.kind == reach.kind for one in known):
            continue
        known.append(reach)
        # A resume route runs on the request again; only there its kind is certain.
        onward = jumps.get(id(route), []) + (resumes.get(id(route), []) if reach.kind == "route" else [])
        for name in onward:
            if name in named:
                queue.append((named[name], Reach(reach.kind, (*reach.path, label(named[name])))))


def check_kinds(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find functions that a route may not call, along every path that leads there."""
    reached = reaches(unit, registry)
    for call in unit.all(nodes.Call):
        spec, owner = registry.function(call.name), unit.route_of(call)
        if spec is not None and owner is not None:
            found = _forbidden(call.name, call.name_span, spec.routes, reached.get(id(owner), []))
            if found is not None:
                yield found
    allowed = Route.REQUEST | Route.ONREPLY
    for node in unit.all(nodes.Async):
        owner = unit.route_of(node)
        found = _forbidden("async", node.span, allowed, reached.get(id(owner), []))
        if found is not None:
            yield found


def _forbidden(name: str, span: Span, routes: Route, reached: list[Reach]) -> Diagnostic | None:
    bad = [reach for reach in reached if not routes & ROUTE_KINDS[reach.kind]]
    if not bad:
        return None
    first = bad[0]
    paths = [" -> ".join(reach.path) for reach in bad]
    where = f"here, reached by {paths[0]}" if len(first.path) > 1 else f"in {first.path[0]}"
    kinds = ", ".join(kind for kind, bit in ROUTE_KINDS.items() if routes & bit)
    return Diagnostic("E203", f'"{name}" cannot be called {where}', span,
                      hint=f"allowed in {kinds}", notes=tuple(f"also: {path}" for path in paths[1:]))


def check_async(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Refuse `async()` without tm, and functions that cannot be awaited (dsl.md section 6)."""
    waits = unit.all(nodes.Async)
    if waits and registry.spec("tm") is None and "tm" not in unit.failed:
        yield Diagnostic("E205", 'async() needs module "tm"', waits[0].span, hint='add loadmodule "tm.so"')
    for node in (*waits, *unit.all(nodes.Launch)):
        word = "async()" if isinstance(node, nodes.Async) else "launch()"
        yield from _not_awaited(node.call, word, registry)
        later = node.resume if isinstance(node, nodes.Async) else node.report
        if isinstance(later, nodes.VarRef) or isinstance(later, nodes.Str) and unit.constant(later) is None:
            yield Diagnostic("E206", f"{word} needs the name of a route, not a variable", later.span)


def _may_wait(spec: FunctionSpec, registry: Registry) -> bool:
    """Say whether a function waits by what its module is told; one that decides for each call is no async function."""
    return bool(spec.waits) and not callable(getattr(registry.classes.get(spec.module), spec.waits, None))


def _not_awaited(call: nodes.Call, word: str, registry: Registry) -> Iterator[Diagnostic]:
    spec = registry.function(call.name)
    if call.name in STATEMENTS and spec is None:
        yield Diagnostic("E206", f'"{call.name}" is a statement, {word} wants a function', call.name_span)
    elif spec is not None and not (spec.is_async or spec.deferred or _may_wait(spec, registry)):
        yield Diagnostic("E206", f'"{call.name}" has nothing to wait for, {word} cannot take it', call.name_span,
                         hint=f"write {call.name}(...) alone")


def check_unused(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of named routes that nothing names: no call, no arming, no string of the script."""
    if unit.broken:
        return
    used: set[tuple[str, str]] = set()
    prefixes: list[tuple[str, str]] = []
    for mention in mentions(unit, registry):
        if mention.name is None:
            prefixes.append((mention.kind, mention.prefix))
        elif mention.owner is None or (mention.owner.kind, mention.owner.name) != (mention.kind, mention.name):
            used.add((mention.kind, mention.name))
    missed = {(kind, near) for kind, name in used if name not in unit.defined(kind)
              for near in suggest(name, unit.defined(kind))}      # reported already, by the wrong name
    words = {word for text in unit.all(nodes.Str) for word in re.split(r"[^\w.-]+", text.value)}
    for route in unit.routes:
        name = route.name
        if name in (None, "0") or route.kind in _ALWAYS or (route.kind, name) in used | missed:
            continue
        if name in words or any(kind == route.kind and name.startswith(prefix) for kind, prefix in prefixes):
            continue
        yield Diagnostic("W603", f"{label(route)} is never used", route.name_span, Severity.WARNING)


def check_events(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find event routes of an event that nobody raises, where it is known or near a known one: any may come over MI."""
    known = {event.name for spec in registry.specs for event in spec.events}
    for call in unit.all(nodes.Call):
        if call.name == "raise_event" and call.args and isinstance(call.args[0], nodes.Str):
            known.add(unit.constant(call.args[0]) or "")
    for route in unit.routes:
        if route.kind != "event_route" or not route.name or route.name in known:
            continue
        modules = owners(route.name)
        near = suggest(route.name, known)
        if modules and modules[0] not in ("", *unit.failed):
            hint = f'it is of the module "{modules[0]}", which is not loaded'
        elif near and not modules:
            hint = did_you_mean(near)
        else:
            continue
        yield Diagnostic("W644", f'nobody raises the event "{route.name}"', route.name_span, Severity.WARNING, hint=hint)
