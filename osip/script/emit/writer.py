"""Collect emitted lines with the places in the script that they come from, and turn them into code objects.

The lines are parsed by Python itself; each node of the Python tree then takes the file, line and columns of the
script, so that tracebacks, profilers and debuggers speak the operator's positions.
"""
from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from types import CodeType
from typing import Any

from osip.core.exports.diagnostic import Span
from osip.core.run.place import FILES, packed

_MARK = re.compile("\x01(\\d*)\x02")


class Writer:
    """The lines of one function. `at` is the place given to the lines that follow."""

    def __init__(self, span: Span) -> None:
        self.lines: list[str] = []
        self.spans: list[Span] = []
        self.at = span
        self.marks: list[Span] = []
        self._depth = 0

    def line(self, text: str) -> None:
        """Add one statement line; marks inside make parts of it stand at other places."""
        indent = "    " * self._depth
        if "\x01" not in text:
            self.lines.append(indent + text)
            self.spans.append(self.at)
            return
        parts = _MARK.split(text)
        stack = [self.at]
        for number, piece in enumerate(parts):
            if number % 2:
                if piece:
                    stack.append(self.marks[int(piece)])
                else:
                    stack.pop()
            elif piece:
                self.lines.append(indent + piece)
                self.spans.append(stack[-1])

    def mark(self, code: str, span: Span) -> str:
        """Return an expression whose part `code` is placed at `span` when that is another line than the current."""
        if span.line == self.at.line or span.file != self.at.file:
            return code
        self.marks.append(span)
        return f"(\x01{len(self.marks) - 1}\x02{code}\x01\x02)"

    def indent(self) -> None:
        """Open a block."""
        self._depth += 1

    def dedent(self) -> None:
        """Close a block."""
        self._depth -= 1

    def source(self) -> str:
        """Return the emitted text."""
        return "\n".join(self.lines) + "\n"

    def tree(self, file: str, files: Sequence[str] = ()) -> ast.Module:
        """Return the Python tree, placed in the script; `files` are those that lines may be of besides `file`.

        Lines of yet another file take the last known line.
        """
        module = ast.parse(self.source())
        own, last = [], self.spans[0]
        for span in self.spans:
            if span.file == file and span.line > 0:
                last = span
            elif span.line > 0 and (line := packed(files, span.file, span.line)):
                last = Span(span.file, line, span.col, line + span.end_line - span.line, span.end_col)
            own.append(last)
        _place(module, own)
        return module

    def compile(self, file: str, files: Sequence[str] = ()) -> CodeType:
        """Return the code object of the emitted text, under the script's file name."""
        return compile(self.tree(file, files), file, "exec", dont_inherit=True)

    def define(self, file: str, space: dict[str, Any]) -> None:
        """Run the emitted definitions in `space`: this is how a route comes to be."""
        code = self.compile(file, space.get(FILES, ()))
        exec(code, space)                           # noqa: S102  the text is our own, constants are quoted by repr


def _place(module: ast.Module, spans: list[Span]) -> None:
    for node in ast.walk(module):
        line = getattr(node, "lineno", 0)
        if not line:
            continue
        span = spans[line - 1]
        node.lineno, node.col_offset = span.line, span.col - 1          # type: ignore[attr-defined]
        end = max(span.end_line, span.line)
        node.end_lineno = end                                           # type: ignore[attr-defined]
        column = span.end_col - 1 if end > span.line else max(span.end_col - 1, span.col)
        node.end_col_offset = max(column, 0)                            # type: ignore[attr-defined]
