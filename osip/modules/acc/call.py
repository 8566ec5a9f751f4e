"""Remember calls that were answered until they end, for one record each."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LIMIT = 500_000
"""Calls of a worker at the same time."""
LONGEST = 12 * 3600.0
"""Seconds after which a call is over though nobody hung up."""

Key = tuple[str, str, str]


class Call:
    """One call: its record and fields so far, and when it was set up and answered (monotonic and wall clock)."""
    __slots__ = ("account", "answered", "created", "extra", "record", "setup", "started", "types")

    def __init__(self, account: Any, types: int, record: Any, extra: dict[str, dict[str, str]]) -> None:
        self.account, self.types, self.record, self.extra = account, types, record, extra
        self.answered = self.started = self.created = self.setup = 0.0

    def times(self, now: float) -> dict[str, int]:
        """Return duration, ms_duration, setuptime and created as they stand in a record."""
        took = max(0.0, now - self.answered)
        return {"duration": int(took + 0.5), "ms_duration": int(took * 1000 + 0.5), "setuptime": int(self.setup),
                "created": int(self.created)}


class Calls:
    """The calls of one worker; tags may be asked for in either order."""

    def __init__(self) -> None:
        self._calls: dict[Key, Call] = {}
        self.lost = 0

    def __len__(self) -> int:
        return len(self._calls)

    def begin(self, key: Key, call: Call) -> bool:
        """Take a call; False when there are too many, or when it is there already."""
        if key in self._calls:
            return False
        if len(self._calls) >= LIMIT:
            self.lost += 1
            return False
        self._calls[key] = call
        return True

    def end(self, call_id: str, one_tag: str, other_tag: str) -> Call | None:
        """Give up the call of a BYE, None when there is none."""
        return self._calls.pop((call_id, one_tag, other_tag), None) or self._calls.pop((call_id, other_tag, one_tag), None)

    def expired(self, now: float) -> Iterator[Call]:
        """Give up the calls that last too long."""
        for key, call in list(self._calls.items()):
            if now - call.answered < LONGEST:
                break                           # those behind are younger
            del self._calls[key]
            yield call
