"""Show diagnostics to people and programs: text with the line and a caret, JSON, and the story behind a code.

The codes themselves stand in `catalogue.py`.
"""
from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.script.catalogue import CATALOGUE, Entry

__all__ = ["CATALOGUE", "Entry", "explain", "render", "render_json", "render_one", "render_text", "suggest"]

_COLOURS = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m", Severity.INFO: "\x1b[36m"}
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def suggest(name: str, candidates: Iterable[str], n: int = 3) -> list[str]:
    """Return at most `n` of the candidates that someone who wrote `name` may have meant, nearest first."""
    known = list(dict.fromkeys(candidates))
    lowered: dict[str, str] = {}
    for candidate in known:
        lowered.setdefault(candidate.lower(), candidate)
    short = name.lower()
    near = _slips(short, list(lowered)) or difflib.get_close_matches(short, lowered, n=n, cutoff=0.7)
    return [lowered[item] for item in near if lowered[item] != name][:n]


def _slips(name: str, known: list[str]) -> list[str]:
    """Return the names that the fewest slips of the pen make of `name`: one for each four letters at most."""
    most = min(max(len(name) // 4, 1), 3)
    slips = {one: distance(name, one) for one in known if abs(len(one) - len(name)) <= most and one != name}
    if len(name) < 3:                               # of so short a name only the order may be wrong
        slips = {one: count for one, count in slips.items() if sorted(one) == sorted(name)}
    least = min(slips.values(), default=most + 1)
    return [one for one, count in slips.items() if count == least <= most]


def distance(first: str, second: str) -> int:
    """Count the letters to add, drop, change or swap with their neighbour until one text is the other."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first):
        older, before, row = before, row, [i + 1]
        for j, other in enumerate(second):
            least = min(before[j] + (letter != other), before[j + 1] + 1, row[j] + 1)
            if i and j and letter == second[j - 1] and other == first[i - 1]:
                least = min(least, older[j - 1] + 1)
            row.append(least)
    return row[-1]


LONGEST = 400
"""Characters of a line of the script, and of a name in a message, that a finding shows."""


def explain(code: str) -> str | None:
    """Return title and explanation of a code, or None for an unknown one."""
    entry = CATALOGUE.get(code.upper())
    return None if entry is None else f"{code.upper()}: {entry.title}\n\n{entry.explanation}\n"


def render(diagnostics: Iterable[Diagnostic], files: Mapping[str, str], *, colour: bool = False) -> str:
    """Return all diagnostics as text, each with its line of the script; `files` maps paths to texts."""
    lines: dict[str, list[str]] = {}
    return "".join(_render(item, files, lines, colour) for item in diagnostics)


render_text = render


def render_one(diagnostic: Diagnostic, files: Mapping[str, str], *, colour: bool = False) -> str:
    """Return one diagnostic as text."""
    return _render(diagnostic, files, {}, colour)


def _render(item: Diagnostic, files: Mapping[str, str], lines: dict[str, list[str]], colour: bool) -> str:
    span = item.span
    place = f"{span.file}:{span.line}:{span.col}: " if span.line else (f"{span.file}: " if span.file else "")
    kind = f"{item.severity.value}[{item.code}]"
    if colour:
        kind = f"{_COLOURS[item.severity]}{kind}{_PLAIN}"
        place = f"{_BOLD}{place}{_PLAIN}"
    out = [f"{place}{kind}: {clipped(item.message)}"]
    if span.file not in lines:
        lines[span.file] = files.get(span.file, "").split("\n")
    hint = item.hint
    if 0 < span.line <= len(lines[span.file]) and files.get(span.file):
        text, item = _window(lines[span.file][span.line - 1].rstrip("\r"), item)
        number = f"{span.line:>4}"
        out.append(f"{number} | {_printable(text)}")
        out.append(f"{'':>4} | {_underline(text, item)}{' ' + hint if hint else ''}")
    elif hint:
        out.append(f"     = {hint}")
    out.extend(f"     = {note}" for note in "\n".join(item.notes).splitlines())
    return "\n".join(out) + "\n"


def _window(text: str, item: Diagnostic) -> tuple[str, Diagnostic]:
    """Cut a very long line to what stands around the span; return it and the finding with its columns moved."""
    if len(text) <= LONGEST:
        return text, item
    span = item.span
    start = max(0, min(span.col - 1 - LONGEST // 4, len(text) - LONGEST))
    end = min(max(span.end_col - start, 1), LONGEST + 1) if span.end_line == span.line else LONGEST + 1
    return text[start:start + LONGEST], replace(item, span=replace(span, col=span.col - start, end_col=end))


def _underline(text: str, item: Diagnostic) -> str:
    """Return blanks and carets under the span; tabs are kept so that the caret stands under its column."""
    span = item.span
    start = min(span.col - 1, len(text))
    end = span.end_col - 1 if span.end_line == span.line else len(text)
    width = max(1, min(end, max(len(text), start + 1)) - start)
    blanks = "".join("\t" if char == "\t" else " " for char in text[:start])
    return blanks + "^" * width


def _printable(text: str) -> str:
    """Return a line of a script that no terminal can choke on."""
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)


def clipped(text: str) -> str:
    """Return a text as far as anybody reads it: a word of a script may have a megabyte."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def as_record(item: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as plain values."""
    span = item.span
    return {"file": span.file, "line": span.line, "col": span.col, "end_line": span.end_line, "end_col": span.end_col,
            "severity": item.severity.value, "code": item.code, "message": clipped(item.message),
            "hint": clipped(item.hint), "notes": [clipped(note) for note in item.notes]}


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Return all diagnostics as a JSON list of objects."""
    return json.dumps([as_record(item) for item in diagnostics], indent=2, ensure_ascii=True)
