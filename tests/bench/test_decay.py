"""Guard against decay without a clock: what osip executes for an operation must not grow beyond the recorded counts.

Recorded are Python instructions and calls (scripts/bench/count.py), which are the same on every machine with the same
minor version of Python. When something grew on purpose: `scripts/bench.py count --record`, and say why in the commit.
"""

from __future__ import annotations

import sys

import pytest
from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.count import WORK, Counts, compare, count_all, read_baseline  # noqa: E402  (found through the line above)


@pytest.fixture(scope="module")
def counted() -> tuple[str, Counts]:
    return count_all()


def test_nothing_has_grown(counted: tuple[str, Counts]) -> None:
    version, counts = counted
    baseline = read_baseline(version)
    if not baseline:
        pytest.skip(f"no counts were recorded with Python {version}: scripts/bench.py count --record")
    assert not compare(counts, baseline)


def test_the_counts_are_of_whole_operations(counted: tuple[str, Counts]) -> None:
    """What costs more on the wire costs more here; a count of nothing would guard nothing."""
    _, counts = counted
    assert "pure" in counts
    for works in counts.values():
        assert set(works) == set(WORK)
        assert 300 < works["options"]["instructions"] < works["forward"]["instructions"]
        assert works["forward"]["instructions"] < works["call"]["instructions"] < works["residential"]["instructions"]
        assert all(kinds["calls"] > 20 for kinds in works.values())
    if "leaves" in counts:
        assert counts["leaves"]["call"]["instructions"] < counts["pure"]["call"]["instructions"]
