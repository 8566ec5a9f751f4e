"""Find old spellings of variables, arguments and comparisons, each with its exact new form where there is one.

dsl.md sections 7, 9.5, 10 and 14, variables.md section 6 and core_functions.md section 11 name them.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check.reference import arg_of, references
from osip.script.check.unit import Unit

_VARIABLES = {"fs": "socket_out", "Ri": "socket_in(ip)", "Rp": "socket_in(port)", "pr": "socket_in(proto)",
              "af": "socket_in(af)"}
_RELAY_BITS = {2: "no-auto-477", 4: "no-dns-failover", 8: "pass-reason-hdr", 16: "allow-no-cancel"}
_ADDRESSES = {"src_ip": "$si", "dst_ip": "$socket_in(ip)"}
_FLAGS = frozenset(("setflag", "resetflag", "isflagset", "setbflag", "resetbflag", "isbflagset"))


class Edit(NamedTuple):
    """One replacement in the operator's file."""
    span: Span
    text: str


class Old(NamedTuple):
    """One old spelling: the finding (None when `osip check` reports it already) and how to mend it."""
    finding: Diagnostic | None
    edits: tuple[Edit, ...]


def old(was: str, now: str, span: Span, *edits: Edit) -> Old:
    """Return an old spelling that is reported here; without edits the new one may mean something else."""
    return Old(Diagnostic("W637", f'"{was}" is an old spelling', span, Severity.INFO, f"now {now}"), edits)


def variables(unit: Unit) -> Iterator[Old]:
    """Yield variables of older names, and AVPs with the types that names had: `$avp(i:1)`."""
    for ref in references(unit):
        var = ref.var
        text = _text(unit, var.span)
        match = re.match(r"\$\(?(?:<\w+>)?", text)
        if match is None:
            continue
        if var.name in _VARIABLES and text[match.end():].startswith(var.name) and var.key is None:
            now = _VARIABLES[var.name]
            start = var.span.col + match.end()
            span = Span(var.span.file, var.span.line, start, var.span.line, start + len(var.name))
            yield old(f"${var.name}", f"${now}", var.span, Edit(span, now))
        elif var.name in ("avp", "shv") and var.key and var.key[:2] in ("i:", "s:") and len(var.key) > 2:
            head = match.end() + len(f"{var.name}(")
            if text[head:].startswith(var.key[:2]):
                start = var.span.col + head
                span = Span(var.span.file, var.span.line, start, var.span.line, start + 2)
                yield old(f"${var.name}({var.key})", f"${var.name}({var.key[2:]})", var.span, Edit(span, ""))


def _text(unit: Unit, span: Span) -> str:
    """Return the operator's text at a span, to the end of its line."""
    lines = unit.script.files.get(span.file, "").split("\n")
    return lines[span.line - 1][span.col - 1:] if 0 < span.line <= len(lines) else ""


def arguments(unit: Unit, registry: Registry) -> Iterator[Old]:
    """Yield calls without brackets, flags and sockets without quotes, numbers with them, and bits for words."""
    for call in unit.all(nodes.Call):
        spec = registry.function(call.name)
        if spec is None:
            continue
        if call.span == call.name_span:
            yield old(call.name, f"{call.name}()", call.span, Edit(_behind(call.span), "()"))
        for place, given in enumerate(call.args):
            arg = arg_of(spec, place)
            if given is None or arg is None:
                continue
            if spec.name == "t_relay" and place == 0 and isinstance(given, nodes.Str):
                yield from _relay(given)
            elif arg.kind == "flag" and len(call.args) == 1 and isinstance(given, (nodes.Word, nodes.Num)) \
                    and spec.name in _FLAGS or spec.module in registry.builtin_names and arg.kind == "str" \
                    and isinstance(given, nodes.Word):
                name = given.name if isinstance(given, nodes.Word) else given.text or str(given.value)
                yield old(name, "in quotes", given.span, Edit(given.span, f'"{name}"'))
            elif arg.kind == "int" and isinstance(given, nodes.Str) and re.fullmatch(r"-?[1-9]\d{0,8}|0", given.value):
                yield old(given.value, "without quotes", given.span, Edit(given.span, given.value))


def _behind(span: Span) -> Span:
    return Span(span.file, span.end_line, span.end_col, span.end_line, span.end_col)


def _relay(given: nodes.Str) -> Iterator[Old]:
    """Yield the bits of t_relay() as words."""
    if not re.fullmatch(r"0x[0-9A-Fa-f]{1,2}", given.value):
        return
    bits = int(given.value, 16)
    words = ",".join(word for bit, word in _RELAY_BITS.items() if bits & bit)
    if words and not bits & ~sum(_RELAY_BITS):
        yield old(given.value, f'"{words}"', given.span, Edit(given.span, f'"{words}"'))


def comparisons(unit: Unit) -> Iterator[Old]:
    """Yield comparisons with `myself`, `max_len` and `status`, which have no operand of the same look."""
    for node in unit.all(nodes.Compare):
        left, right = node.left, node.right
        if not isinstance(left, nodes.OldOperand):
            continue
        if left.name == "myself" and isinstance(right, nodes.OldOperand):
            left, right = right, left
        other = right.name if isinstance(right, nodes.OldOperand) else ""
        if other == "myself" and left.name in _ADDRESSES:
            call = f"{'!' if node.op == '!=' else ''}is_myself({_ADDRESSES[left.name]})"
            yield old(f"{left.name} {node.op} myself", call, node.span, Edit(node.span, call))
        elif other == "myself":
            yield old(f"{left.name} {node.op} myself", "is_myself() with host and port of the URI", node.span)
        elif other == "max_len":
            yield old("max_len", "65535", right.span, Edit(left.span, "$ml"), Edit(right.span, "65535"))
        elif left.name == "status" and isinstance(right, (nodes.Str, nodes.VarRef)):
            owner = unit.route_of(node)
            certain = owner is not None and owner.kind == "onreply_route"       # else it is the R-URI on a request
            yield old("status", "$rs", left.span, *([Edit(left.span, "$rs")] if certain else []))
