"""The algorithms of the pipes."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.modules.ratelimit.pipe import Controller, Load, Pipe, parse_algorithm


def test_algorithm_names() -> None:
    assert parse_algorithm(" red ") == "RED"
    with pytest.raises(ValueError, match="TAILDROP, RED, SBT, FEEDBACK, NETWORK"):
        parse_algorithm("BLUE")


@pytest.mark.parametrize(("last", "most", "passed"), [(100, 100, 100), (200, 50, 25), (1000, 10, 1), (0, 0, 100)])
def test_red_thins_evenly(last: int, most: int, passed: int) -> None:
    pipe = Pipe("RED", most, 0.0)
    pipe.last = last
    assert sum(pipe.thin(most) for _ in range(100)) == passed


def test_window_slides() -> None:
    pipe = Pipe("SBT", 5, 0.0)
    for slot in (1, 1, 2, 5):
        pipe.put(slot, 1)
    assert [pipe.window(slot, 5) for slot in (5, 6, 7, 9, 10)] == [4, 2, 1, 1, 0]
    pipe.put(11, 2)
    pipe.counter = 1
    assert pipe.take_back() and pipe.window(11, 5) == 1 and not pipe.take_back()


def test_controller_drops_more_while_the_load_is_too_high() -> None:
    pid = Controller()
    drops = []
    for load in (0.2, 0.9, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        pid.step(0.5, load)
        drops.append(pid.drop)
    assert drops[0] == 0 and drops[1] == pytest.approx(10) and drops[-1] == 100 and drops == sorted(drops)
    assert not any(pid.passes() for _ in range(50))
    for _ in range(10):
        pid.step(0.5, 0.0)
    assert pid.drop == 0 and all(pid.passes() for _ in range(50))
    pid.drop = 25.0
    assert sum(pid.passes() for _ in range(100)) == 75


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "stat"
    path.write_text("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1\n")
    load = Load(str(path))
    path.write_text("cpu  40 0 30 110 20 0 0 0 0 0\n")
    assert load.look() == pytest.approx(0.5) and load.look() == 0.0
    assert Load(str(tmp_path / "none")).look() == 0.0
