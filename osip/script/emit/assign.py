"""Emit assignments (dsl.md section 9.4) and variables handed over by reference."""
from __future__ import annotations

from osip.script import nodes as n
from osip.script.emit import expr
from osip.script.emit.unit import Pen, Unit, Val
from osip.script.reference import Reference

DONE = " is not False"
"""What behind a setter's call tells whether it could assign."""


def right_side(pen: Pen, node: n.Assign) -> Val:
    """Emit the value that an assignment stores; compound ones compute it from the old value."""
    new = expr.value(pen, node.value)
    if node.op in ("=", ":="):
        return new
    old = expr.read(pen, node.target, plain=True)
    form = f", {new.form}" if new.form else ""
    return Val(f"_compound({expr.operation(pen, node.op[:-1])}, {old.code}, {new.code}{form})", "any", True, new.stops)


def store(pen: Pen, var: n.VarRef, code: str, replace: bool = False, new: Val | None = None) -> str:
    """Emit an expression that assigns the value `code` and tells whether it could be done; `new` tells more of it."""
    if var.name == "var":
        name = repr(var.key) if var.key_var is None else f"_text({expr.read(pen, var.key_var).code})"
        return f"_keep(_vars, {name}, {code})"
    if var.name == "avp":
        return _store_avp(pen, var, code, replace)
    spec = pen.unit.registry.pvar(var.name)
    setter = spec and pen.unit.bound(spec.module, spec.setter) if spec and spec.setter else None
    if spec is None or setter is None:
        return f"(_unknown({f'{var.text} cannot be assigned'!r}) > 0)"
    keys, guards = expr.keys(pen, spec, var, "'*'" if replace and spec.index and var.index is None else None)
    name = pen.bind("set_" + var.name, setter)
    if new is not None and not new.fails and (spec.nullable or not new.null):
        call = f"{name}({', '.join([_ctx(var), *keys, code])}){DONE}"
    else:
        call = f"{'_assign' if spec.nullable else '_assign_value'}({', '.join([code, name, _ctx(var), *keys])})"
    if var.context is not None:
        guards.insert(0, f"({_ctx(var)} := _view_{var.context}(ctx)) is None")
    return f"(False if {' or '.join(guards)} else {call})" if guards else call


def _ctx(var: n.VarRef) -> str:
    return "m0" if var.context is not None else "ctx"


def _store_avp(pen: Pen, var: n.VarRef, code: str, replace: bool) -> str:
    name = expr.avp_name(pen, var)
    if var.index is None:
        return f"_avp_{'renew' if replace else 'push'}(ctx, {name}, {code})"
    index, _ = expr.index(pen, var)
    return f"_avp_set_at(ctx, {name}, {index}, {code})"


def test(pen: Pen, node: n.Assign) -> tuple[str, bool]:
    """Emit an assignment as an expression: whether it could be done; and whether its value can stop the script."""
    new = right_side(pen, node)
    code = new.code
    if new.stops:                               # a function that stops the script leaves the target alone
        temp = pen.temp("v")
        code = f"({temp} if [{temp} := {code}] and c else _ERR)"
    return store(pen, node.target, code, node.op == ":=", new), new.stops


def statement(pen: Pen, node: n.Assign) -> str:
    """Emit an assignment whose outcome may be asked for: lines as needed, and code for whether it could be done.

    The code is empty when the assignment is done by the lines and cannot fail.
    """
    new = right_side(pen, node)
    code = new.code
    if new.stops:
        temp = pen.temp("v")
        pen.line(f"{temp} = {code}")
        with pen.block("if c == 0:"):
            pen.line("return 0")
        code = temp
    if node.target.name == "var" and node.target.key_var is None and not new.fails:
        pen.line(f"_vars[{node.target.key!r}] = {code}")
        return ""
    return store(pen, node.target, code, node.op == ":=", new)


def reference(unit: Unit, var: n.VarRef) -> Reference:
    """Return an object through which a function reads and assigns a variable."""
    pen = Pen(unit, var.span)
    get, put = "_get_reference", "_set_reference"
    with pen.block(f"def {get}(ctx):"):
        pen.line(f"return {expr.read(pen, var).code}")
    with pen.block(f"def {put}(ctx, value):"):
        pen.line(f"return {store(pen, var, 'value')}")
    space = unit.names.space
    pen.writer.define(var.span.file or "<script>", space)
    spec = unit.registry.pvar(var.name)
    writable = var.name in ("var", "avp") or bool(spec and spec.setter)
    getter, setter = space.pop(get), space.pop(put)
    return Reference(var.text, getter, setter if writable and not var.transforms else None)
