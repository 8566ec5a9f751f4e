"""Compare what a test expects with what came: texts, `~regex`, headers; say both when they differ."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Expected = Any
"""A text, `~regex`, a compiled pattern, `...` for anything, None for nothing."""


class Mismatch(AssertionError):
    """Say what was expected and what came instead."""

    def __init__(self, wanted: str, found: Sequence[str] = (), word: str = "found") -> None:
        self.wanted, self.found = wanted, list(found)
        lines = [f"  {word}: {one}" for one in found] or [f"  {word}: nothing"]
        super().__init__("\n".join([wanted, *lines]))


def is_like(expected: Expected, text: str | None) -> bool:
    """Say whether a text is what was expected."""
    if expected is None or text is None:
        return expected is None and text is None
    if expected is ...:
        return True
    if isinstance(expected, re.Pattern):
        return expected.search(text) is not None
    wanted = str(expected)
    return re.search(wanted[1:], text) is not None if wanted.startswith("~") else wanted == text


def header_fault(msg: Any, headers: Mapping[str, Expected] | None) -> str:
    """Return what is wrong with the headers of a message; empty when they are as expected."""
    for name, expected in (headers or {}).items():
        values = msg.get_all(name)
        if expected is None:
            if values:
                return f"header {name}: {values[0]} should not be there"
        elif not any(is_like(expected, value) for value in values):
            wanted = "any value" if expected is ... else repr(expected)
            return f"header {name} should be {wanted}, is {' | '.join(values) if values else 'missing'}"
    return ""


def body_fault(msg: Any, expected: Expected) -> str:
    """Return what is wrong with the body of a message; `...` is one that is not asked about."""
    if expected is ...:
        return ""
    text = msg.body.decode("utf-8", "surrogateescape")
    if expected is None:
        return "" if not text else "there should be no body"
    same = is_like(expected, text) or is_like(expected, text.replace("\r\n", "\n"))
    return "" if same else f"body should be {expected!r}, is {text!r}"
