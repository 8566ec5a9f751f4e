"""Tell apart the files of one script by line numbers alone.

A Python function knows one file. What an `include_file` puts inside a route stands there with line numbers that also
say which file of the script is meant.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHIFT = 21                  # lines a file may have; the rest of 31 bits counts the files
FILES = "_files"
"""The global of emitted code that lists the files of its script."""


def packed(files: Sequence[str], file: str, line: int) -> int:
    """Return the number that stands for a line of another file; 0 when there is none."""
    try:
        index = files.index(file) + 1
    except ValueError:
        return 0
    return index << SHIFT | line if line < 1 << SHIFT and index < 1 << 31 - SHIFT else 0


def place(file: str, line: int, files: Sequence[str]) -> tuple[str, int]:
    """Return the file and line that are meant by those of a code object."""
    index = line >> SHIFT
    return (files[index - 1], line & (1 << SHIFT) - 1) if 0 < index <= len(files) else (file, line)


def place_in(space: Mapping[str, Any], file: str, line: int) -> str:
    """Return `file:line` for code with these globals."""
    return "{}:{}".format(*place(file, line, space.get(FILES, ())))
