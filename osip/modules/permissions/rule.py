"""Read files of rules: `"from" : "uri"` on each line, lists of regular expressions, ALL, EXCEPT."""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from osip.api import posix

MAX_FILE = 4 * 1024 * 1024
_TOKEN = re.compile(r'\s*(?:("(?:\\.|[^"\\])*")|([A-Za-z]+)|([,:])|(#.*))')


@dataclass(frozen=True, slots=True)
class Side:
    """The expressions of one side of a rule; None stands for ALL."""
    wanted: tuple[re.Pattern[str], ...] | None
    unwanted: tuple[re.Pattern[str], ...]

    def matches(self, text: str) -> bool:
        """Say whether a URI is meant."""
        if self.wanted is not None and not any(one.search(text) for one in self.wanted):
            return False
        return not any(one.search(text) for one in self.unwanted)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: who may (or may not) reach whom."""
    left: Side
    right: Side


def read_rules(path: str) -> list[Rule]:
    """Read a file; ValueError says what is wrong and where."""
    try:
        if Path(path).stat().st_size > MAX_FILE:
            raise ValueError(f"{path} is larger than {MAX_FILE} bytes")
        lines = Path(path).read_text("utf-8", "surrogateescape").splitlines()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    rules = []
    for number, line in enumerate(lines, 1):
        try:
            tokens = _tokens(line)
            if tokens:
                rules.append(_rule(tokens))
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from None
    return rules


def _tokens(line: str) -> list[str]:
    tokens, pos, end = [], 0, len(line.rstrip())
    while pos < end:
        found = _TOKEN.match(line, pos)
        if found is None:
            raise ValueError(f"unexpected {line[pos:].strip()[:20]!r}")
        if not found[4]:
            tokens.append(found[0].strip())
        pos = found.end()
    return tokens


def _rule(tokens: list[str]) -> Rule:
    if tokens.count(":") != 1:
        raise ValueError('a rule is "from" : "uri" with one colon')
    at = tokens.index(":")
    return Rule(_side(tokens[:at]), _side(tokens[at + 1:]))


def _side(tokens: list[str]) -> Side:
    words = [token.upper() for token in tokens]
    at = words.index("EXCEPT") if "EXCEPT" in words else len(words)
    wanted = None if words[:at] == ["ALL"] else _expressions(tokens[:at])
    return Side(wanted, _expressions(tokens[at + 1:]) if at < len(words) else ())


def _expressions(tokens: list[str]) -> tuple[re.Pattern[str], ...]:
    if not tokens or any((token == ",") != bool(place % 2) for place, token in enumerate(tokens)) or tokens[-1] == ",":
        raise ValueError("expected ALL, or expressions in quotes with commas between them")
    found = []
    for token in tokens[::2]:
        if token[0] != '"':
            raise ValueError(f"unexpected {token}; expressions stand in quotes")
        try:
            found.append(re.compile(posix(token[1:-1].replace('\\"', '"')), re.IGNORECASE))
        except re.error as error:
            raise ValueError(f"bad regular expression {token}: {error}") from None
    return tuple(found)


class Rules:
    """A pair of files: who is allowed, who is denied; what neither names is allowed."""
    __slots__ = ("allow", "deny")

    def __init__(self, allow: list[Rule], deny: list[Rule]) -> None:
        self.allow, self.deny = allow, deny

    @classmethod
    def read(cls, allow: str, deny: str) -> Rules:
        """Read both files; one that does not exist has no rules. ValueError when one cannot be read."""
        return cls(*([] if not Path(path).exists() else read_rules(path) for path in (allow, deny)))

    def permits(self, left: str, right: str) -> bool:
        """Say whether a pair of URIs passes."""
        if any(rule.left.matches(left) and rule.right.matches(right) for rule in self.allow):
            return True
        return not any(rule.left.matches(left) and rule.right.matches(right) for rule in self.deny)
