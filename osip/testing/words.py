"""Split a test file into words with their places, so that every complaint can point at one."""
from __future__ import annotations

from typing import NamedTuple

from osip.core.errors import OsipError

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Word(NamedTuple):
    """One word and where it begins; `quoted` ones are never comments or key words."""
    text: str
    line: int
    col: int
    quoted: bool = False


class FileFault(OsipError):
    """Say what is wrong in a test file, and where."""

    def __init__(self, path: str, line: int, col: int, reason: str) -> None:
        super().__init__(f"{path}:{line}:{col}: {reason}")
        self.path, self.line, self.col, self.reason = path, line, col, reason


def split(text: str, line: int, path: str) -> list[Word]:
    """Split one line: blanks divide, quotes keep blanks, `#` at the start of a word begins a comment."""
    words: list[Word] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "#":
            break
        else:
            start, piece, quoted = at, "", False
            while at < len(text) and not text[at].isspace():
                if text[at] in "\"'":
                    part, at = _quoted(text, at, line, path)
                    piece, quoted = piece + part, True
                else:
                    piece += text[at]
                    at += 1
            words.append(Word(piece, line, start + 1, quoted))
    return words


def _quoted(text: str, start: int, line: int, path: str) -> tuple[str, int]:
    """Read a quoted part; return it and where it ends. In double quotes \\n, \\t, \\" and \\\\ mean what they say."""
    quote, out, at = text[start], [], start + 1
    while at < len(text):
        char = text[at]
        if char == quote:
            return "".join(out), at + 1
        if char == "\\" and quote == '"' and text[at + 1:at + 2] in (*_ESCAPES, '"', "\\"):
            at += 1
            char = _ESCAPES.get(text[at], text[at])
        out.append(char)
        at += 1
    raise FileFault(path, line, start + 1, f"the {quote} is not closed on this line")
