"""Calls between answer and end."""
from __future__ import annotations

import pytest

from osip.modules.acc import call
from osip.modules.acc.call import Call, Calls


def one(answered: float = 100.0) -> Call:
    found = Call(None, 1, None, {})
    found.answered, found.created, found.setup = answered, 1000.7, 2.9
    return found


def test_times() -> None:
    assert one().times(161.6) == {"duration": 62, "ms_duration": 61600, "setuptime": 2, "created": 1000}
    assert one().times(99.0)["duration"] == 0


@pytest.mark.parametrize("tags", [("a", "b"), ("b", "a")])
def test_either_side_may_hang_up(tags: tuple[str, str]) -> None:
    calls, mine = Calls(), one()
    assert calls.begin(("c", "a", "b"), mine) and not calls.begin(("c", "a", "b"), one())
    assert calls.end("c", "a", "x") is None and calls.end("d", *tags) is None
    assert calls.end("c", *tags) is mine and calls.end("c", *tags) is None and len(calls) == 0


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "LIMIT", 2)
    calls = Calls()
    assert [calls.begin(("c", "a", str(n)), one(n)) for n in range(3)] == [True, True, False] and calls.lost == 1
    assert [found.answered for found in calls.expired(call.LONGEST + 0.5)] == [0] and len(calls) == 1
