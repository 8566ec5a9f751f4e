"""Check a script against what its modules declare: one family of rules a file, every rule a function.

A rule is `(unit, registry) -> Iterator[Diagnostic]`; it never stops at the first fault and reports one cause once.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator

from osip.core.exports.diagnostic import Diagnostic
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check import endless, flags, flow, literal, names, routes, settings, types
from osip.script.check.unit import Unit

Rule = Callable[[Unit, Registry], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    names.check_functions, names.check_variables,
    types.check_calls, types.check_matches, types.check_assignments, types.check_levels, types.check_mixed,
    literal.check_literals, literal.check_caches, literal.check_send_sockets,
    routes.check_defined, routes.check_duplicates, routes.check_kinds, routes.check_async, routes.check_unused,
    routes.check_events,
    flow.check_unreachable, flow.check_breaks, flow.check_conditions, flow.check_loops, flow.check_cases,
    flow.check_empty, endless.check_loops, endless.check_circles, flags.check_flags, settings.check_forward,
)


def check(script: nodes.Script, registry: Registry, *, broken: bool = False, closed: bool = True) -> list[Diagnostic]:
    """Run every rule over a parsed script whose modules are loaded; see `Unit` for `broken` and `closed`."""
    unit = Unit(script, registry, broken, closed)
    return [found for rule in RULES for found in rule(unit, registry)]
