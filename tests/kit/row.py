"""Run one row of a table of the language: a statement list with given variables, and what it leaves behind."""
from __future__ import annotations

from typing import Any

from kit.message import request
from kit.script import ScriptBook, faults_of

NO_ERROR = 0
"""What `fault` returns for a script without errors."""


def evaluate(expression: str, *modules: str, given: dict[str, Any] | None = None, body: str = "",
             raw: bytes | None = None) -> Any:
    """Assign an expression to `$var(out)` in a main route, after `body`; return its value: str, int or None.

    `given` are the values of `$var`s before.
    """
    book = ScriptBook(f"route {{ {body} $var(out) = {expression}; }}", *(modules or ("sl",)))
    book.env.vars.update(given or {})
    book.feed(raw if raw is not None else request())
    return book.env.vars.get("out")


def printed(text: str, *modules: str, given: dict[str, Any] | None = None, body: str = "",
            raw: bytes | None = None) -> list[str]:
    """Run `body`, then log a format string; return all that was logged."""
    book = ScriptBook(f'route {{ {body} xlog("{text}"); }}', *(modules or ("sl",)))
    book.env.vars.update(given or {})
    book.feed(raw if raw is not None else request())
    return list(book.said)


def fault(body: str, *modules: str) -> str | int:
    """Check statements as a main route; return the codes of their errors, `NO_ERROR` when there are none."""
    return " ".join([one.code for one in faults_of(f"route {{ {body} }}", *(modules or ("sl",)))]) or NO_ERROR
