"""Keep JSON trees for scripts: `$json` (variables.md section 2).

A path is the name of a tree and then `/key`, `[i]` and, when writing, `[]`; a key or index may be a `$var`.
"""
from __future__ import annotations

import json
import re
from typing import Any

from osip.api import Ctx, Module, Value, pvar
from osip.script.builtins.value import Index, pick

_STEP = re.compile(r"/([^/\[\]]+)|\[\s*(-?\d+|\$var\([^()]*\))?\s*\]")
_NAME = re.compile(r"[^/\[\]]+")
_VARIABLE = re.compile(r"\$\(?json\((.*?)\)\)?", re.DOTALL)
_VAR = re.compile(r"\$\(?var\(([^()]+)\)\)?")

Step = str | int | None
"""A key, an index, or None for `[]`: append."""


class Path:
    """A parsed path: the tree's name and the texts of its steps."""
    __slots__ = ("name", "steps")

    def __init__(self, name: str, steps: tuple[tuple[str, str | None], ...]) -> None:
        self.name, self.steps = name, steps

    def resolve(self, variables: dict[str, Any]) -> list[Step]:
        """Return the steps with the variables in place; KeyError for one that is NULL."""
        out: list[Step] = []
        for kind, text in self.steps:
            if text is None:
                out.append(None)
                continue
            found = _VAR.fullmatch(text)
            value = variables.get(found.group(1)) if found else text
            if value is None:
                raise KeyError(text)
            out.append(int(value) if kind == "[" else str(value))
        return out


def parse_path(text: str) -> Path:
    """Parse `name/key[0]/$var(k)`; ValueError when it is malformed."""
    found = _NAME.match(text)
    if found is None:
        raise ValueError("the name of the JSON tree is missing")
    steps: list[tuple[str, str | None]] = []
    pos = found.end()
    while pos < len(text):
        step = _STEP.match(text, pos)
        if step is None:
            raise ValueError(f'bad JSON path "{text}" at character {pos + 1}')
        steps.append(("/", step.group(1)) if step.group(1) is not None else ("[", step.group(2)))
        pos = step.end()
    return Path(found.group().strip(), tuple(steps))


class CoreJson(Module):
    """JSON trees of this worker, by name."""
    name = "core_json"

    def __init__(self) -> None:
        super().__init__()
        self._trees: dict[str, Any] = {}

    def _find(self, path: Path) -> Any:
        """Return the node at a path; LookupError or TypeError when there is none."""
        node = self._trees[path.name]
        for step in path.resolve(self.env.vars):
            if isinstance(step, int) != isinstance(node, list):
                raise KeyError(step)
            node = node[step]
        return node

    def _read(self, path: Path, **style: Any) -> Value:
        try:
            return _value(self._find(path), **style)
        except (LookupError, TypeError, ValueError):
            return None

    @pvar("json", type="any", key="required", key_parse=parse_path, index=True)
    def json(self, ctx: Ctx, path: Path, index: Index) -> Value:
        """A value of a tree; an object or array as text. An index picks from an array. `:=` parses JSON text."""
        if index is None:
            return self._read(path)
        try:
            node = self._find(path)
        except (LookupError, TypeError, ValueError):
            return None
        if not isinstance(node, list):
            return None
        return pick([part for part in map(_value, node) if part is not None] if index == "*"
                    else list(map(_value, node)), index)    # type: ignore[arg-type]

    @json.setter
    def set_json(self, ctx: Ctx, path: Path, index: Index, value: Value) -> bool:
        content: Any = value
        if index == "*" and value is not None:              # `:=`
            try:
                content = json.loads(str(value))
            except ValueError as error:
                self.env.log.error("not JSON: %s", error)
                return False
        try:
            steps = path.resolve(self.env.vars)
            if isinstance(index, int):
                steps.append(index)
            elif index == "append":
                steps.append(None)
            return self._put(path.name, steps, content, value is None)
        except (LookupError, TypeError, ValueError):
            return False

    def link(self, destination: str, source: str) -> bool:
        """Let the `$json(path)` of one text mean the very node of another; False when there is none."""
        places = [_VARIABLE.fullmatch(text) for text in (destination, source)]
        if None in places:
            return False
        try:
            path, origin = (parse_path(place[1]) for place in places)      # type: ignore[index]
            return self._put(path.name, path.resolve(self.env.vars), self._find(origin), False)
        except (LookupError, TypeError, ValueError):
            return False

    def _put(self, name: str, steps: list[Step], content: Any, remove: bool) -> bool:
        if not steps:
            if remove:
                self._trees.pop(name, None)
            else:
                self._trees[name] = content
            return True
        node = self._trees[name]
        for step in steps[:-1]:
            node = node[step]
        last = steps[-1]
        if isinstance(node, dict) and isinstance(last, str):
            if remove:
                node.pop(last, None)
            else:
                node[last] = content
        elif isinstance(node, list) and last is None and not remove:
            node.append(content)
        elif isinstance(node, list) and isinstance(last, int):
            if remove:
                del node[last]
            else:
                node[last] = content
        else:
            return False
        return True

    @pvar("json_pretty", key="required", key_parse=parse_path)
    def json_pretty(self, ctx: Ctx, path: Path) -> Value:
        """A tree as indented text."""
        return self._read(path, indent=2, separators=(",", ": "))

    @pvar("json_compact", key="required", key_parse=parse_path)
    def json_compact(self, ctx: Ctx, path: Path) -> Value:
        """A tree as text without blanks."""
        return self._read(path)

    @pvar("json_compact_noescape", key="required", key_parse=parse_path)
    def json_compact_noescape(self, ctx: Ctx, path: Path) -> Value:
        """A tree as text without blanks, other characters than ASCII as they are."""
        return self._read(path, ensure_ascii=False)


def _value(node: Any, **style: Any) -> Value:
    """Return a node as a script's value: texts and integers as such, everything else as JSON text."""
    if isinstance(node, str) or (isinstance(node, int) and not isinstance(node, bool)):
        return node
    if node is None:
        return None
    options = {"separators": (",", ":"), "ensure_ascii": True, **style}
    return json.dumps(node, **options)
