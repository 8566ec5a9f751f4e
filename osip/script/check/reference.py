"""Collect every place where a script names a variable, also inside its format strings."""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from osip.core.exports.diagnostic import Diagnostic
from osip.core.exports.spec import FunctionSpec
from osip.core.exports.types import Arg
from osip.script import nodes
from osip.script.check.unit import Unit

FORMATS = frozenset({"str", "int", "parsed", "re", "route", "any", "list"})
"""Kinds of argument whose string literals are scanned for variables (dsl.md section 7)."""


class Ref(NamedTuple):
    """One mention of a variable; `writes` says that it is assigned here."""
    var: nodes.VarRef
    writes: bool = False


def arg_of(spec: FunctionSpec, position: int) -> Arg | None:
    """Return the declared parameter for an argument position; the last one repeats when variadic."""
    if position < len(spec.args):
        return spec.args[position]
    return spec.args[-1] if spec.variadic and spec.args else None


def format_strings(unit: Unit) -> Iterator[nodes.Str]:
    """Yield every string literal that is scanned for variables at load."""
    for xlog in unit.all(nodes.Xlog):
        yield xlog.text
        if isinstance(xlog.level, nodes.Str):
            yield xlog.level
    for launch in unit.all(nodes.Launch):
        if launch.text is not None:
            yield launch.text
    for jump in unit.all(nodes.RouteCall):
        if isinstance(jump.target, nodes.Str):
            yield jump.target
    for call in unit.all(nodes.Call):
        spec = unit.registry.function(call.name)
        for position, given in enumerate(call.args if spec else ()):
            arg = arg_of(spec, position)                        # type: ignore[arg-type]
            if arg is not None and isinstance(given, nodes.Str) and arg.kind in FORMATS:
                yield given


def references(unit: Unit) -> list[Ref]:
    """Return every variable that the script names, with those nested in keys, indexes and transformations."""
    written = {id(node.target) for kind in (nodes.Assign, nodes.For) for node in unit.all(kind)}  # type: ignore
    found = [Ref(var, id(var) in written) for var in unit.all(nodes.VarRef)]
    for text in format_strings(unit):
        if "$" in text.value:
            for part in unit.format(text)[0].parts:
                if isinstance(part, nodes.VarRef):
                    found += [Ref(node) for node in unit.walk(part) if isinstance(node, nodes.VarRef)]
    for call in unit.all(nodes.Call):
        spec = unit.registry.function(call.name)
        for position, given in enumerate(call.args if spec else ()):
            arg = arg_of(spec, position)                        # type: ignore[arg-type]
            if arg is not None and arg.kind == "var" and isinstance(given, nodes.Str):
                quoted = unit.variable(given)
                if quoted is not None:
                    found += [Ref(node) for node in unit.walk(quoted) if isinstance(node, nodes.VarRef)]
    return found


def format_faults(unit: Unit) -> Iterator[Diagnostic]:
    """Yield what is wrong with the variables' spelling inside format strings; `$` ends are common in expressions."""
    regexes = {id(given) for call in unit.all(nodes.Call) if (spec := unit.registry.function(call.name))
               for position, given in enumerate(call.args)
               if (arg := arg_of(spec, position)) is not None and arg.kind == "re"}
    for text in format_strings(unit):
        if "$" in text.value and id(text) not in regexes:
            yield from unit.format(text)[1]
