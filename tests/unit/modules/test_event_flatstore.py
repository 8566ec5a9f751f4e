"""Events in files, and when files change."""
from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from kit.playbook import make_worker
from osip.api import MIError
from osip.modules.event_flatstore import EventFlatstore, _amount


def make(path: Path, **params: Any) -> tuple[Any, Any]:
    worker, _, _ = make_worker((EventFlatstore,), {"event_flatstore": params})
    env, module = worker.env, worker.env.modules["event_flatstore"]
    module.seconds = 1_800_000_000.0
    env.wall = lambda: module.seconds           # type: ignore[method-assign]
    env.events.declare("E_X")
    env.events.subscribe("E_X", "a", module._connect(f"flatstore:{path}"))
    return env, module


async def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "events"
    env, module = make(path, delimiter=";", escape_delimiter="|")
    env.events.raise_event("E_X", {"a": "x;y", "b": 5, "c": None, "d": "two\nlines"})
    module.suppress_event_name = 1
    env.events.raise_event("E_X", {"a": 1})
    assert path.read_text() == "E_X;x|y;5;;two lines\n1\n"
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    await module.destroy()


@pytest.mark.parametrize(("params", "seconds", "files"), [
    ({"rotate_count": 2}, 0, 3), ({"rotate_size": 8}, 0, 3), ({"rotate_period": 10}, 10, 5), ({}, 10, 1)])
async def test_rotation(tmp_path: Path, params: dict[str, Any], seconds: int, files: int) -> None:
    path = tmp_path / "events"
    env, module = make(path, **params)
    told: list[dict[str, Any]] = []
    env.events.subscribe("E_FLATSTORE_ROTATION", "t", lambda name, values: told.append(values))
    for number in range(5):
        env.events.raise_event("E_X", {"n": number})
        module.seconds += seconds or (1 if number % 2 else 0)
    found = sorted(tmp_path.iterdir())
    assert len(found) == files and len(told) == files - 1
    assert sorted(line for one in found for line in one.read_text().splitlines()) == [f"E_X,{n}" for n in range(5)]
    assert all(one["filename"] == str(path) for one in told)
    await module.destroy()


async def test_moved_away_and_management(tmp_path: Path) -> None:
    path = tmp_path / "events"
    env, module = make(path)
    env.events.raise_event("E_X", {"n": 1})
    path.rename(tmp_path / "old")
    env.events.raise_event("E_X", {"n": 2})
    module.mi_rotate(str(path))
    env.events.raise_event("E_X", {"n": 3})
    assert (tmp_path / "old").read_text() == "E_X,1\nE_X,2\n" and path.read_text() == "E_X,3\n"
    with pytest.raises(MIError, match="No such"):
        module.mi_rotate("/elsewhere")
    await module.destroy()


def test_addresses(tmp_path: Path) -> None:
    _, module = make(tmp_path / "a", max_open_sockets=1)
    for address in ("flatstore:relative", f"flatstore:{tmp_path}/b"):
        with pytest.raises(ValueError):
            module._connect(address)
    module.max_open_sockets = 5
    with pytest.raises(ValueError, match="cannot write"):
        module._connect(f"flatstore:{tmp_path}/none/b")


@pytest.mark.parametrize(("text", "amount"), [("5", 5), ("2K", 2048), ("1 M", 1048576), ("off", 0), (7, 7)])
def test_amounts(text: Any, amount: int) -> None:
    assert _amount(text) == amount
    with pytest.raises(ValueError):
        _amount("many")
