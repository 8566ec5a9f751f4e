"""Know the modules of OpenSIPS by name, also those that this osip does not have: their functions, events, variables.

What a script uses of a missing module can then be told from a slip of the pen.
"""
from __future__ import annotations

from importlib.resources import files


def roster() -> dict[str, frozenset[str]]:
    """Return the known modules, each with the names of its functions and events, and of its variables with a `$`.

    The core's events stand under "".
    """
    found: dict[str, frozenset[str]] = {}
    for line in (files("osip.script") / "roster.txt").read_text("utf-8").splitlines():
        name, _, words = line.partition(":")
        found[name] = frozenset(words.split())
    return found


def owners(name: str) -> list[str]:
    """Return the known modules that have a function, or a variable written `$name`."""
    return sorted(module for module, names in roster().items() if name in names)
