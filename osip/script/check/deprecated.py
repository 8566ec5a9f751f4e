"""Find old spellings and say how each is written now; `osip lint --fix` puts the new one in."""
from __future__ import annotations

from collections.abc import Iterable, Iterator

from osip.core.exports.diagnostic import Diagnostic, Span
from osip.core.exports.registry import Registry
from osip.core.run.config import BY_NAME
from osip.script import nodes
from osip.script.check.spelling import Edit, Old, arguments, comparisons, old, variables
from osip.script.check.unit import Unit, inside

_NEWER = frozenset(("append_branch_old", "remove_msg_branch", "move_msg_branch", "swap_msg_branches"))
_OPERANDS = {"uri": "$ru", "from_uri": "$fu", "to_uri": "$tu", "method": "$rm", "src_ip": "$si", "src_port": "$sp",
             "dst_ip": "$socket_in(ip)", "dst_port": "$socket_in(port)", "proto": "$socket_in(proto)",
             "af": "$socket_in(af)", "msg:len": "$ml"}


def check_deprecated(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Name the old spellings of functions, operands and sockets."""
    for one in old_spellings(unit, registry):
        if one.finding is not None:
            yield one.finding


def old_spellings(unit: Unit, registry: Registry) -> Iterator[Old]:
    """Yield every old spelling that has a new one of the same meaning."""
    yield from _functions(unit, registry)
    yield from _operands(unit)
    yield from comparisons(unit)
    yield from variables(unit)
    yield from arguments(unit, registry)
    yield from _settings(unit)
    yield from _params(unit, registry)


def _functions(unit: Unit, registry: Registry) -> Iterator[Old]:
    for call in unit.all(nodes.Call):
        spec = registry.function(call.name)
        if spec is not None and spec.name != call.name and call.name not in _NEWER:
            yield old(call.name, spec.name, call.name_span, Edit(call.name_span, spec.name))


def _operands(unit: Unit) -> Iterator[Old]:
    for node in unit.all(nodes.Compare):
        if not isinstance(node.left, nodes.OldOperand) or isinstance(node.right, nodes.OldOperand):
            continue
        now = _OPERANDS.get(node.left.name)
        right = _right(node)
        if now is not None and right is not None:
            yield old(node.left.name, now, node.left.span, Edit(node.left.span, now), *right)


def _right(node: nodes.Compare) -> tuple[Edit, ...] | None:
    """Return the edits that the right side needs; None when the new form would mean something else."""
    name = node.left.name                                       # type: ignore[union-attr]
    if isinstance(node.right, nodes.Word):
        if name in ("src_ip", "dst_ip"):
            return None                     # a host name is looked up there, a text is not
        return (Edit(node.right.span, f'"{node.right.name}"'),)
    if name in ("src_ip", "dst_ip"):
        return () if isinstance(node.right, nodes.Net) else None
    if name in ("src_port", "dst_port", "msg:len"):
        return () if isinstance(node.right, nodes.Num) else None
    return () if isinstance(node.right, (nodes.Str, nodes.VarRef)) else None


def _settings(unit: Unit) -> Iterator[Old]:
    for item in unit.script.items:
        if isinstance(item, nodes.SocketDef) and item.keyword == "listen":
            start = item.span
            span = Span(start.file, start.line, start.col, start.line, start.col + len("listen"))
            yield old("listen", "socket", span, Edit(span, "socket"))
        elif isinstance(item, nodes.Setting):
            spec = BY_NAME.get(item.name)
            if spec is not None and spec.name != item.name and not spec.inert:
                yield Old(None, (Edit(item.name_span, spec.name),))


def _params(unit: Unit, registry: Registry) -> Iterator[Old]:
    for item in unit.script.items:
        if not isinstance(item, nodes.ModParam):
            continue
        specs = registry.match_modules(item.module.value.removesuffix(".so"))
        found = [param for spec in specs if (param := spec.param(item.param.value)) is not None]
        names = {param.name for param in found}
        if found and len(names) == 1 and item.param.value not in names and not found[0].removed:
            yield Old(None, (Edit(inside(item.param, 0, len(item.param.value)), names.pop()),))


def apply_edits(files: dict[str, str], edits: Iterable[Edit]) -> dict[str, str]:
    """Return the new texts of the files that change."""
    by_file: dict[str, list[Edit]] = {}
    for edit in dict.fromkeys(edits):
        if edit.span.file in files and edit.span.line == edit.span.end_line:
            by_file.setdefault(edit.span.file, []).append(edit)
    changed: dict[str, str] = {}
    for file, mine in by_file.items():
        lines = files[file].split("\n")
        for edit in sorted(mine, key=lambda one: (one.span.line, one.span.col), reverse=True):
            line = lines[edit.span.line - 1]
            lines[edit.span.line - 1] = line[:edit.span.col - 1] + edit.text + line[edit.span.end_col - 1:]
        changed[file] = "\n".join(lines)
    return changed
