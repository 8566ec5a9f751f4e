"""Check arguments of functions: how many, of which kind, and whether constants can be converted (dsl.md section 7)."""
from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from osip.core.errors import OsipError
from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.registry import Registry
from osip.core.exports.spec import FunctionSpec
from osip.core.exports.types import Arg, posix, regex
from osip.script import nodes
from osip.script.check.reference import arg_of
from osip.script.check.unit import Unit, inside

_INT = re.compile(r"\s*[-+]?(0[xX][0-9a-fA-F]+|\d+)\s*")


def check_calls(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Check count and kind of the arguments of every call of a known function."""
    for call in unit.all(nodes.Call):
        spec = registry.function(call.name)
        if spec is None:
            continue
        counted = list(_count(call, spec))
        yield from counted
        if counted:
            continue
        for position, given in enumerate(call.args):
            arg = arg_of(spec, position)
            if given is not None and arg is not None:
                yield from _argument(given, arg, spec, unit, registry)


def signature(spec: FunctionSpec) -> str:
    """Return how a function is called: `t_relay([flags])`."""
    parts = [f"[{arg.label}]" if arg.optional else arg.label for arg in spec.args]
    return f"{spec.name}({', '.join(parts)}{', ...' if spec.variadic else ''})"


def _count(call: nodes.Call, spec: FunctionSpec) -> Iterator[Diagnostic]:
    given = len(call.args)
    if given > len(spec.args) and not spec.variadic:
        most = len(spec.args)
        takes = f"takes at most {most} argument{'s' if most != 1 else ''}" if most else "takes no arguments"
        extra = call.args[most]
        yield Diagnostic("E401", f'"{call.name}" {takes}, {given} given', extra.span if extra else call.name_span,
                         hint=signature(spec))
        return
    required = len(spec.args) - 1 if spec.variadic else len(spec.args)
    for position, arg in enumerate(spec.args[:required]):
        if not arg.optional and (position >= given or call.args[position] is None):
            yield Diagnostic("E401", f'"{call.name}" needs the argument "{arg.label}"', call.name_span,
                             hint=signature(spec))
            return


def _argument(given: nodes.Node, arg: Arg, spec: FunctionSpec, unit: Unit,
              registry: Registry) -> Iterator[Diagnostic]:
    if arg.kind == "var":
        yield from _variable(given, arg, unit, registry)
    elif arg.kind in ("static", "flag"):
        if isinstance(given, nodes.VarRef):
            yield Diagnostic("E402", f'argument "{arg.label}" must be a constant', given.span,
                             hint="variables are not read here")
        elif arg.kind == "static":
            yield from _plain(given, arg, spec, registry)
    elif arg.kind == "parsed":
        yield from _parsed(given, arg, unit)
    elif arg.kind in ("str", "re", "route"):
        yield from _plain(given, arg, spec, registry)
        if arg.kind == "re" and isinstance(given, nodes.Str):
            yield from _pattern(given, unit)
    elif arg.kind == "int":
        yield from _integer(given, arg, unit)


def _plain(given: nodes.Node, arg: Arg, spec: FunctionSpec, registry: Registry) -> Iterator[Diagnostic]:
    """Refuse numbers and bare words for strings; only the language's own old words take them."""
    if spec.module in registry.builtin_names:
        return
    if isinstance(given, nodes.Num):
        text = given.text or str(given.value)
        yield Diagnostic("E402", f'argument "{arg.label}" of "{spec.name}" wants a string', given.span,
                         hint=f'write "{text}"')
    elif isinstance(given, nodes.Word):
        yield Diagnostic("E402", f'argument "{arg.label}" of "{spec.name}" wants a string', given.span,
                         hint=f'write "{given.name}"')


def _variable(given: nodes.Node, arg: Arg, unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    var = unit.variable(given)
    if var is None:
        yield Diagnostic("E404", f'argument "{arg.label}" must be a variable', given.span,
                         hint="a result is stored there")
        return
    spec = registry.pvar(var.name)
    if spec is None:
        return
    if var.transforms:
        yield Diagnostic("E404", f'argument "{arg.label}" must be a variable without transformation', given.span)
    elif not spec.setter:
        yield Diagnostic("E404", f'variable "${var.name}" cannot be assigned, argument "{arg.label}" needs one that '
                         "can", given.span)


def _integer(given: nodes.Node, arg: Arg, unit: Unit) -> Iterator[Diagnostic]:
    if isinstance(given, (nodes.Num, nodes.VarRef)):
        return
    text = unit.constant(given) if isinstance(given, nodes.Str) else None
    if isinstance(given, nodes.Str) and text is None:
        return
    if text is None or not _INT.fullmatch(text):
        yield Diagnostic("E402", f'argument "{arg.label}" wants a number', given.span)
    elif not -2**31 <= int(text, 0 if "x" in text.lower() else 10) < 2**31:
        yield Diagnostic("E402", f'argument "{arg.label}": {text.strip()} does not fit into 32 bits', given.span)


def _parsed(given: nodes.Node, arg: Arg, unit: Unit) -> Iterator[Diagnostic]:
    if isinstance(given, nodes.Str):
        text = unit.constant(given)
    elif isinstance(given, nodes.Num):
        text = given.text or str(given.value)
    else:
        text = given.name if isinstance(given, nodes.Word) else None
    if text is None or arg.parse is None:
        return
    try:
        arg.parse(text)
    except (ValueError, OsipError) as error:
        yield Diagnostic("E402", f'bad argument "{arg.label}": {error}', given.span)


def _pattern(given: nodes.Str, unit: Unit) -> Iterator[Diagnostic]:
    form, faults = unit.format(given) if "$" in given.value else (None, [])
    if form is None or faults:                  # a lone $ at the end is common, and means the end
        yield from check_regex(given, given.value)
    elif all(isinstance(part, str) for part in form.parts):
        yield from check_regex(given, "".join(map(str, form.parts)))


def check_regex(given: nodes.Str, text: str) -> Iterator[Diagnostic]:
    """Check that a regular expression compiles; the finding points at the place inside the literal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            regex(text)
    except re.error as error:
        exact = error.pos is not None and text == given.value and posix(text) == text
        yield Diagnostic("E403", f"bad regular expression: {error.msg}",
                         inside(given, error.pos) if exact and error.pos is not None else given.span)


def check_matches(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Check the literal right sides of `=~` and `!~`."""
    for node in unit.all(nodes.Compare):
        if node.op in ("=~", "!~") and isinstance(node.right, nodes.Str):
            yield from check_regex(node.right, node.right.value)


def check_assignments(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find assignments to variables that cannot be written, or not with null."""
    conditions = {id(node.cond) for kind in (nodes.If, nodes.While) for node in unit.all(kind)}  # type: ignore
    for node in [*unit.all(nodes.Assign), *unit.all(nodes.For)]:
        spec = registry.pvar(node.target.name)
        if spec is None:
            continue
        if node.target.transforms:
            yield Diagnostic("E106", "a transformed variable cannot be assigned", node.target.span)
        elif not spec.setter:
            meant = id(node) in conditions and isinstance(node, nodes.Assign) and node.op == "="
            yield Diagnostic("E106", f'variable "${node.target.name}" cannot be assigned', node.target.span,
                             hint='did you mean "=="?' if meant else "it can only be read")
        elif isinstance(node, nodes.Assign) and isinstance(node.value, nodes.Null) and not spec.nullable:
            yield Diagnostic("E405", f'variable "${node.target.name}" cannot be null', node.value.span)


def check_levels(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Check the constant levels of `xlog`: only the third letter counts (dsl.md section 13)."""
    for node in unit.all(nodes.Xlog):
        if isinstance(node.level, nodes.Str) and "$" not in node.level.value and node.level.value[2:3] not in (
                *"ACEWNID",):
            yield Diagnostic("E406", f'unknown log level "{node.level.value}"', node.level.span,
                             hint="known: L_ALERT L_CRIT L_ERR L_WARN L_NOTICE L_INFO L_DBG")


def check_mixed(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of arithmetic on two literals that can never have a value: text and number, division by zero."""
    for node in unit.all(nodes.Arith):
        if {type(node.left), type(node.right)} == {nodes.Str, nodes.Num}:
            yield Diagnostic("W607", f'"{node.op}" of a text and a number has no value', node.span, Severity.WARNING)
        elif node.op in ("/", "%") and isinstance(node.right, nodes.Num) and node.right.value == 0:
            yield Diagnostic("W608", "division by zero has no value", node.right.span, Severity.WARNING)
