"""Statistics of scripts."""
from __future__ import annotations

from typing import Any

import pytest

from kit.passage import Box
from kit.playbook import make_worker
from osip.api import ModuleError
from osip.modules.statistics import Profile, Statistics


def make(**params: Any) -> tuple[Any, Any]:
    worker, _, clock = make_worker((Statistics,), {"statistics": params})
    worker.env.modules["statistics"].clock = clock
    return worker.env.modules["statistics"], worker.env.stats


def test_counting() -> None:
    module, stats = make(variable=["calls", "mine:failed/no_reset"])
    assert [module.update_stat(None, *one) for one in (("calls", 2), ("mine:failed", 1), ("new", 5), ("none", 0))] == [1] * 4
    assert (stats.get("calls"), stats.get("mine:failed"), stats.get("dynamic:new"), stats.get("none")) == (2, 1, 5, None)
    assert [module.reset_stat(None, name) for name in ("calls", "mine:failed", "none")] == [1, -1, -1]
    assert (stats.get("calls"), stats.get("mine:failed")) == (0, 1)


def test_what_the_server_counts_is_not_changed() -> None:
    module, stats = make()
    stats.register("core", "requests", lambda: 7)
    assert module.update_stat(None, "core:requests", 1) == -1
    assert stats.get("core:requests") == 7


def test_walking_a_group() -> None:
    module, _ = make(variable=["g:a", "g:b"], stat_groups=["g"])
    module.update_stat(None, "g:b", 3)
    names, values = Box(), Box()
    assert module.stat_iter_next(None, names, values, "it") == -1
    module.stat_iter_init(None, "g", "it")
    while module.stat_iter_next(None, names, values, "it") == 1:
        pass
    assert (names.values, values.values) == (["a", "b"], [0, 3])


@pytest.mark.parametrize(("algorithm", "readings"), [("accumulate", (6, 5, 0)), ("average", (2, 2, 0)),
                                                     ("percentage", (200, 250, 0))])
def test_series(algorithm: str, readings: tuple[int, ...]) -> None:
    module, stats = make(stat_series_profile=[Profile(f"p: algorithm={algorithm} window=10 slots=10 group=g")])
    module.update_stat_series(None, "p", "acd", 1)
    module.clock.advance(5)
    for value in (0, 5):
        module.update_stat_series(None, "p", "acd", value)
    found = [stats.get("g:acd")]
    for seconds in (6, 10):
        module.clock.advance(seconds)
        found.append(stats.get("g:acd"))
    assert tuple(found) == readings


def test_faults() -> None:
    module, _ = make()
    assert module.update_stat_series(None, "p", "x", 1) == -1
    with pytest.raises(ModuleError, match="no_reset"):
        make(variable=["a/b"])
    for text, words in (("", "missing"), ("p: algorithm=mean", "unknown algorithm"), ("p: size=1", "is none of"),
                        ("p: window=x", "numbers"), ("p: window=0", "above 0")):
        with pytest.raises(ValueError, match=words):
            Profile(text)
