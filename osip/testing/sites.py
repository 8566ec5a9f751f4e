"""List the statements of a script by the place where each begins, and the arms that each choice has."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from osip.script import nodes as n
from osip.script.emit.stmt import flat
from osip.script.emit.survey import key_of, walk

Key = tuple[str, int, int]
"""Where a statement begins: file, line, column."""


@dataclass(frozen=True, slots=True)
class Site:
    """One statement. `above` are the statements that it stands in; `arms` the first statements of its arms.

    An arm None is the way past an `if` without `else`. `line` is its text as the script writes it.
    """
    key: Key
    route: str
    line: str
    above: frozenset[Key]
    arms: tuple[Key | None, ...] = ()
    is_loop: bool = False


class Sites:
    """The statements of one script. With `asserts` off `assert` does nothing and is left out."""

    def __init__(self, script: n.Script, asserts: bool = False) -> None:
        self.by_key: dict[Key, Site] = {}
        self.routes: dict[str, tuple[str, int]] = {}        # label -> file, line
        self.texts = {path: text.split("\n") for path, text in script.files.items()}
        self.names = tuple(script.files)        # by which emitted code tells files apart (core/run/place)
        self._asserts = asserts
        for route in script.routes():
            kind, name = key_of(route)
            label = f"{kind}[{name}]" if name else kind
            self.routes.setdefault(label, (route.span.file, route.span.line))
            self._body(route.body, label, ())

    @property
    def files(self) -> set[str]:
        """The files that statements stand in."""
        return {file for file, _, _ in self.by_key} | {file for file, _ in self.routes.values()}

    def _body(self, body: Sequence[n.Stmt], label: str, above: tuple[Key, ...]) -> None:
        for node in real(body, self._asserts):
            self._add(node, label, above)

    def _add(self, node: n.Stmt, label: str, above: tuple[Key, ...]) -> None:
        key = key_at(node)
        inner = (*above, key)
        arms: tuple[Key | None, ...] = ()
        match node:
            case n.If():
                arms = (self._first([node.then]), self._first([node.orelse]) if node.orelse is not None else None)
                self._body([node.then], label, inner)
                if node.orelse is not None:
                    self._body([node.orelse], label, inner)
            case n.While() | n.For():
                self._body([node.body], label, inner)
            case n.Switch():
                bodies = [cut(case.body) for case in node.cases]
                arms = tuple(arm for arm in (self._first(body) for body in bodies) if arm is not None)
                for body in bodies:
                    self._body(body, label, inner)
        for nested in within(node):
            self._add(nested, label, inner)
        self.by_key[key] = Site(key, label, self.text(key), frozenset(above), arms, isinstance(node, n.While | n.For))

    def _first(self, body: Sequence[n.Stmt]) -> Key | None:
        found = real(body, self._asserts)
        return key_at(found[0]) if found else None

    def text(self, key: Key) -> str:
        """Return the line of the script, without its indent."""
        lines = self.texts.get(key[0], [])
        return lines[key[1] - 1].strip() if key[1] <= len(lines) else ""

    def lines(self) -> dict[str, set[int]]:
        """Return the lines on which statements begin, by file."""
        found: dict[str, set[int]] = {}
        for file, line, _ in self.by_key:
            found.setdefault(file, set()).add(line)
        return found


def key_at(node: n.Node) -> Key:
    """Return where a node begins."""
    return node.span.file, node.span.line, node.span.col


def real(body: Iterable[n.Stmt], asserts: bool) -> list[n.Stmt]:
    """Return the statements that do something."""
    return [node for node in flat(list(body)) if not isinstance(node, n.Empty)
            and (asserts or not isinstance(node, n.Assert))]


def cut(body: Sequence[n.Stmt]) -> list[n.Stmt]:
    """Return a case's body without the `break` at its end, of which nothing is left when it runs."""
    found = [node for node in flat(list(body)) if not isinstance(node, n.Empty)]
    return found[:-1] if found and isinstance(found[-1], n.Break) else found


def within(node: Any) -> Iterator[n.Stmt]:
    """Walk the statements that stand inside the condition of a statement."""
    if isinstance(node, n.If | n.While):
        for part in walk(node.cond):
            if isinstance(part, n.If):
                yield part
