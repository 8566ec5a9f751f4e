"""Find the actions whose code somebody may read as `$rc`: only those store it (performance.md rule 9).

A backward walk over each route: `live` says whether `$rc` may be read before the next action sets it. Where in doubt
the answer is yes.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from osip.script import nodes as n
from osip.script.emit.survey import Key, Survey, formatted, key_of, target_name, walk

_WORDS = frozenset(("rc", "retcode"))


class Live:
    """Which statements must store their code (`keeps`), and which conditions those of their functions (`asks`)."""

    def __init__(self, script: n.Script, survey: Survey) -> None:
        self._survey = survey
        self._always = bool(survey.transforms & {"s.eval"}) or survey.traced
        self._keep: set[int] = set()
        self._ask: set[int] = set()
        self._entry: set[Key] = set()               # routes that read the code of what ran before them
        if not survey.rc:
            return
        known = -1
        while known != len(self._entry):
            known = len(self._entry)
            for route in script.routes():
                if self._body(route.body, False, False):
                    self._entry.add(key_of(route))

    def keeps(self, node: n.Node) -> bool:
        """Tell whether a statement's code must be stored."""
        return self._survey.rc and (self._always or id(node) in self._keep)

    def asks(self, node: n.Node) -> bool:
        """Tell whether the codes of functions in the condition or value of `node` must be stored."""
        return self._survey.rc and (self._always or id(node) in self._ask)

    # --- the walk; each returns whether the code is live before ------------------------------------------------------

    def _body(self, statements: Sequence[n.Stmt], live: bool, leave: bool) -> bool:
        """Walk statements from the last to the first; `leave` is what is live behind the loop or switch."""
        for node in reversed(statements):
            live = self._statement(node, live, leave)
        return live

    def _statement(self, node: n.Stmt, live: bool, leave: bool) -> bool:
        match node:
            case n.Empty():
                return live
            case n.Block():
                return self._body(node.body, live, leave)
            case n.If():
                return self._if(node, live, leave)
            case n.While() | n.For():
                return self._loop(node, live)
            case n.Switch():
                return self._switch(node, live)
            case n.Break():
                return leave
            case n.Return() | n.Exit() | n.Drop():
                return self._reads(node)
        reads = self._reads(node)
        if live:
            self._keep.add(id(node))
        if live or reads:                           # `$var(x) = f() + $rc` reads the code of its own call
            self._ask.add(id(node))
        return reads or self._enters(node)

    def _if(self, node: n.If, live: bool, leave: bool) -> bool:
        if live:
            self._keep.add(id(node))
        after = self._statement(node.then, live, leave)
        if node.orelse is not None:
            after = self._statement(node.orelse, live, leave) or after
        return self._condition(node, node.cond, after)

    def _condition(self, node: n.Node, cond: Any, after: bool) -> bool:
        inner = [part for part in walk(cond) if isinstance(part, n.If | n.Block)]
        ask = after or self._reads(cond) or self._enters(cond) or bool(inner)
        if ask:
            self._ask.add(id(node))
        for part in inner:
            self._keep.update(id(step) for step in walk(part))
            self._ask.update(id(step) for step in walk(part))
        first = cond
        while isinstance(first, n.Binary | n.Not):
            first = first.left if isinstance(first, n.Binary) else first.operand
        if isinstance(first, n.Call | n.RouteCall):         # it surely runs, and sets the code anew
            return self._reads(first) or self._enters(first)
        return ask

    def _loop(self, node: n.While | n.For, live: bool) -> bool:
        inner = live or self._reads(node) or self._enters(node)
        if live:
            self._keep.add(id(node))
        self._body([node.body], inner, live)
        if isinstance(node, n.While):
            self._condition(node, node.cond, inner)
        return inner

    def _switch(self, node: n.Switch, live: bool) -> bool:
        if live:
            self._keep.add(id(node))
        before = live
        entered = False
        for case in reversed(node.cases):
            before = self._body(case.body, before, live)
            entered = entered or before
        return entered or self._reads(node.subject)

    # --- facts -------------------------------------------------------------------------------------------------------

    def _reads(self, node: Any) -> bool:
        """Tell whether `$rc` is read anywhere in a node, its format strings included."""
        return any(name in _WORDS for name in _names(walk(node)))

    def _enters(self, node: Any) -> bool:
        """Tell whether a route called in a node reads the code of what ran before it."""
        for part in walk(node):
            if isinstance(part, n.RouteCall):
                name = target_name(part.target)
                if name is None and any(kind == "route" for kind, _ in self._entry):
                    return True
                if name is not None and ("route", "" if name == "0" else name) in self._entry:
                    return True
        return False


def _names(parts: Iterable[n.Node]) -> Iterable[str]:
    for part in parts:
        if isinstance(part, n.VarRef):
            yield part.name
        elif isinstance(part, n.Str):
            for var in formatted(part):
                yield from (inner.name for inner in walk(var) if isinstance(inner, n.VarRef))
