"""Check the counter of instructions: the same twice, more for more work, only ours, and that growth is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.count import Counter, Counts, as_count_table, compare, read_baseline, record  # noqa: E402  (as above)


def work(times: int, name: str = "/osip/core/x.py") -> Counter:
    """Count a loop that stands in a file of that name."""
    space: dict[str, object] = {}
    exec(compile("def run(n):\n    for i in range(n):\n        len('x')\n", name, "exec"), space)
    counter = Counter()
    with counter.counting():
        space["run"](times)     # type: ignore[operator]
    return counter


def test_counts_repeat_and_grow_with_the_work() -> None:
    once, again, more = work(100), work(100), work(200)
    assert (once.instructions, once.calls) == (again.instructions, again.calls)
    per_turn = (more.instructions - once.instructions) / 100
    assert per_turn == int(per_turn) > 2
    assert more.calls - once.calls == 100           # each len()
    assert sum(more.places.values()) == more.instructions


@pytest.mark.parametrize("name", ["/usr/lib/python3/asyncio/x.py", "/a/osip/testing/x.py", "/a/other.py"])
def test_other_code_does_not_count(name: str) -> None:
    counter = work(100, name)
    assert (counter.instructions, counter.calls) == (0, 0)


def test_scripts_count() -> None:
    assert work(10, "my.cfg").instructions > 0


def test_tracing_ends_with_the_block() -> None:
    with pytest.raises(ZeroDivisionError), Counter().counting():
        _ = 1 / 0
    assert (sys.gettrace(), sys.getprofile()) == (None, None)


BASE: Counts = {"pure": {"call": {"instructions": 1000.0, "calls": 100.0}}}
CASES: dict[str, tuple[float, float, list[str]]] = {
    "the same": (1000, 100, []),
    "less": (500, 10, []),
    "within the tolerance": (1099, 109, []),
    "more instructions": (1150, 100, ["1150 instructions", "+15%"]),
    "more calls": (1000, 120, ["120 calls", "+20%"]),
}


@pytest.mark.parametrize("name", CASES)
def test_growth_is_told(name: str) -> None:
    instructions, calls, words = CASES[name]
    told = compare({"pure": {"call": {"instructions": instructions, "calls": calls}}}, BASE)
    assert len(told) == bool(words)
    assert all(word in told[0] for word in words)


def test_what_was_never_recorded_is_told() -> None:
    told = compare({"leaves": {"call": {"calls": 1.0}}}, BASE)
    assert len(told) == 1 and "--record" in told[0]


def test_recording_keeps_other_versions_and_leaves(tmp_path: Path) -> None:
    path = tmp_path / "bench" / "baseline.json"
    assert read_baseline("3.11", path) == {}
    record("3.11", BASE, path)
    record("3.12", {"leaves": {}}, path)
    record("3.11", {"leaves": {"call": {"calls": 2.0}}}, path)
    assert read_baseline("3.11", path) == {**BASE, "leaves": {"call": {"calls": 2.0}}}
    assert set(json.loads(path.read_text())) == {"3.11", "3.12"}
    assert "1000.0" in as_count_table(BASE, read_baseline("3.11", path))
