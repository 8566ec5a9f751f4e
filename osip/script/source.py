"""Read a script with all it includes into one text, and remember where every character came from.

The stages are: files and inclusion (dsl.md section 1), the external preprocessor, then the normalising of text copied
from web pages and the textual defines (section 14). Nothing here raises: what goes wrong is a `Diagnostic`.
"""
from __future__ import annotations

import os
import re
import sys
from bisect import bisect_right
from collections.abc import Mapping

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.script import rewrite

MAX_INCLUDE_DEPTH = 50
_INCLUDE = re.compile(r"^[ \t]*(include_file|import_file)\b([^\n]*)", re.MULTILINE)
_OPERAND = re.compile(r"""[ \t]*(?:"([^"\n]*)"|'([^'\n]*)')[ \t\r]*;?[ \t\r]*(?:#.*|//.*)?\r?$""")
MAX_TEXT = 1 << 25
"""Bytes of a script with all that it includes: a file that includes others twice, and they again, has no end."""
LEAST_FILE = 1 << 11
"""What an included file counts at least, so that many small ones have an end, too."""


class OriginalFile:
    """Hold the text of one file and find line and column of an offset in it."""
    __slots__ = ("lines", "path", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.lines = [0]            # the offset of each line's beginning
        self.lines.extend(match.end() for match in re.finditer("\n", text))

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1."""
        line = bisect_right(self.lines, offset)
        return line, offset - self.lines[line - 1] + 1


class Source:
    """One script as a flat text whose offsets lead back to the operator's files.

    `files` maps each path to its text, `diagnostics` holds what reading found, `lenient` says whether compatibility
    forms (dsl.md section 14) are taken with a notice or refused.
    """
    __slots__ = (
        "_included",
        "_length",
        "_origins",
        "_simple",
        "_size",
        "_stages",
        "_starts",
        "diagnostics",
        "files",
        "lenient",
        "path",
        "text",
    )

    def __init__(self, path: str, *, lenient: bool = True) -> None:
        self.path = path
        self.lenient = lenient
        self.text = ""
        self._size = self._length = 0       # bytes read, characters of the flat text
        self.files: dict[str, str] = {}
        self.diagnostics: list[Diagnostic] = []
        self._starts: list[int] = [0]
        self._origins: list[tuple[OriginalFile, int]] = [(OriginalFile(path, ""), 0)]
        self._stages: list[rewrite.Rewrite] = []
        self._included: dict[str, tuple[str, int]] = {}
        self._simple: OriginalFile | None = self._origins[0][0]

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, preprocessor: str | None = None,
             defines: Mapping[str, str] | None = None, lenient: bool = True) -> Source:
        """Read the script at `path` (`-` is standard input); faults are in `diagnostics`."""
        source = cls(os.fspath(path), lenient=lenient)
        text = source._read(source.path, None)
        source._fill(text or "", preprocessor, defines)
        return source

    @classmethod
    def from_text(cls, text: str, path: str = "<script>", *, preprocessor: str | None = None,
                  defines: Mapping[str, str] | None = None, lenient: bool = True) -> Source:
        """Take a script that is already in memory; includes are still read from disk, beside `path`."""
        source = cls(path, lenient=lenient)
        source._fill(text.removeprefix("\ufeff"), preprocessor, defines)
        return source

    # --- positions ---------------------------------------------------------------------------------------------------

    def span(self, start: int, end: int) -> Span:
        """Return where the flat stretch `start` to `end` stands in its original file."""
        simple = self._simple
        if simple is not None:              # one file, unchanged, and mostly one line
            lines = simple.lines
            line = bisect_right(lines, start)
            if start < end and (line == len(lines) or end <= lines[line]):
                before = lines[line - 1] - 1
                return Span(simple.path, line, start - before, line, end - before)
        file, first = self._origin(start)
        line, col = file.position(first)
        if end <= start:
            return Span(file.path, line, col, line, col)
        last_file, last = (file, end - 1) if simple is not None else self._origin(end - 1)
        if last_file is not file or last < first:
            return Span(file.path, line, col, line, col + 1)
        end_line, end_col = file.position(last)
        return Span(file.path, line, col, end_line, end_col + 1)

    def after(self, end: int) -> Span:
        """Return the one column right behind the flat offset `end - 1`: where a missing mark belongs."""
        last = self.span(max(end - 1, 0), max(end, 1))
        return Span(last.file, last.end_line, last.end_col, last.end_line, last.end_col + 1)

    def trail(self, file: str) -> tuple[str, ...]:
        """Return notes that say through which lines `file` was included; empty for the script itself."""
        notes: list[str] = []
        seen = {file}
        while file in self._included:
            file, line = self._included[file]
            notes.append(f"included from {file}:{line}")
            if file in seen:
                break
            seen.add(file)
        return tuple(notes)

    def _origin(self, offset: int) -> tuple[OriginalFile, int]:
        if self._simple is not None:
            return self._simple, offset
        for stage in reversed(self._stages):
            offset = stage.before(offset)
        index = bisect_right(self._starts, offset) - 1
        file, base = self._origins[index]
        return file, base + offset - self._starts[index]

    # --- building ----------------------------------------------------------------------------------------------------

    def _fill(self, text: str, preprocessor: str | None, defines: Mapping[str, str] | None) -> None:
        self._starts.clear()
        self._origins.clear()
        pieces: list[str] = []
        self.files[self.path] = text
        self._flatten(OriginalFile(self.path, text), pieces, [os.path.realpath(self.path)])
        self.text = "".join(pieces)
        if preprocessor:
            self._preprocess(preprocessor)
        stage = rewrite.tidy(self.text, dict(defines or {}), self.lenient)
        if stage is not None:
            self._stages.append(stage)
            old = self.text
            self.text = stage.text
            self._simple = None
            self._notice_tidy(stage, old)
        elif len(self._origins) == 1 and not self._stages:
            self._simple = self._origins[0][0]
        else:
            self._simple = None

    def _flatten(self, file: OriginalFile, pieces: list[str], stack: list[str]) -> None:
        at = 0
        if "_file" in file.text:
            for match in _INCLUDE.finditer(file.text):
                self._copy(file, at, match.start(), pieces)
                self._include(file, match, pieces, stack)
                at = match.end()
        self._copy(file, at, len(file.text), pieces)

    def _copy(self, file: OriginalFile, start: int, end: int, pieces: list[str]) -> None:
        if end > start or not self._origins:
            self._starts.append(self._length)
            self._origins.append((file, start))
            pieces.append(file.text[start:end])
            self._length += end - start

    def _include(self, file: OriginalFile, match: re.Match[str], pieces: list[str], stack: list[str]) -> None:
        if self._size > MAX_TEXT:
            return                                      # said once
        word, rest = match.group(1), match.group(2)
        line, col = file.position(match.start(1))
        span = Span(file.path, line, col, line, col + len(match.group(0).rstrip()) - match.start(1) + match.start())
        operand = _OPERAND.fullmatch(rest)
        if operand is None:
            self._fault("E021", f"{word} takes one quoted path and nothing else on its line", span)
            return
        name = operand.group(1) if operand.group(1) is not None else operand.group(2)
        path = _resolve(name, file.path)
        if path is None:
            self._missing(word, name, span)
            return
        real = os.path.realpath(path)
        if real in stack:
            self._fault("E022", f'{word} of "{name}" runs in a circle', span,
                        notes=self.trail(file.path) or ("the file includes itself",))
            return
        if len(stack) > MAX_INCLUDE_DEPTH:
            self._fault("E022", f"includes are nested deeper than {MAX_INCLUDE_DEPTH}", span)
            return
        text = self._read(path, span)
        if text is None:
            return
        self.files[path] = text
        self._included.setdefault(path, (file.path, line))
        self._flatten(OriginalFile(path, text), pieces, [*stack, real])

    def _missing(self, word: str, name: str, span: Span) -> None:
        message = f'{word}: there is no file "{name}"'
        hint = "a relative path is looked up in the working directory, then beside this file"
        if word == "import_file":
            self.diagnostics.append(Diagnostic("W620", message + "; going on without it", span, Severity.WARNING))
        else:
            self._fault("E020", message, span, hint=hint)

    def _read(self, path: str, span: Span | None) -> str | None:
        """Return the text of a file, or None after saying why it cannot be had."""
        where = span or Span(path, 1, 1, 1, 1)
        try:
            if path == "-":
                raw = sys.stdin.buffer.read(MAX_TEXT + 1)
            else:
                with open(path, "rb") as stream:
                    raw = stream.read(MAX_TEXT + 1)
        except IsADirectoryError:
            self._fault("E020", f'"{path}" is a directory, not a script', where)
            return None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._fault("E020", f'cannot read "{path}": {reason}', where)
            return None
        nul = raw.find(b"\0")
        text = raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        if nul >= 0:
            self.files[path] = text
            line, col = OriginalFile(path, text).position(text.find("\0"))
            self._fault("E024", f'"{path}" holds a NUL byte: it is not a script', Span(path, line, col, line, col + 1))
            return None
        self._size += max(len(raw), LEAST_FILE)
        if self._size > MAX_TEXT:
            self._fault("E020", f'with "{path}" the script is longer than {MAX_TEXT >> 20} MiB', where)
            return None
        return text

    def _preprocess(self, command: str) -> None:
        result = rewrite.preprocess(self.text, command)
        if isinstance(result, str):
            self._fault("E023", f"preprocessor failed: {result}", Span(self.path, 1, 1, 1, 1), hint=command)
        elif result.text != self.text:
            self._stages.append(result)
            self.text = result.text

    def _notice_tidy(self, stage: rewrite.Rewrite, old: str) -> None:
        first = next((offset for offset in stage.notices), None)
        if first is not None:
            start, end = first
            saved, self._stages = self._stages, self._stages[:-1]
            span = self.span(start, end)
            self._stages = saved
            self.diagnostics.append(Diagnostic(
                "N701", f"text copied from a web page was repaired in {len(stage.notices)} place(s), here first: "
                f"{old[start:end]!r}", span, Severity.INFO))

    def _fault(self, code: str, message: str, span: Span, hint: str = "", notes: tuple[str, ...] = ()) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, Severity.ERROR, hint, notes))


def _resolve(name: str, includer: str) -> str | None:
    """Find an included file: as given, then beside the file that includes it."""
    if os.path.exists(name):
        return name
    beside = os.path.join(os.path.dirname(includer), name)
    if not os.path.isabs(name) and os.path.exists(beside):
        return beside
    return None
