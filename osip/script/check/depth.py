"""Refuse what is nested too deeply: the emitted code has to fit the limits of Python, whose parser it goes through.

The walk keeps its own stack, so that no script can exhaust that of Python; the other checks come after it.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from osip.core.exports.diagnostic import Diagnostic
from osip.script import nodes as n

BLOCKS, LOOPS, EXPRESSION, CHAIN = 90, 18, 180, 800
"""Most levels of statements in statements, of loops in loops, of operations in an expression; longest `else if`."""

_ROUTE = "move the inner part to a route of its own"

_LOOPS = (n.While, n.For)
_NESTING = (n.If, n.While, n.For, n.Switch)


def check_depth(script: n.Script) -> Iterator[Diagnostic]:
    """Yield a finding for each route that nests too deeply, at the place where it does."""
    for route in script.routes():
        found = _too_deep(route)
        if found is not None:
            yield found


def _too_deep(route: n.RouteDef) -> Diagnostic | None:
    todo: list[tuple[object, int, int, int, int]] = [(route.body, 0, 0, 0, 0)]
    while todo:
        node, blocks, loops, depth, chain = todo.pop()
        if isinstance(node, tuple):
            todo += [(part, blocks, loops, depth, 0) for part in node]
            continue
        if not isinstance(node, n.Node):
            continue
        if isinstance(node, _NESTING):
            blocks, loops, depth = blocks + 1, loops + isinstance(node, _LOOPS), 0
        else:
            depth = 0 if isinstance(node, n.Block) else depth + _weight(node)
        for what, level, most, hint in (("statements", blocks, BLOCKS, _ROUTE), ("loops", loops, LOOPS, _ROUTE),
                                        ("operations", depth, EXPRESSION, "compute a part of it before"),
                                        ("else branches", chain, CHAIN, "use switch, or several routes")):
            if level > most:
                return Diagnostic("E025", f"{what} nested deeper than {most} levels", node.span, hint=hint)
        for item in fields(node):
            is_else = item.name == "orelse" and isinstance(node, n.If)      # `else if` goes on at the level of its `if`
            todo.append((getattr(node, item.name), blocks - is_else, loops, depth, chain + 1 if is_else else 0))
    return None


def _weight(node: n.Node) -> int:
    """Return how many brackets deep what stands in a node is emitted."""
    if not isinstance(node, n.VarRef):
        return 1
    return len(node.transforms) + (4 if node.key_var is not None or isinstance(node.index, n.VarRef) else 1)
