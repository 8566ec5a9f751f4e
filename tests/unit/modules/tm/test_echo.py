"""What is left of ended transactions: how long, and how much."""
from __future__ import annotations

import pytest

from osip.core.run.timers import Timers
from osip.modules.tm import echo
from osip.modules.tm.echo import Echoes


def run(timers: Timers, until: float) -> None:
    while timers.now < until - 1e-9:
        timers.run(timers.now + 0.1)


@pytest.mark.parametrize("added", [0.0, 1.0, 9.0, 12.0])
def test_it_lives_from_the_span_to_half_as_long_again(added: float) -> None:
    timers = Timers()
    echoes = Echoes(timers, 10.0)
    echoes.add("first", None, None)                     # it starts the turning
    run(timers, added)
    echoes.add("k", b"x", None)
    run(timers, added + 9.9)
    assert "k" in echoes.entries
    run(timers, added + 15.5)
    assert "k" not in echoes.entries


def test_nothing_turns_when_nothing_is_left() -> None:
    timers = Timers()
    echoes = Echoes(timers, 10.0)
    echoes.add("k", b"x", None)
    run(timers, 16.0)
    assert not echoes.entries and timers.count == 0
    echoes.add("k", b"y", None)
    assert echoes.entries["k"] == (b"y", None) and timers.count == 1


def test_no_span_no_echo_and_there_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    none = Echoes(Timers(), 0.0)
    none.add("k", b"x", None)
    assert not none.entries
    monkeypatch.setattr(echo, "MOST", 2)
    full = Echoes(Timers(), 10.0)
    for key in "abc":
        full.add(key, None, None)
    assert list(full.entries) == ["a", "b"]


def test_a_generation_is_forgotten_in_parts() -> None:
    timers = Timers()
    echoes = Echoes(timers, 10.0)
    for number in range(2 * echo.SWEPT + 5):
        echoes.add(str(number), None, None)
    left = []
    while timers.count:
        timers.run(timers.now + 0.1)
        left.append(len(echoes.entries))
    assert sorted(set(left)) == [0, 5, echo.SWEPT + 5, 2 * echo.SWEPT + 5]
    assert left.index(0) - left.index(echo.SWEPT + 5) == 2, "one part in each tick"
