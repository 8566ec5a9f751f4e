"""Emit the hottest words in place of calls (performance.md section D): flags, `is_method`, `has_totag`,
`$rm == "INVITE"`.

Each takes over only when the word is the language's own (or the module's that defines it in the same way) and its
arguments are constant; otherwise None is returned and the ordinary call is emitted.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from osip.core.errors import OsipError
from osip.core.exports.spec import FunctionSpec
from osip.core.sip.names import METHOD_IDS
from osip.script import nodes as n
from osip.script.emit.unit import Pen

Quick = tuple[str, str, str]

METHOD = "\x03"
"""Stands for the id of the message's method; the route that asks for it more than once keeps it in a local."""
METHOD_CODE = "ctx.msg.method_id"


def call(pen: Pen, node: n.Call, spec: FunctionSpec) -> Quick | None:
    """Return (code, result kind, cheaper statement) for a call that can be inlined."""
    emit = _CALLS.get((spec.module, spec.name))
    return emit(pen, node) if emit is not None else None


def _word(node: n.Call) -> str | None:
    if len(node.args) != 1:
        return None
    arg = node.args[0]
    if isinstance(arg, n.Str):
        return None if "$" in arg.value else arg.value
    if isinstance(arg, n.Word):
        return arg.name
    return (arg.text or str(arg.value)) if isinstance(arg, n.Num) else None


def _mask(pen: Pen, node: n.Call, table: str = "message_flags") -> int | None:
    name = _word(node)
    if not name:
        return None
    try:
        mask: int = getattr(pen.unit.env, table).bit(name.strip())
        return mask
    except OsipError:                           # too many flags: the word itself says so when it runs
        return None


def _isflagset(pen: Pen, node: n.Call) -> Quick | None:
    mask = _mask(pen, node)
    return None if mask is None else (f"(ctx.flags & {mask} != 0)", "bool", "")


def _setflag(pen: Pen, node: n.Call) -> Quick | None:
    mask = _mask(pen, node)
    return None if mask is None else (f"_set_flag(ctx, {mask})", "none", f"ctx.flags |= {mask}")


def _resetflag(pen: Pen, node: n.Call) -> Quick | None:
    mask = _mask(pen, node)
    return None if mask is None else (f"_reset_flag(ctx, {mask})", "none", f"ctx.flags &= {~mask}")


def _isbflagset(pen: Pen, node: n.Call) -> Quick | None:
    mask = _mask(pen, node, "branch_flags")
    return None if mask is None else (f"(ctx.target.bflags & {mask} != 0)", "bool", "")


def _setbflag(pen: Pen, node: n.Call) -> Quick | None:
    mask = _mask(pen, node, "branch_flags")
    return None if mask is None else (f"_set_branch_flag(ctx, {mask})", "none", f"ctx.target.bflags |= {mask}")


def _resetbflag(pen: Pen, node: n.Call) -> Quick | None:
    mask = _mask(pen, node, "branch_flags")
    return None if mask is None else (f"_reset_branch_flag(ctx, {mask})", "none", f"ctx.target.bflags &= {~mask}")


def _is_method(pen: Pen, node: n.Call) -> Quick | None:
    names = _word(node)
    if names is None:
        return None
    found = [METHOD_IDS.get(name.strip().upper(), 0) for name in names.split("|")]
    if not all(found):                          # a method of which we know only the name
        return None
    test = f"== {found[0]}" if len(found) == 1 else f"in {tuple(found)!r}"
    return f"({METHOD} {test})", "bool", ""


def _has_totag(pen: Pen, node: n.Call) -> Quick | None:
    return ("_has_totag(ctx)", "bool", "") if not node.args else None


_CALLS: dict[tuple[str, str], Callable[[Pen, n.Call], Quick | None]] = {
    ("core_flags", "isflagset"): _isflagset, ("core_flags", "setflag"): _setflag,
    ("core_flags", "resetflag"): _resetflag,
    ("core_flags", "isbflagset"): _isbflagset, ("core_flags", "setbflag"): _setbflag,
    ("core_flags", "resetbflag"): _resetbflag,
    ("sipmsgops", "is_method"): _is_method, ("textops", "is_method"): _is_method,
    ("sipmsgops", "has_totag"): _has_totag, ("uri", "has_totag"): _has_totag}


def comparison(pen: Pen, node: n.Compare) -> str | None:
    """Return a test for `$rm == "METHOD"` that asks the parsed id first; None for anything else."""
    left, right = node.left, node.right
    if node.op not in ("==", "!=") or not _is_plain(left, "rm") or not isinstance(right, n.Str | n.Word):
        return None
    name = right.value if isinstance(right, n.Str) else right.name
    method = METHOD_IDS.get(name.upper(), 0)
    spec = pen.unit.registry.pvar("rm")
    if not method or spec is None or spec.module != "core_message":
        return None
    # A method that is not known by id may still be the same word in other letters.
    test = f"({METHOD} == {method} or (not {METHOD} and _low(ctx.msg.method) == {name.lower()!r}))"
    return test if node.op == "==" else f"(not {test})"


def _is_plain(node: Any, name: str) -> bool:
    return (isinstance(node, n.VarRef) and node.name == name and node.context is None and not node.transforms
            and node.key is None and node.index is None)
