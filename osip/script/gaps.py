"""Cut what stands between two tokens: blank lines and remarks (comments, include lines, words without a comment mark).

A file to be formatted is read without what it includes: its include lines are disguised as comments of equal length.
"""
from __future__ import annotations

import re
from typing import NamedTuple

_INCLUDE = re.compile(r"^([ \t]*)[i](?=(?:nclude_file|mport_file)\b)", re.MULTILINE)
_BLANK = re.compile(r"(?:[ \t\r\n\b\f\v\xa0\ufeff]|\\\r?\n)+")
_MARK = re.compile(r"/\*|\*/")


def disguise(text: str) -> str:
    """Return the text with every include line made a comment; all offsets stay."""
    return _INCLUDE.sub(r"\1#", text) if "_file" in text else text


class Note(NamedTuple):
    """One remark; `newlines` counts the line ends before it, `ends_line` says that nothing may follow it."""
    text: str
    start: int
    newlines: int
    ends_line: bool


class Gap(NamedTuple):
    """What stands between two tokens; `newlines` counts the line ends right before the second one."""
    notes: list[Note]
    newlines: int


def cut(text: str, start: int, end: int) -> Gap:
    """Return the remarks of the stretch between two tokens."""
    notes: list[Note] = []
    newlines = 0
    at = start
    while at < end:
        match = _BLANK.match(text, at, end)
        if match is not None:
            newlines += match.group().count("\n")
            at = match.end()
            continue
        stop = _block_end(text, at, end) if text.startswith("/*", at) else _line_end(text, at, end)
        ends_line = not text.startswith("/*", at) or "\n" in text[stop:end].split("/*")[0]
        notes.append(Note(text[at:stop].rstrip(), at, newlines, ends_line))
        newlines = 0
        at = stop
    return Gap(notes, newlines)


def _line_end(text: str, at: int, end: int) -> int:
    found = text.find("\n", at, end)
    return end if found < 0 else found


def _block_end(text: str, at: int, end: int) -> int:
    """Return the offset behind a comment `/* */`; they nest."""
    depth = 0
    for mark in _MARK.finditer(text, at, end):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return end
