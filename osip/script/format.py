"""Format a script: only the white space between its tokens changes, so its meaning cannot.

The tokens are those of the parser; what stands between them (blanks, comments, include lines) is cut into gaps by
`gaps.py`, and `layout.py` says where lines begin and how far in. The result is parsed again and compared before it is
handed out.
"""
from __future__ import annotations

from dataclasses import fields
from typing import Any

from osip.core.errors import OsipError
from osip.core.exports.diagnostic import Diagnostic
from osip.script import gaps, nodes, rewrite
from osip.script.gaps import Note, cut
from osip.script.layout import Layout
from osip.script.lexer import Token
from osip.script.parse import parse_tokens
from osip.script.source import Source

TAB = 4                 # columns of a tab, for the comments behind statements


class Refused(OsipError):
    """A script that cannot be formatted: `diagnostics` say why."""

    def __init__(self, message: str, diagnostics: list[Diagnostic], text: str) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics
        self.text = text


def format_text(text: str, path: str = "<script>") -> str:
    """Return the script with its lines laid out anew; `Refused` when it has errors.

    Included files are not opened: their lines stay where they are.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    stage = rewrite.tidy(text[len(mark):], {}, True)        # what web pages did to it is repaired for good
    plain = text[len(mark):] if stage is None else stage.text
    script, tokens = _read(plain, path)
    crlf = plain.count("\r\n") * 2 > plain.count("\n")
    lines = _Printer(plain, tokens).run()
    done = ("\r\n" if crlf else "\n").join(lines)
    again, new_tokens = _read(done, path)
    if bare(script.items) != bare(again.items) or _spine(plain, tokens) != _spine(done, new_tokens):
        raise Refused(f"{path}: the layout would change the meaning, which is a fault of osip", [], text)
    return mark + done


def _read(text: str, path: str) -> tuple[nodes.Script, list[Token]]:
    source = Source.from_text(gaps.disguise(text), path)
    script, tokens, found = parse_tokens(source)
    errors = [one for one in found if one.is_error]
    if errors or source.text != gaps.disguise(text):
        raise Refused(f"{path} has {len(errors)} error(s)", errors, text)
    return script, tokens


def bare(node: Any) -> Any:
    """Return a tree without its spans, to compare two of them."""
    if isinstance(node, tuple):
        return tuple(bare(item) for item in node)
    if isinstance(node, nodes.Node):
        return (type(node).__name__, *(bare(getattr(node, field.name)) for field in fields(node)
                                       if field.name not in ("span", "name_span")))
    return node


def _spine(text: str, tokens: list[Token]) -> list[tuple[str, list[str]]]:
    """Return the tokens with the remarks before each: all that formatting must keep."""
    found = []
    end = 0
    for token in tokens:
        found.append((token.value, [note.text for note in cut(text, end, token.start).notes]))
        end = token.end
    return found


class _Printer:
    """Write tokens and remarks into lines."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self.tokens = text, tokens
        self.layout = Layout()
        self.lines: list[str] = []
        self.line = ""                  # the line being written
        self.begun = False

    def run(self) -> list[str]:
        """Return the lines of the script; the last one is empty, for the line end at the end of the file."""
        end = 0
        for place, token in enumerate(self.tokens):
            gap = cut(self.text, end, token.start)
            begins = self.layout.begins_line(token)
            self._between(gap, token, begins)
            if token.type == "$END":
                break
            following = self.tokens[place + 1]
            self.line += self.text[token.start:token.end]
            self.begun = True
            self.layout.take(token, following)
            end = token.end
        self._flush()
        while self.lines and not self.lines[-1]:
            self.lines.pop()
        return [*self.lines, ""]

    def _between(self, gap: gaps.Gap, token: Token, begins: bool) -> None:
        """Write what stands before a token, and begin its line or leave the right blank."""
        layout = self.layout
        clings = layout.clings(token, gap)
        fresh = begins and not clings
        broken = False                  # must a new line come before the token?
        for note in gap.notes:
            broken = self._note(note, fresh, layout.depth_inside(token) if fresh else layout.continued)
        if fresh:
            self._new_line(layout.depth_of(token), layout.wants_blank(token, gap.newlines))
        elif broken or gap.newlines and not clings and layout.may_break(token):
            self._new_line(layout.continued, False)
        else:
            self.line += " " if gap.notes and token.value not in (")", ";", ",") else layout.space(token)

    def _note(self, note: Note, fresh: bool, depth: int) -> bool:
        """Write a remark: on the line being written, or on one of its own; True when a new line must follow."""
        if self.begun and not note.newlines:
            apart = fresh or note.ends_line
            self.line += (" " * self._distance(note) if apart else " ") + note.text
            return apart
        self._new_line(depth, note.newlines > 1 and not self.layout.opened or self.layout.closed_route)
        self.line += note.text
        self.begun = True
        self.layout.noted()
        return fresh or note.ends_line

    def _distance(self, note: Note) -> int:
        """Return how many blanks come before a remark behind a line: its old column is kept if the line is too."""
        start = self.text.rfind("\n", 0, note.start) + 1
        old = self.text[start:note.start]
        if old.strip() != self.line.strip() or "\n" in self.line:
            return 2
        return max(1, _width(old) - _width(self.line))

    def _new_line(self, depth: int, blank: bool) -> None:
        if self.begun:
            self._flush()
        if blank and self.lines and self.lines[-1]:
            self.lines.append("")
        self.line = "\t" * depth

    def _flush(self) -> None:
        self.lines.append(self.line.rstrip())
        self.line = ""


def _width(text: str) -> int:
    return len(text.expandtabs(TAB))
