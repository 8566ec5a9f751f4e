"""The wheel wakes what is due, once, in any order of deadlines."""
from __future__ import annotations

import pytest

from osip.core.run.timers import NEVER, TICK, Timers


class Sleeper:
    def __init__(self, wake: float) -> None:
        self.wake, self.scheduled, self.woken = wake, NEVER, []
        self.again: list[float] = []

    def on_wake(self, now: float) -> None:
        self.woken.append(round(now, 2))
        self.wake = self.again.pop(0) if self.again else NEVER


def drive(timers: Timers, until: float, step: float = TICK) -> None:
    now = timers.now
    while now < until:
        now += step
        timers.run(now)


@pytest.mark.parametrize("wake", [0.05, 0.1, 0.5, 3.0, 32.0, 101.9, 180.0, 3600.0])
def test_wakes_not_early_and_at_most_two_ticks_late(wake: float) -> None:
    timers, sleeper = Timers(0.0), Sleeper(wake)
    timers.watch(sleeper)
    drive(timers, wake + 3 * TICK)
    assert len(sleeper.woken) == 1
    assert wake - 0.01 <= sleeper.woken[0] <= wake + 2 * TICK + 0.01


def test_a_later_deadline_needs_no_call_and_an_earlier_one_moves() -> None:
    timers, later, earlier = Timers(0.0), Sleeper(1.0), Sleeper(5.0)
    timers.watch(later)
    timers.watch(earlier)
    later.wake = 2.0
    earlier.wake = 0.5
    timers.watch(earlier)
    drive(timers, 1.5)
    assert (later.woken, earlier.woken) == ([], [pytest.approx(0.6, abs=0.11)])
    drive(timers, 6.0)
    assert (len(later.woken), len(earlier.woken)) == (1, 1)
    assert timers.count == 0


def test_rearming_and_cancel() -> None:
    timers, sleeper = Timers(0.0), Sleeper(1.0)
    sleeper.again = [2.0, 3.0]
    timers.watch(sleeper)
    calls: list[int] = []
    timers.call_at(1.0, calls.append, 1)
    timers.call_at(1.0, calls.append, 2).cancel()
    drive(timers, 4.0)
    assert len(sleeper.woken) == 3 and calls == [1]


def test_a_jump_over_the_whole_wheel_wakes_everything_once() -> None:
    timers = Timers(0.0)
    sleepers = [Sleeper(n * 7.3) for n in range(1, 40)]
    for sleeper in sleepers:
        timers.watch(sleeper)
    timers.run(39 * 7.3 + TICK)
    assert all(len(s.woken) == 1 for s in sleepers)


def test_one_broken_sleeper_does_not_stop_the_wheel() -> None:
    errors: list[BaseException] = []
    timers, calls = Timers(0.0, errors.append), []
    timers.call_at(1.0, lambda: 1 / 0)
    timers.call_at(1.0, calls.append, 1)
    drive(timers, 2.0)
    assert calls == [1] and isinstance(errors[0], ZeroDivisionError)


def test_much_is_woken_in_parts_in_its_order() -> None:
    timers, calls = Timers(0.0), []
    for number in range(5):
        timers.call_at(1.0, calls.append, number)
    timers.call_at(1.0 + TICK, calls.append, 5)
    assert timers.run(2.0, 2) and calls == [0, 1] and timers.count == 4
    timers.call_at(2.0, calls.append, 6)                # meanwhile: not before the next turn
    timers.call_at(0.5, calls.append, 7)
    assert timers.run(2.0, 4) and calls == [0, 1, 2, 3, 4, 5], "two are left, in turns that follow"
    assert not timers.run(2.0 + TICK) and calls[6:] in ([6, 7], [7, 6]) and timers.count == 0


def test_what_was_cancelled_or_moved_between_two_parts_is_not_woken() -> None:
    timers, first, moved = Timers(0.0), Sleeper(1.0), Sleeper(1.0)
    calls: list[int] = []
    timers.watch(first)
    cancelled = timers.call_at(1.0, calls.append, 1)
    timers.watch(moved)
    assert timers.run(1.1, 1) and len(first.woken) == 1
    cancelled.cancel()
    moved.wake = 3.0
    assert not timers.run(1.1) and not calls and not moved.woken
    drive(timers, 3.2)
    assert len(moved.woken) == 1 and timers.count == 0
