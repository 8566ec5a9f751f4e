"""Word the hints of findings: the near names."""
from __future__ import annotations

import difflib
from collections.abc import Iterable

from osip.script import report


def suggest(name: str, candidates: Iterable[str], n: int = 3) -> list[str]:
    """Return up to `n` candidates that may have been meant: the nearest ones, or those that `name` abbreviates."""
    known = list(candidates)
    near = report.suggest(name, known, n)
    if near:
        score = {one: difflib.SequenceMatcher(None, name.lower(), one.lower()).ratio() for one in near}
        best = max(score.values())
        return sorted((one for one in near if score[one] > best - 0.04), key=lambda one: (-score[one], one))
    return sorted(one for one in known if len(name) > 3 and _abbreviates(name.lower(), one.lower()))[:n]


def _abbreviates(short: str, long: str) -> bool:
    letters = iter(long)
    if not len(short) < len(long) <= 2.5 * len(short):
        return False
    return short[:2] == long[:2] and all(letter in letters for letter in short)


def did_you_mean(names: Iterable[str]) -> str:
    """Return `did you mean "a" or "b"?`, or nothing when there is no near name."""
    quoted = [f'"{name}"' for name in names]
    if not quoted:
        return ""
    head = ", ".join(quoted[:-1])
    return f"did you mean {head} or {quoted[-1]}?" if head else f"did you mean {quoted[0]}?"
