"""Emit calls of functions and routes: each argument by its declared kind (dsl.md section 7)."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from osip.core.exports.spec import FunctionSpec
from osip.core.exports.types import Arg
from osip.script import nodes as n
from osip.script import runtime
from osip.script.emit import expr, inline
from osip.script.emit.survey import formatted, target_name
from osip.script.emit.unit import Pen
from osip.script.variable import parse_variable


@dataclass(frozen=True, slots=True)
class Made:
    """Code of a call. `returns` is int, bool or none; `statement` is a cheaper form whose result is not wanted."""
    code: str
    returns: str = "int"
    statement: str = ""

    def as_int(self) -> str:
        """Return code that gives the call's code."""
        if self.returns == "bool":
            return f"(1 if {self.code} else -1)"
        return self.code if self.returns == "int" else f"({self.code} or 1)"


@dataclass(frozen=True, slots=True)
class Given:
    """Code of one argument; `bad` is the code of the value that stands for "no usable value"."""
    code: str
    bad: str = ""


FAILS = "_ERR"


def call(pen: Pen, node: n.Call) -> Made:
    """Emit a function call."""
    spec = pen.unit.registry.function(node.name)
    awaits = pen.unit.survey.awaited(node)
    method = spec and pen.unit.bound(spec.module, awaits or spec.attr)
    if spec is None or method is None:
        return Made(f"_unknown({f'unknown function {node.name}'!r})")
    quick = inline.call(pen, node, spec)
    if quick is not None:
        return Made(*quick)
    given = arguments(pen, node, spec)
    if isinstance(given, str):
        return Made(f"_unknown({f'{node.name}: {given}'!r})")
    name = pen.bind(node.name, method)
    return _with_guards(pen, node, spec, name, given)


def trace(pen: Pen, node: Any) -> str:
    """Emit what tells an action to `script_trace`; its value is None."""
    if isinstance(node, n.Call):
        spec = pen.unit.registry.function(node.name)
        kind = "core" if spec is None or spec.module.startswith("core_") else "module"
        name = node.name
    else:
        kind, name = "core", type(node).__name__.lower()
        name = {"routecall": "route", "errorlog": "error"}.get(name, name)
    return f"_trace(ctx, {node.span.file!r}, {node.span.line}, {kind!r}, {name!r})"


def traced(pen: Pen, node: n.Call | n.RouteCall) -> Made:
    """Emit a call inside an expression; unlike a statement it tells `script_trace` by itself."""
    made = call(pen, node) if isinstance(node, n.Call) else route_call(pen, node)
    if not pen.unit.survey.traced:
        return made
    return replace(made, code=f"({trace(pen, node)} or {made.code})", statement="")


def _with_guards(pen: Pen, node: n.Call, spec: FunctionSpec, name: str, given: list[Given]) -> Made:
    guards, codes = [], ["ctx"]
    for one in given:
        if one.bad:
            temp = pen.temp("a")
            guards.append(f"({temp} := {one.code}) is {one.bad}")
            codes.append(temp)
        else:
            codes.append(one.code)
    code = pen.writer.mark(f"{name}({', '.join(codes)})", node.span)
    returns = spec.returns
    if pen.unit.survey.awaited(node):
        code, returns = f"(await _wait(ctx, {code}))", "int"
    if not guards:
        return Made(code, returns)
    test = " or ".join(guards)
    if returns == "bool":
        return Made(f"(_decline({node.name!r}) if {test} else {code})", "bool")
    body = f"{code} or 1" if returns == "none" else code
    return Made(f"(_refuse({node.name!r}) if {test} else {body})", "int" if returns == "int" else "code")


def work(pen: Pen, node: n.Call) -> str:
    """Emit the call inside `async()` or `launch()`: a function without arguments that starts it, or a bare code."""
    spec = pen.unit.registry.function(node.name)
    method = spec and pen.unit.bound(spec.module, spec.deferred or spec.attr)
    if spec is None or method is None:
        return f"_unknown({f'unknown function {node.name}'!r})"
    given = arguments(pen, node, spec)
    if isinstance(given, str):
        return f"_unknown({f'{node.name}: {given}'!r})"
    guards, codes = [], ["ctx"]
    for one in given:
        temp = pen.temp("a")
        guards.append(f"({temp} := {one.code}) is {one.bad}" if one.bad else f"({temp} := {one.code}, False)[1]")
        codes.append(temp)
    start = f"lambda: {pen.bind(node.name, method)}({', '.join(codes)})"
    return f"(_refuse({node.name!r}) if {' or '.join(guards)} else {start})" if guards else start


# --- arguments -------------------------------------------------------------------------------------------------------

def arguments(pen: Pen, node: n.Call, spec: FunctionSpec) -> list[Given] | str:
    """Emit the arguments of a call; a text says why it can never be made."""
    args = list(spec.args)
    if spec.variadic and args:
        last = args.pop()
        args += [last] * max(0, len(node.args) - len(args))
    if len(node.args) > len(args):
        return "too many arguments"
    found: list[Given] = []
    for arg, written in zip(args, [*node.args, *[None] * (len(args) - len(node.args))], strict=True):
        if written is None:
            if not arg.optional:
                return f"argument {arg.label} is missing"
            found.append(Given(pen.const(arg.default)))
            continue
        found.append(_argument(pen, arg, written))
    while found and len(found) > len(node.args) and not spec.variadic:      # Python fills trailing defaults in itself
        found.pop()
    return found


def _argument(pen: Pen, arg: Arg, written: Any) -> Given:
    emit = _KINDS.get(arg.kind, _any)
    return emit(pen, arg, written)


def _or_default(pen: Pen, arg: Arg, code: str, bad: str = "None") -> Given:
    """Complete an argument whose value may be NULL: mandatory ones fail, optional ones take their default."""
    if not arg.optional:
        return Given(code, bad)
    if arg.default is None and bad == "None":
        return Given(code)
    temp = pen.temp("v")
    return Given(f"({temp} if ({temp} := {code}) is not {bad} else {pen.const(arg.default)})")


def _number(pen: Pen, arg: Arg, written: Any) -> Given:
    if isinstance(written, n.Num):
        return Given(repr(written.value))
    if isinstance(written, n.VarRef):
        found = expr.read(pen, written)
        form = f", {found.form}" if found.form else ""
        return _or_default(pen, arg, f"_integer({found.code}{form})")
    if isinstance(written, n.Str) and formatted(written):
        return _or_default(pen, arg, f"_parsed_int({expr.formatted(pen, expr.format_of(written))})")
    number = runtime.parsed_int(constant(written))
    if number is None:
        return Given("None", "None")
    return Given(repr(number))


def _string(pen: Pen, arg: Arg, written: Any) -> Given:
    if isinstance(written, n.VarRef):
        found = expr.read(pen, written)
        return _or_default(pen, arg, found.code if found.type == "s" else f"_string({found.code})")
    if isinstance(written, n.Str):
        code, limited = expr.bounded(pen, expr.format_of(written))
        return Given(code, "None") if limited else Given(code)
    return Given(repr(str(written.value) if isinstance(written, n.Num) else constant(written)))


def _any(pen: Pen, arg: Arg, written: Any) -> Given:
    if isinstance(written, n.Num):
        return Given(repr(written.value))
    if isinstance(written, n.VarRef):
        return _or_default(pen, arg, expr.read(pen, written).code)
    return _string(pen, arg, written)


def _plain(pen: Pen, arg: Arg, written: Any) -> Given:
    return Given(repr(constant(written)))


def _flag(pen: Pen, arg: Arg, written: Any) -> Given:
    return Given(repr(constant(written).strip()))


def _expression(pen: Pen, arg: Arg, written: Any) -> Given:
    compile_one = arg.parse or re.compile
    if isinstance(written, n.VarRef) or (isinstance(written, n.Str) and formatted(written)):
        text = _string(pen, Arg(arg.label, "str"), written)
        patterns = runtime.Patterns(compile_one)        # type: ignore[arg-type]
        temp = pen.temp("v")
        return Given(f"(None if ({temp} := {text.code}) is None else {pen.const(patterns.get, 'RE')}({temp}))", "None")
    return _constant_parsed(pen, compile_one, _unformatted(written))


def _parsed(pen: Pen, arg: Arg, written: Any) -> Given:
    parse = arg.parse or str
    if isinstance(written, n.VarRef) or (isinstance(written, n.Str) and formatted(written)):
        text = _string(pen, Arg(arg.label, "str"), written)
        code = f"_convert({pen.const(parse, 'parse')}, {text.code})"
        if arg.optional and isinstance(written, n.VarRef):
            temp = pen.temp("v")
            default = pen.const(arg.default)
            code = (f"({default} if ({temp} := {text.code}) is None else "
                    f"_convert({pen.const(parse, 'parse')}, {temp}))")
        return Given(code, FAILS)
    return _constant_parsed(pen, parse, _unformatted(written))


def _constant_parsed(pen: Pen, parse: Callable[[str], Any], text: str) -> Given:
    try:
        return Given(pen.const(parse(text), "K"))
    except (ValueError, re.error, OverflowError) as error:
        runtime.log.error("bad argument %r: %s", text, error)
        return Given("None", "None")


def _unformatted(written: Any) -> str:
    """Return the text of a constant argument, `$$` taken as a dollar."""
    if isinstance(written, n.Str):
        return "".join(part for part in expr.format_of(written).parts if isinstance(part, str))
    return constant(written)


def _variable(pen: Pen, arg: Arg, written: Any) -> Given:
    if isinstance(written, n.Str):
        text = written.value.strip()
        found = formatted(written)
        if len(found) == 1 and found[0].text == text:
            written = found[0]
        elif text.startswith("$"):
            written = parse_variable(text, written.span)
    if not isinstance(written, n.VarRef):
        return Given("None", "None")
    from osip.script.emit import assign  # a reference both reads and assigns
    return Given(pen.const(assign.reference(pen.unit, written), "VAR"))


def constant(written: Any) -> str:
    """Return the text of a constant argument as it is."""
    if isinstance(written, n.Str):
        return written.value
    if isinstance(written, n.Num):
        return written.text or str(written.value)
    if isinstance(written, n.Word):
        return written.name
    return getattr(written, "text", "")


_KINDS: dict[str, Callable[[Pen, Arg, Any], Given]] = {
    "int": _number, "str": _string, "static": _plain, "raw": _plain, "flag": _flag, "re": _expression,
    "var": _variable, "route": _string, "parsed": _parsed, "list": _any, "any": _any}


# --- routes ----------------------------------------------------------------------------------------------------------

def route_call(pen: Pen, node: n.RouteCall) -> Made:
    """Emit `route(NAME, ...)`."""
    survey = pen.unit.survey
    name = target_name(node.target)
    if name is None:
        if isinstance(node.target, n.Str):
            code = expr.formatted(pen, expr.format_of(node.target))
        else:
            code = expr.value(pen, node.target).code
        route = f"_find({code})"
        waits = any(kind == "route" for kind, _ in survey.waits)
    else:
        key = ("route", "" if name == "0" else name)
        known = pen.unit.routes.get(key)
        if known is None:
            return Made(f"_unknown({f'unknown route {name}'!r})")
        route, waits = known, key in survey.waits
    values = ["None" if isinstance(arg, n.Null) else expr.value(pen, arg).code for arg in node.args]
    if survey.returns or survey.params:
        code = f"_{'fresh' if survey.returns else 'params'}(ctx, {', '.join([route, *values])})"
    else:
        code = f"{route}(ctx)"
    code = pen.writer.mark(code, node.span)
    if waits:
        code = f"(await _wait_route({code}))" if name is None else f"(await {code})"
    return Made(code)
