"""Emit values: variables, format strings, arithmetic (dsl.md sections 2 and 9.3, variables.md section 1)."""
from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from osip.script import nodes as n
from osip.script import reference, runtime
from osip.script.emit.unit import Pen, Val
from osip.script.variable import parse_format

if TYPE_CHECKING:
    from osip.core.exports.spec import PvarSpec

NULL = Val("None")

_NUMBERED = re.compile(r"(\w+)\.(-?\d+)\.(.+)")


def value(pen: Pen, node: Any) -> Val:
    """Emit any expression as a value."""
    emit = _VALUES.get(type(node))
    if emit is not None:
        return emit(pen, node)
    from osip.script.emit import cond  # conditions and values contain each other
    return cond.as_value(pen, node)


def literal(pen: Pen, node: Any) -> Val:
    """Emit a constant: text is plain here, a format string only as an argument."""
    if isinstance(node, n.Num):
        return Val(repr(node.value), "lit")
    if isinstance(node, n.Null):
        return NULL
    text = node.value if isinstance(node, n.Str) else node.name if isinstance(node, n.Word) else node.text
    return Val(repr(text), "s", text=True, null=False)


# --- variables -------------------------------------------------------------------------------------------------------

def read(pen: Pen, var: n.VarRef, *, at: str | None = None, plain: bool = False) -> Val:
    """Emit the reading of a variable; `at` is code for an index that replaces the written one.

    With `plain` the transformations are left out.
    """
    if var.context is not None:
        found = _in_context(pen, var, at)
    else:
        found = _read(pen, var, "ctx", at)
    for transform in () if plain else var.transforms:
        found = _transformed(pen, found, transform)
    return found


def _in_context(pen: Pen, var: n.VarRef, at: str | None) -> Val:
    view = {"request": "_view_request", "reply": "_view_reply"}.get(var.context or "")
    if view is None:
        return NULL
    ctx = pen.temp("m")
    inner = _read(pen, var, ctx, at)
    return Val(f"(None if ({ctx} := {view}(ctx)) is None else {inner.code})", inner.type, text=inner.text)


def _read(pen: Pen, var: n.VarRef, ctx: str, at: str | None) -> Val:
    special = _SPECIAL.get(var.name)
    if special is not None:
        found = special(pen, var, ctx, at)
        if found is not None:
            return found
    spec = pen.unit.registry.pvar(var.name)
    getter = spec and pen.unit.bound(spec.module, spec.getter)
    if spec is None or getter is None:
        return Val(f"(_unknown({f'unknown variable {var.text}'!r}) and None)")
    codes, guards = keys(pen, spec, var, at)
    call = f"{pen.bind('pv_' + var.name, getter)}({', '.join([ctx, *codes])})"
    is_text = spec.type == "s" and not hasattr(getter, "__self__")      # the plain functions give what they declare
    return Val(f"(None if {' or '.join(guards)} else {call})" if guards else call, spec.type, text=is_text)


def keys(pen: Pen, spec: PvarSpec, var: n.VarRef, at: str | None) -> tuple[list[str], list[str]]:
    """Return code for the key and index that an access takes, and what must not hold for it to be made."""
    found: list[str] = []
    guards: list[str] = []
    if spec.key:
        code, dynamic = key(pen, spec, var)
        if dynamic:
            temp = pen.temp("k")
            guards.append(f"({temp} := {code}) is None")
            code = temp
        elif code == "None" and (var.key is not None or spec.key == "required"):
            guards.append("True")
        found.append(code)
    if spec.index:
        code, dynamic = index(pen, var, at)
        if dynamic:
            temp = pen.temp("i")
            guards.append(f"({temp} := {code}) is None")
            code = temp
        found.append(code)
    return found, guards


def key(pen: Pen, spec: PvarSpec | None, var: n.VarRef) -> tuple[str, bool]:
    """Return code for a variable's key, and whether it is computed at run time."""
    parse = spec.key_parse if spec is not None else None
    if var.key_var is not None:
        return f"_key_of({pen.const(parse, 'parse')}, {read(pen, var.key_var).code})", True
    if var.key is None:
        return "None", False
    try:
        return pen.const(parse(var.key) if parse is not None else var.key, "key"), False
    except ValueError as error:
        runtime.log.error("bad key in %s: %s", var.text, error)
        return "None", False


def index(pen: Pen, var: n.VarRef, at: str | None = None) -> tuple[str, bool]:
    """Return code for a variable's index, and whether it is computed at run time."""
    if at is not None:
        return at, False
    if isinstance(var.index, n.VarRef):
        return f"_index_of({read(pen, var.index).code})", True
    return repr(var.index), False


def _transformed(pen: Pen, found: Val, transform: n.Transform) -> Val:
    if transform.name == "s.eval":
        return Val(f"_eval(ctx, {found.code})")
    spec = pen.unit.registry.transform(transform.name)
    function: Any = spec.func if spec is not None else None
    numbered = _NUMBERED.fullmatch(transform.name)
    if numbered is not None and spec is None:           # nameaddr.2.uri
        spec = pen.unit.registry.transform(f"{numbered[1]}.{numbered[3]}")
        function = partial(spec.func, index=int(numbered[2])) if spec is not None else None
    if spec is None:
        return Val(f"(_unknown({f'unknown transformation {{{transform.raw}}}'!r}) and None)")
    args = [found.code]
    for arg in transform.args:
        if isinstance(arg, n.VarRef):
            args.append(read(pen, arg).code)
        elif transform.name == "re.subst" and "$" in arg:
            form, _ = parse_format(arg.replace("$$", "$$$$"), transform.span)
            args.append(formatted(pen, form))
        else:
            args.append(repr(arg))
    name = pen.bind("tr_" + transform.name, function)
    call = f"_transform_in(ctx, {name}, " if spec.takes_ctx else f"_transform({name}, "
    return Val(f"{call}{', '.join(args)})")


def _var(pen: Pen, var: n.VarRef, ctx: str, at: str | None) -> Val | None:
    if var.key_var is not None:
        return Val(f"_var(_text({read(pen, var.key_var).code}))")
    return Val(f"_var({var.key!r})")


def _avp(pen: Pen, var: n.VarRef, ctx: str, at: str | None) -> Val | None:
    name = avp_name(pen, var)
    if at is None and var.index is None:
        return Val(f"_avp({ctx}, {name})")
    code, _ = index(pen, var, at)
    return Val(f"_avp_at({ctx}, {name}, {_sure_index(pen, code)})")


def _sure_index(pen: Pen, code: str) -> str:
    # A computed index without a value must not mean "no index": there is no element far out.
    if code.startswith("_index_of("):
        temp = pen.temp("i")
        return f"({temp} if ({temp} := {code}) is not None else 1 << 31)"
    return code


def avp_name(pen: Pen, var: n.VarRef) -> str:
    """Return code for the name of an AVP."""
    if var.key_var is not None:
        return f"_text({read(pen, var.key_var).code})"
    return repr(reference.avp_name(var.key or ""))


def _rc(pen: Pen, var: n.VarRef, ctx: str, at: str | None) -> Val | None:
    return Val("ctx.rc", "is")


def _cfg_line(pen: Pen, var: n.VarRef, ctx: str, at: str | None) -> Val | None:
    return Val(repr(var.span.line), "is")


def _cfg_file(pen: Pen, var: n.VarRef, ctx: str, at: str | None) -> Val | None:
    return Val(repr(var.span.file), "s", text=True, null=False)


_SPECIAL = {"var": _var, "avp": _avp, "rc": _rc, "retcode": _rc, "cfg_line": _cfg_line, "cfg_file": _cfg_file}


# --- format strings --------------------------------------------------------------------------------------------------

def formatted(pen: Pen, form: n.Format) -> str:
    """Emit a format string as text; NULL prints as `<null>`. No length is checked."""
    parts = form.parts
    if all(isinstance(part, str) for part in parts):
        return repr("".join(parts))                     # type: ignore[arg-type]
    codes = [repr(part) if isinstance(part, str) else _printed(pen, read(pen, part)) for part in parts]
    return codes[0] if len(codes) == 1 else joined(codes)


def _printed(pen: Pen, found: Val) -> str:
    if not found.text:
        return f"_text({found.code})"
    if not found.null:
        return found.code
    temp = pen.temp("v")
    return f"('<null>' if ({temp} := {found.code}) is None else {temp})"


def joined(codes: list[str]) -> str:
    """Return code that puts texts together, in the way that is cheaper for so many."""
    return f"({' + '.join(codes)})" if len(codes) <= FEW else f"''.join(({', '.join(codes)}))"


FEW = 4


def format_of(literal_: n.Str) -> n.Format:
    """Return the parts of a literal that is a format string; its faults were reported by the checker."""
    return parse_format(literal_.value, literal_.span, literal_.raw or None)[0]


def bounded(pen: Pen, form: n.Format) -> tuple[str, bool]:
    """Emit a format string of limited length; return code and whether it may be None (too long)."""
    code = formatted(pen, form)
    if all(isinstance(part, str) for part in form.parts):
        return code, False
    return f"_bounded({pen.unit.env.config.pv_print_buf_size}, {code})", True


# --- arithmetic ------------------------------------------------------------------------------------------------------

def operation(pen: Pen, op: str) -> str:
    """Return the global of an arithmetic operator."""
    names = {"+": "add", "-": "sub", "*": "mul", "/": "div", "%": "mod", "<<": "shl", ">>": "shr", "&": "band",
             "|": "bor", "^": "bxor"}
    pen.unit.names.space["_" + names[op]] = runtime.OPERATIONS[op]
    return "_" + names[op]


def arith(pen: Pen, node: n.Arith) -> Val:
    """Emit `left op right`."""
    left, right = value(pen, node.left), value(pen, node.right)
    if node.op == "+" and left.text and right.text:
        return _texts(left, right)
    form = f", {right.form}" if right.form else ""
    return Val(f"{operation(pen, node.op)}({left.code}, {right.code}{form})", "any", True, left.stops or right.stops)


def _texts(left: Val, right: Val) -> Val:
    """Emit two texts put together: NULL adds nothing, what is no number joins."""
    codes = [f"({one.code} or '')" if one.null else one.code for one in (left, right)]
    if left.summed:                                     # "a" + "b" + "c" is one sum: brackets must not nest deeply
        codes[0] = codes[0][1:-1]
    return Val(f"({codes[0]} + {codes[1]})", "s", False, left.stops or right.stops, True, False, True)


def inverted(pen: Pen, node: n.Invert) -> Val:
    """Emit `~operand`."""
    inner = value(pen, node.operand)
    form = f", {inner.form}" if inner.form else ""
    return Val(f"_invert({inner.code}{form})", "any", True, inner.stops)


_VALUES: dict[type, Any] = {n.Num: literal, n.Str: literal, n.Null: literal, n.Word: literal, n.Net: literal,
                            n.VarRef: read, n.Arith: arith, n.Invert: inverted}
