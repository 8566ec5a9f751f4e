"""When the collector of cycles looks at everything."""
from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from osip.core.run import collector
from osip.core.run.collector import EACH, LATE, PAUSE, PERIOD, QUIET, SHARE, SOON, THRESHOLD, Collector


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Play a collector: [looks at new objects until now, looks at everything]."""
    seen = [0, 0]

    def collect() -> None:
        seen[1] += 1
    monkeypatch.setattr(collector.gc, "get_count", lambda: (0, seen[0], 0))
    monkeypatch.setattr(collector.gc, "collect", collect)
    yield seen


def test_what_is_there_at_the_start_is_left_alone() -> None:
    before = gc.get_threshold()
    try:
        Collector().begin(0.0)
        assert gc.get_threshold() == THRESHOLD and gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@pytest.mark.parametrize(("left", "rate", "is_done"), [
    (SOON - 1, 0, False), (SOON, 0, True), (SOON, QUIET, True), (SOON - 1, QUIET + 1, False), (LATE - 1, QUIET + 1, False),
    (LATE, QUIET + 1, True)])
def test_everything_is_looked_at(looks: list[int], left: int, rate: float, is_done: bool) -> None:
    one = Collector()
    one.look(0.0, 1000)
    looks[:] = [left, 0]
    assert one.look(PERIOD, 1000 + int(rate * PERIOD)) == is_done == bool(looks[1])


LITTLE = int(PAUSE / EACH / THRESHOLD[0])
"""Looks at new objects after which everything takes as long as a busy worker can bear."""


@pytest.mark.parametrize(("left", "since", "is_done"), [
    (LITTLE, PAUSE / SHARE, True), (LITTLE + 1, PAUSE / SHARE, False), (LITTLE + 1, 1e6, False),
    (LITTLE, PAUSE / SHARE / 2, False), (LITTLE // 2, PAUSE / SHARE / 2, True)])
def test_a_busy_worker_looks_when_that_is_short_and_rare(looks: list[int], left: int, since: float,
                                                         is_done: bool) -> None:
    one = Collector()
    looks[:] = [left, 0]
    assert one.look(since, int(2 * QUIET * PERIOD)) == is_done == bool(looks[1])


def test_a_long_look_is_not_repeated_while_the_worker_is_busy(looks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    one, clock = Collector(), iter([0.0, 2 * PAUSE])
    monkeypatch.setattr(collector.time, "perf_counter", lambda: next(clock))
    looks[0] = SOON
    assert one.look(PERIOD, 0)
    assert not one.look(1e6, int(2 * QUIET * PERIOD)), "as much as that is there at least"


def test_it_is_asked_now_and_then_only(looks: list[int]) -> None:
    one = Collector()
    looks[0] = LATE
    assert [one.look(second / 2, 0) for second in range(41)].count(True) == looks[1] == 3


def test_a_cycle_is_found_in_the_end() -> None:
    class Knot:
        pass
    before = gc.get_threshold()
    try:
        one = Collector()
        one.begin(0.0)
        knot = Knot()
        knot.self = knot                                # type: ignore[attr-defined]
        del knot
        keep = []
        while gc.get_count()[1] < SOON:
            keep.append([None])
        assert one.look(PERIOD, 0)
        assert not any(type(found) is Knot for found in gc.get_objects())
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
