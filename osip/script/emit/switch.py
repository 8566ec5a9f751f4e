"""Emit `switch` (dsl.md section 6): a chain of tests when every case leaves, else numbered bodies."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from osip.script import nodes as n
from osip.script.emit import expr, stmt
from osip.script.emit.unit import Pen

Group = tuple[list[Any], tuple[n.Stmt, ...], bool]


def switch(pen: Pen, node: n.Switch, dest: str) -> bool:
    """Emit a `switch`."""
    groups = _groups(node)
    subject, folded = pen.temp("v"), pen.temp("v")
    found = expr.read(pen, node.subject)
    pen.line(f"{subject} = {found.code}")
    if any(isinstance(label, n.Str) for labels, _, _ in groups for label in labels):
        pen.line(f"{folded} = {subject} and {subject}.lower()" if found.text else f"{folded} = _fold({subject})")
    number = f"_number({subject}, 1)" if found.type == "si" else subject
    tests = [" or ".join(f"{folded} == {label.value.lower()!r}" if isinstance(label, n.Str)
                         else f"{number} == {label.value}" for label in labels) for labels, _, _ in groups]
    if all(_leaves(part) for _, part, _ in groups[:-1]) and not any(_breaks(_cut(part)) for _, part, _ in groups):
        return _switch_chain(pen, node, dest, groups, tests)
    return _switch_fall(pen, node, dest, groups, tests)


def _groups(node: n.Switch) -> list[Group]:
    """Return cases with the labels that share a body: (labels, body, is or has the default)."""
    groups: list[Group] = []
    labels: list[Any] = []
    default = False
    for case in node.cases:
        if case.label is None:
            default = True
        else:
            labels.append(case.label)
        if case.body or case is node.cases[-1]:
            groups.append((labels, case.body, default))
            labels, default = [], False
    return groups


def _cut(part: Sequence[n.Stmt]) -> list[n.Stmt]:
    """Return a case's body without the `break` at its end."""
    found = [node for node in stmt.flat(part) if not isinstance(node, n.Empty)]
    return found[:-1] if found and isinstance(found[-1], n.Break) else found


def _leaves(part: Sequence[n.Stmt]) -> bool:
    found = [node for node in stmt.flat(part) if not isinstance(node, n.Empty)]
    return bool(found) and isinstance(found[-1], n.Break | n.Return | n.Exit | n.Drop | n.Async)


def _breaks(part: Sequence[n.Stmt]) -> bool:
    """Tell whether a `break` of this switch stands anywhere in statements."""
    for node in stmt.flat(part):
        if isinstance(node, n.Break):
            return True
        if isinstance(node, n.If) and _breaks([node.then, *([node.orelse] if node.orelse else [])]):
            return True
    return False


def _switch_chain(pen: Pen, node: n.Switch, dest: str, groups: list[Group], tests: list[str]) -> bool:
    """Emit a switch of which every case leaves: as a chain of tests."""
    ends, complete, word, keep = True, False, "if", pen.rc
    for (_, part, default), test in zip(groups, tests, strict=True):
        pen.writer.at = node.span
        complete = default
        head = f"{word} {test}:" if not default else "else:" if word == "elif" else "if True:"
        with pen.block(head):
            ends &= stmt.branch(pen, n.Block(node.span, tuple(_cut(part))), dest, "1", keep)
        word = "elif"
        pen.writer.at = node.span
    if not complete and (dest == stmt.KEEP or keep and dest == stmt.DROP):
        pen.rc = keep
        with pen.block("else:"):
            stmt.give(pen, dest, "1")
    return ends and complete


def _switch_fall(pen: Pen, node: n.Switch, dest: str, groups: list[Group], tests: list[str]) -> bool:
    """Emit a switch with fall-through: number the entry, then run each body from there on until a break."""
    entry = pen.temp("n")
    last = len(groups) - 1 if groups and groups[-1][2] else len(groups)
    code = repr(last)
    for place in reversed(range(len(groups))):
        if tests[place] and not groups[place][2]:
            code = f"{place} if {tests[place]} else {code}"
    pen.line(f"{entry} = {code}")
    if pen.rc and last == len(groups):
        with pen.block(f"if {entry} == {last}:"):
            pen.line("ctx.rc = 1")
    inner = stmt.loop_dest(pen, dest)
    with pen.block("while True:"):
        for place, (_, part, _) in enumerate(groups):
            with pen.block(f"if {entry} <= {place}:"):
                stmt.body(pen, part, inner)
            pen.writer.at = node.span
        pen.line("break")
    return stmt.loop_end(pen, dest)
