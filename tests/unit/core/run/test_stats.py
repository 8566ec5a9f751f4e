"""Statistics: declared and registered ones, by every way to name them."""
from __future__ import annotations

from typing import Any

import pytest

from osip.api import Module, StatKind, gauge, stat
from osip.core.exports.registry import Registry
from osip.core.run.stats import Stats


class Counting(Module):
    """Counts."""
    name = "counting"
    hits = stat("Hits.")
    level = stat("Level.", kind=StatKind.GAUGE)
    odd = stat("Odd.", name="2xx hits")

    @gauge("twice")
    def twice(self) -> int:
        """Twice the hits."""
        return 2 * int(self.hits)


@pytest.fixture
def both() -> tuple[Stats, Any]:
    registry = Registry((Counting,))
    registry.create()
    stats = Stats()
    stats.register_modules(registry)
    stats.register("other", "hits", lambda: 7)
    return stats, registry.instances["counting"]


@pytest.mark.parametrize(("pattern", "names"), [
    ("all", ["counting:hits", "counting:level", "counting:2xx hits", "counting:twice", "other:hits"]),
    ("counting:", ["counting:hits", "counting:level", "counting:2xx hits", "counting:twice"]),
    ("counting:twice", ["counting:twice"]), ("hits", ["counting:hits", "other:hits"]), ("2xx hits",
        ["counting:2xx hits"]),
    ("none:", []), ("counting:none", []), ("", [])])
def test_select(pattern: str, names: list[str], both: tuple[Stats, Any]) -> None:
    assert sorted(s.full_name for s in both[0].select(pattern)) == sorted(names)


def test_values_are_those_of_now(both: tuple[Stats, Any]) -> None:
    stats, counting = both
    counting.hits += 3
    assert (stats.get("counting:hits"), stats.get("twice"), stats.get("other:hits"), stats.get("none")) == (3, 6, 7,
        None)


def test_only_counters_can_be_reset(both: tuple[Stats, Any]) -> None:
    stats, counting = both
    counting.hits, counting.level = 5, 6
    for found in stats.all():
        if found.reset is not None:
            found.reset()
    assert (counting.hits, counting.level) == (0, 6)
    assert {s.full_name: s.kind for s in stats.all()}["counting:twice"] is StatKind.GAUGE


def test_a_second_registration_replaces_the_first(both: tuple[Stats, Any]) -> None:
    both[0].register("other", "hits", lambda: 8)
    assert both[0].get("other:hits") == 8 and len(both[0].select("other:")) == 1
