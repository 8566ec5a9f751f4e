"""Count the flags of a script: 32 names for each set (dsl.md section 10)."""
from __future__ import annotations

from collections.abc import Iterator

from osip.core.exports.diagnostic import Diagnostic, Span
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check.reference import references
from osip.script.check.unit import Unit

MOST = 32
_VARIABLES = {"msg.flag": "message", "branch.flag": "branch", "msg.branch.flag": "branch"}
_FUNCTIONS = {"setflag": "message", "resetflag": "message", "isflagset": "message", "setbflag": "branch",
              "resetbflag": "branch", "isbflagset": "branch", "setsflag": "script", "resetsflag": "script",
              "issflagset": "script"}


def check_flags(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find the flag that is one too many in each set."""
    used: dict[str, dict[str, Span]] = {}
    for kind, name, span in sorted(_names(unit, registry), key=lambda one: (one[2].line, one[2].col)):
        names = used.setdefault(kind, {})
        if name in names:
            continue
        if len(names) == MOST:
            yield Diagnostic("E407", f'flag "{name}" is one too many: a script has at most {MOST} {kind} flags', span)
        names[name] = span
        if len(names) > MOST + 1:
            names.pop(name)


def _names(unit: Unit, registry: Registry) -> Iterator[tuple[str, str, Span]]:
    for call in unit.all(nodes.Call):
        spec = registry.function(call.name)
        kind = _FUNCTIONS.get(spec.name) if spec else None
        given = call.args[:2] if kind else ()
        if len(given) == 2 and isinstance(given[0], nodes.Num):
            given = given[1:]                   # old order of the arguments: branch index first
        if given and _text(given[0]):
            yield kind, _text(given[0]), given[0].span          # type: ignore[misc,union-attr]
    for ref in references(unit):
        spec = registry.pvar(ref.var.name)
        kind = _VARIABLES.get(spec.name) if spec else None
        if kind and ref.var.key and ref.var.key_var is None:
            yield kind, ref.var.key, ref.var.span


def _text(given: nodes.Node | None) -> str:
    if isinstance(given, nodes.Str):
        return given.value
    if isinstance(given, nodes.Word):
        return given.name
    return str(given.value) if isinstance(given, nodes.Num) else ""
