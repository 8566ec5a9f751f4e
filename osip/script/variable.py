"""Take variables and format strings apart (variables.md section 1, dsl.md section 2).

A variable is `$name`, `$name(key)` or `$(<context>name(key)[index]{transform}...)`. A format string is text with such
variables in it. The AST gets both with spans that point into the literal they were read from.
"""
from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable

from osip.core.exports.diagnostic import Diagnostic, Span
from osip.script.lexer import NAMELESS, UNCLOSED, variable_end
from osip.script.nodes import Format, Transform, VarRef

Fault = Callable[[str, str, Span, str], None]

_SIMPLE = re.compile(r"\$(?:([A-Za-z_][\w.]*)(?:\(([^()$]*)\))?|\(([A-Za-z_][\w.]*)\))")
_CONTEXT = re.compile(r"\s*<\s*([A-Za-z_]\w*)\s*>")
_NAME = re.compile(r"\s*([A-Za-z_][\w.]*)")
_INTEGER = re.compile(r"[+-]?\d+")
_ACTIVE = re.compile(r"[+-]?\d+/\w+")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{2,3})|([nrta\"\\])|(\r?\n))")
MAX_FAULTS = 16
"""Faults that one string is told."""
MAX_WEIGHT = 160
"""Most that one variable may hold of others and of transformations: the emitted code nests brackets for each."""
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", '"': '"', "\\": "\\"}


def unescape(raw: str) -> str:
    """Return the value of a double-quoted literal: its known escapes done, every other backslash pair kept."""
    if "\\" not in raw:
        return raw
    parts: list[str] = []
    at = 0
    high = False
    while (back := raw.find("\\", at)) >= 0:
        parts.append(raw[at:back])
        match = _ESCAPE.match(raw, back)
        if match is None:
            at = back + 2
            parts.append(raw[back:at])
            continue
        fresh = _escaped(match)
        high = high or fresh > "\x7f"
        parts.append(fresh)
        at = match.end()
    parts.append(raw[at:])
    value = "".join(parts)
    if high:        # bytes written as \xC3\xA9 form one character, and a lone byte survives as a surrogate
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return value


def _escaped(match: re.Match[str]) -> str:
    if match.group(1) or match.group(2):
        code = int(match.group(1), 16) if match.group(1) else int(match.group(2), 8) & 0xFF
        return chr(code) if code < 0x80 else bytes((code,)).decode("utf-8", "surrogateescape")
    return _LETTERS[match.group(3)] if match.group(3) else ""


class _Place:
    """Say where a stretch of a variable's text stands, given the span of the whole."""
    __slots__ = ("lines", "span", "text")

    def __init__(self, text: str, span: Span) -> None:
        self.text = text
        self.span = span
        self.lines: list[int] | None = None         # where lines end, once somebody asks

    def at(self, start: int, end: int) -> Span:
        line, col = self._point(start)
        end_line, end_col = self._point(end)
        return Span(self.span.file, line, col, end_line, end_col)

    def _point(self, offset: int) -> tuple[int, int]:
        if self.lines is None:
            self.lines = [found.start() for found in re.finditer("\n", self.text)]
        lines = bisect_left(self.lines, offset)
        if lines:
            return self.span.line + lines, offset - self.lines[lines - 1]
        return self.span.line, self.span.col + offset


def parse_variable(text: str, span: Span, diagnostics: list[Diagnostic] | None = None) -> VarRef:
    """Return the variable written as `text` (with its `$`) at `span`; faults go to `diagnostics`."""
    def fault(code: str, message: str, where: Span, hint: str) -> None:
        if diagnostics is not None:
            diagnostics.append(Diagnostic(code, message, where, hint=hint))
    return read_variable(text, span, fault)


def read_variable(text: str, span: Span, fault: Fault) -> VarRef:
    """Return the variable written as `text` at `span`; faults are told to `fault`."""
    match = _SIMPLE.fullmatch(text)
    if match is not None:
        name, key, bare = match.groups()
        return VarRef(span, name or bare, key, text=text)
    if 4 * (text.count("$") - 1) + text.count("}") > MAX_WEIGHT:
        fault("E025", "variable with too many variables and transformations in it", span,
              "compute a part of it before")
        return VarRef(span, "", text=text)
    place = _Place(text, span)
    if not text.startswith("$("):
        bracket = text.find("(")
        if bracket < 0:
            fault("E009", f"malformed variable {text!r}", span, "")
            return VarRef(span, text.lstrip("$"), text=text)
        key = text[bracket + 1:-1]
        return VarRef(span, text[1:bracket], key, _key_variable(key, place, bracket + 1, fault), text=text)
    return _Reader(text, place, fault).read()


def _key_variable(key: str, place: _Place, start: int, fault: Fault) -> VarRef | None:
    """Return the variable that is the whole of a key, or None when the key is plain text."""
    text = key.strip()
    if not text.startswith("$") or variable_end(text, 0) != len(text):
        return None
    start += key.find("$")
    return read_variable(text, place.at(start, start + len(text)), fault)


class _Reader:
    """Read the inside of a `$( )` variable from left to right."""
    __slots__ = ("at", "end", "fault", "place", "text")

    def __init__(self, text: str, place: _Place, fault: Fault) -> None:
        self.text = text
        self.place = place
        self.fault = fault
        self.at = 2
        self.end = len(text) - 1

    def read(self) -> VarRef:
        text, span = self.text, self.place.span
        context = self._match(_CONTEXT)
        name = self._match(_NAME)
        if name is None:
            hint = "a name follows directly: $(var(x){s.len})" if text[2:3] == "$" else ""
            self.fault("E009", "malformed variable: no name after the bracket", span, hint)
            return VarRef(span, "", text=text)
        key, key_start = None, self.at
        if text.startswith("(", self.at):
            key_start = self.at + 1
            self.at = self._closing("(", ")")
            key = text[key_start:self.at - 1]
        index = self._index()
        transforms = self._transforms()
        rest = text[self.at:self.end]
        if rest.strip():
            start = self.at + len(rest) - len(rest.lstrip())
            self.fault("E009", f'"{rest.strip()}" does not belong into a variable', self.place.at(start, self.end),
                       "the order is $(<context>name(key)[index]{transformation})")
        key_var = None if key is None else _key_variable(key, self.place, key_start, self.fault)
        return VarRef(span, name, key, key_var, index, context, transforms, text)

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.at, self.end)
        if match is None:
            return None
        self.at = match.end()
        return match.group(1)

    def _blank(self) -> None:
        while self.at < self.end and self.text[self.at].isspace():
            self.at += 1

    def _closing(self, opening: str, closing: str) -> int:
        depth = 0
        for at in range(self.at, self.end):
            char = self.text[at]
            depth += (char == opening) - (char == closing)
            if depth == 0:
                return at + 1
        self.fault("E009", f'"{closing}" missing in the variable', self.place.at(self.at, self.at + 1), "")
        return self.end + 1

    def _index(self) -> int | str | VarRef | None:
        self._blank()
        if not self.text.startswith("[", self.at):
            return None
        start = self.at + 1
        self.at = self._closing("[", "]")
        raw = self.text[start:self.at - 1]
        text = raw.strip()
        start += len(raw) - len(raw.lstrip())
        where = self.place.at(start, start + max(len(text), 1))
        if _INTEGER.fullmatch(text):
            return int(text)
        if text in ("*", "append") or _ACTIVE.fullmatch(text):
            return text
        if text.startswith("$") and variable_end(text, 0) == len(text):
            return read_variable(text, where, self.fault)
        self.fault("E009", f'"{text}" is no index', where, 'an index is a number, "*", "append" or a variable')
        return None

    def _transforms(self) -> tuple[Transform, ...]:
        found: list[Transform] = []
        while True:
            self._blank()
            if not self.text.startswith("{", self.at):
                return tuple(found)
            start = self.at
            stop = self._transform_end()
            if stop < 0:
                self.fault("E009", "transformation is not closed", self.place.at(start, start + 1), '"}" is missing')
                self.at = self.end
                return tuple(found)
            self.at = stop
            found.append(self._transform(start, stop))

    def _transform_end(self) -> int:
        """Return the offset behind the `}` of the transformation that opens at the current place."""
        text, at = self.text, self.at + 1
        body = text[at:self.end].lstrip()
        if body.startswith("re.subst,") and body[9:10] != "$":
            at = text.index("re.subst,", at) + 9
            mark, seen = text[at], 0
            while at < self.end and seen < 3:
                if text[at] == "\\":
                    at += 1
                elif text[at] == mark:
                    seen += 1
                at += 1
        while at < self.end and text[at] != "}":
            stop = variable_end(text, at) if text[at] == "$" else -1
            at = stop if stop > 0 else at + 1
        return at + 1 if at < self.end else -1

    def _transform(self, start: int, stop: int) -> Transform:
        raw = self.text[start + 1:stop - 1]
        name, comma, rest = raw.partition(",")
        span = self.place.at(start, stop)
        if not name.strip():
            self.fault("E009", "transformation without a name", span, "")
        if not comma:
            return Transform(span, name.strip(), (), raw)
        at = start + 2 + len(name)
        if name.strip() == "re.subst":
            return Transform(span, "re.subst", (self._argument(rest, at),), raw)
        args: list[str | VarRef] = []
        for piece in _split_arguments(rest):
            args.append(self._argument(piece, at))
            at += len(piece) + 1
        return Transform(span, name.strip(), tuple(args), raw)

    def _argument(self, piece: str, at: int) -> str | VarRef:
        text = piece.strip()
        if text.startswith("$") and variable_end(text, 0) == len(text):
            at += piece.index("$")
            return read_variable(text, self.place.at(at, at + len(text)), self.fault)
        return piece


def _split_arguments(rest: str) -> list[str]:
    """Split at commas outside variables; a trailing `,,` means that the last argument is the comma itself."""
    pieces: list[str] = []
    start = at = 0
    while at < len(rest):
        if rest[at] == "$":
            stop = variable_end(rest, at)
            at = stop if stop > 0 else at + 1
            continue
        if rest[at] == ",":
            pieces.append(rest[start:at])
            start = at + 1
        at += 1
    pieces.append(rest[start:])
    if len(pieces) >= 2 and pieces[-1] == pieces[-2] == "":
        pieces[-2:] = [","]
    return pieces


def parse_format(text: str, span: Span, raw: str | None = None) -> tuple[Format, list[Diagnostic]]:
    """Return the parts of a format string and its faults.

    `span` is that of the whole literal with its quotes; `raw` is the text between the quotes, from which positions
    inside the literal are found. Without `raw` every part has the span of the literal.
    """
    found: list[Diagnostic] = []
    if "$" not in text:
        return Format(span, (text,) if text else ()), found
    locate = _locator(text, span, raw)
    parts: list[str | VarRef] = []
    plain: list[str] = []                       # the text since the last variable
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        plain.append(text[at:dollar])
        if text.startswith("$$", dollar):
            plain.append("$")
            at = dollar + 2
            continue
        end = _format_variable_end(text, dollar)
        if end > dollar:
            _add_text(parts, plain)
            parts.append(parse_variable(text[dollar:end], locate(dollar, end), found))
            at = end
            continue
        if end == UNCLOSED:                     # what follows is inside of it, so the rest is text
            found.append(Diagnostic("E010", "variable is not closed inside the string", locate(dollar, dollar + 1),
                                    hint='its ")" is missing'))
            at = dollar
            break
        plain.append("$")
        at = dollar + 1
        if end == NAMELESS and len(found) < MAX_FAULTS:
            found.append(Diagnostic("E010", 'lone "$" in a format string', locate(dollar, dollar + 1),
                                    hint='write "$$" for a dollar sign'))
    plain.append(text[at:])
    _add_text(parts, plain)
    return Format(span, tuple(parts)), found


def _format_variable_end(text: str, dollar: int) -> int:
    """Return where a variable ends inside text: a dot at the end of a name belongs to the text."""
    end = variable_end(text, dollar)
    if end > dollar and text[end - 1] == ".":
        while text[end - 1] == ".":
            end -= 1
    return end


def _add_text(parts: list[str | VarRef], plain: list[str]) -> None:
    """Add gathered text to the parts, and begin to gather anew."""
    text = "".join(plain)
    if text:
        parts.append(text)
    plain.clear()


def _locator(text: str, span: Span, raw: str | None) -> Callable[[int, int], Span]:
    """Return a function from offsets in the value to the span inside the literal."""
    if raw is None or (raw != text and unescape(raw) != text):
        return lambda start, end: span
    place = _Place('"' + raw, span)
    if raw == text:
        return lambda start, end: place.at(start + 1, end + 1)
    offsets = _raw_offsets(raw)
    last = len(raw)

    def locate(start: int, end: int) -> Span:
        first = offsets[start] if start < len(offsets) else last
        return place.at(first + 1, (offsets[end] if end < len(offsets) else last) + 1)
    return locate


def _raw_offsets(raw: str) -> list[int]:
    """Return, for each character of the value, the offset in the raw text at which it is written."""
    offsets: list[int] = []
    at = 0
    while at < len(raw):
        match = _ESCAPE.match(raw, at) if raw[at] == "\\" else None
        if match is None:
            width = 2 if raw[at] == "\\" else 1
            offsets.extend(range(at, min(at + width, len(raw))))
            at += width
        else:
            if match.group(4) is None:
                offsets.append(at)
            at = match.end()
    return offsets
