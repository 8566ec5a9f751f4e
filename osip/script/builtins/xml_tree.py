"""Keep XML documents for scripts: `$xml` (variables.md section 2).

A path is the name of a document, then `/element[i]` steps, and at the end perhaps `.val` (the element's text) or
`.attr/name`. Element names and attribute names may be `$var`s. Documents with a DOCTYPE are refused.
"""
from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from osip.api import Ctx, Module, Value, pvar

_PATH = re.compile(r"(?P<name>[^/.\[\]]+)(?P<steps>(?:/[^/.\[\]]+(?:\[\d+\])?)*)(?P<end>\.val|\.attr/(?P<attr>[^/]+))?")
_STEP = re.compile(r"/([^/.\[\]]+)(?:\[(\d+)\])?")
_VAR = re.compile(r"\$\(?var\(([^()]+)\)\)?")
MAX_TEXT = 1 << 20


class Path:
    """A parsed path: document, steps (element, number), what is meant of the last one ("", val or attr)."""
    __slots__ = ("name", "steps", "what", "attr")

    def __init__(self, name: str, steps: tuple[tuple[str, int], ...], what: str, attr: str) -> None:
        self.name, self.steps, self.what, self.attr = name, steps, what, attr


def parse_path(text: str) -> Path:
    """Parse `doc/elem[i]/elem.attr/name`; ValueError when it is malformed."""
    found = _PATH.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'bad XML path "{text}": write document/element[i].val or .attr/name')
    steps = tuple([(name, int(number or 0)) for name, number in _STEP.findall(found["steps"])])
    end = found["end"] or ""
    return Path(found["name"], steps, "val" if end == ".val" else "attr" if end else "", found["attr"] or "")


def parse_document(text: str) -> ElementTree.Element:
    """Parse a document or fragment; ValueError when it is none."""
    if len(text) > MAX_TEXT or "<!DOCTYPE" in text:
        raise ValueError("too long, or with a DOCTYPE")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None


class CoreXml(Module):
    """XML documents of this worker, by name."""
    name = "core_xml"

    def __init__(self) -> None:
        super().__init__()
        self._documents: dict[str, ElementTree.Element] = {}

    def _word(self, text: str) -> str:
        found = _VAR.fullmatch(text)
        if found is None:
            return text
        value = self.env.vars.get(found[1])
        if value is None:
            raise LookupError(text)
        return str(value)

    def _find(self, path: Path, steps: tuple[tuple[str, int], ...]) -> Any:
        """Return the element at the end of some steps; LookupError when there is none. The first is the root."""
        node = self._documents[path.name]
        for depth, (name, number) in enumerate(steps):
            word = self._word(name)
            if depth == 0:
                if node.tag != word or number:
                    raise LookupError(word)
            else:
                node = node.findall(word)[number]
        return node

    @pvar("xml", key="required", key_parse=parse_path)
    def xml(self, ctx: Ctx, path: Path) -> Value:
        """A document, an element, its text (`.val`) or an attribute; null removes it."""
        try:
            node = self._find(path, path.steps)
            if path.what == "attr":
                return node.get(self._word(path.attr))
        except LookupError:
            return None
        if path.what == "val":
            return node.text or ""
        return ElementTree.tostring(node, encoding="unicode").strip()

    @xml.setter
    def set_xml(self, ctx: Ctx, path: Path, value: Value) -> bool:
        try:
            if path.what:
                return self._put_value(path, value)
            if not path.steps:
                return self._put_document(path.name, value)
            node = self._find(path, path.steps)
            if value is not None:
                node.append(parse_document(str(value)))
                return True
            if len(path.steps) == 1:
                del self._documents[path.name]
            else:
                self._find(path, path.steps[:-1]).remove(node)
            return True
        except (LookupError, ValueError) as error:
            self.env.log.error("$xml not assigned name=%s error=%s", path.name, error)
            return False

    def _put_document(self, name: str, value: Value) -> bool:
        if value is None:
            return self._documents.pop(name, None) is not None
        self._documents[name] = parse_document(str(value))
        return True

    def _put_value(self, path: Path, value: Value) -> bool:
        node = self._find(path, path.steps)
        if path.what == "val":
            node.text = None if value is None else str(value)
        elif value is None:
            node.attrib.pop(self._word(path.attr), None)
        else:
            node.set(self._word(path.attr), str(value))
        return True
