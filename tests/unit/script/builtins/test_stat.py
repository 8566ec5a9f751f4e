"""Read and reset statistics."""

from __future__ import annotations

from kit.builtin import Words
from osip.core.exports.spec import StatKind


def test_stat() -> None:
    words = Words()
    state = {"hits": 3}
    words.env.stats.register("core", "hits", lambda: state["hits"], StatKind.COUNTER, lambda: state.update(hits=0))
    words.env.stats.register("core", "level", lambda: 7)
    ctx = words.ctx()
    assert [words.get(ctx, "stat", name) for name in ("hits", "core:hits", "level", "none")] == [3, 3, 7, None]
    assert not words.set(ctx, "stat", 5, "hits") and not words.set(ctx, "stat", None, "hits") and state["hits"] == 3
    assert words.set(ctx, "stat", 0, "core:hits") and state["hits"] == 0
    assert not words.set(ctx, "stat", 0, "level") and not words.set(ctx, "stat", 0, "none")


def test_timestamp_is_seconds_since_the_start() -> None:
    words = Words()
    words.env.wall = lambda: words.env.started_at + 12.9  # type: ignore[method-assign]
    assert words.get(words.ctx(), "stat", "core:timestamp") == 12
