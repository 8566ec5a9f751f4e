"""Read the arguments of the selecting functions, in today's form and in the older ones."""
from __future__ import annotations

import re

from osip.modules.dispatcher.state import STATE_OF

_SETS = re.compile(r"(?:\s*([A-Za-z_]\w*)\s*:)?\s*(-?\d+(?:\s*,\s*-?\d+)*)\s*")


class SelectFlags:
    """How one selection works: keep the rest for failover, hash the user part only, use the last one as default,
    append to the list; `limit` is the number of results in the old form."""
    __slots__ = ("failover", "user_only", "default", "append", "limit")

    def __init__(self) -> None:
        self.failover = self.user_only = self.default = self.append = False
        self.limit = 0


_LETTERS = {"f": "failover", "u": "user_only", "d": "default", "a": "append"}


def parse_flags(text: str) -> SelectFlags:
    """Parse flag letters (`fu`, `f,u`), or the old number of results."""
    flags = SelectFlags()
    text = text.replace(",", "").replace(" ", "")
    if text.isdecimal():
        flags.limit, flags.failover = int(text), True
        return flags
    for letter in text:
        if letter.lower() not in _LETTERS:
            raise ValueError(f'unknown flag "{letter}"; known: f keep the rest for failover, u hash the user only, '
                             "d last one as default, a append")
        setattr(flags, _LETTERS[letter.lower()], True)
    return flags


def parse_sets(text: str) -> tuple[str, tuple[int, ...]]:
    """Parse a set, several `"1,2"`, or `"partition:1"`; return the partition ("" when none is named) and the ids."""
    found = _SETS.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is no set: write its number')
    return found[1] or "", tuple(int(part) for part in found[2].split(","))


def parse_algorithms(text: str) -> tuple[int, ...]:
    """Parse an algorithm, or several in the order of the sets."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f'"{text}" is no algorithm: write its number, 0 to 10') from None


def parse_states(text: str) -> frozenset[int]:
    """Parse a filter of states: letters a, i and p together."""
    if not text or set(text.lower()) - set("aip"):
        raise ValueError(f'"{text}" is no filter of states: write the letters a, i, p')
    return frozenset("aip".index(letter) for letter in text.lower())


def parse_state(text: str) -> int:
    """Parse one state: a, i or p, or its number."""
    state = STATE_OF.get(text.strip().lower())
    if state is None:
        raise ValueError(f'"{text}" is no state: a active, i inactive, p probing')
    return state


def parse_list(text: str) -> frozenset[int]:
    """Parse numbers separated by commas."""
    try:
        return frozenset(int(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        raise ValueError(f'"{text}" is no list of numbers') from None


def parse_blacklist(text: str) -> tuple[str, frozenset[int]]:
    """Parse `name=set,set`."""
    name, equals, sets = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f'"{text}" is not name=set,set')
    return name.strip(), parse_list(sets)
