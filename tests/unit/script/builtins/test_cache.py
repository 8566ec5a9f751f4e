"""Check the words for caches."""
from __future__ import annotations

from typing import Any

import pytest
from kit.builtin import Holder, Words

from osip.api import StoreError


class Store:
    """A store that answers at once, or after a wait when `waits`."""

    def __init__(self, waits: bool) -> None:
        self.waits, self.kept, self.ttl = waits, {}, {}             # type: ignore[var-annotated]

    def _give(self, value: Any) -> Any:
        async def later() -> Any:
            return value
        return later() if self.waits else value

    def set(self, key: str, value: str, ttl: int) -> Any:
        if key == "bad":
            raise StoreError("full")
        self.kept[key], self.ttl[key] = value, ttl
        return self._give(None)

    def get(self, key: str) -> Any:
        if key == "bad":
            raise StoreError("gone")
        return self._give(self.kept.get(key))

    def remove(self, key: str) -> Any:
        self.kept.pop(key, None)
        return self._give(None)

    def add(self, key: str, step: int, ttl: int) -> Any:
        self.kept[key] = int(self.kept.get(key, 0)) + step
        return self._give(self.kept[key])

    def raw_query(self, query: str) -> Any:
        return self._give([["r0", 0], ["r1", 1]])


@pytest.fixture(params=[False, True], ids=["at once", "waiting"])
def words(request: pytest.FixtureRequest) -> Words:
    made = Words()
    stores = {"local": Store(request.param)}
    made.env.cache = lambda name: stores[name]
    return made


async def test_store_fetch_remove(words: Words) -> None:
    ctx, out = words.ctx(), Holder()
    assert await words.call(ctx, "cache_fetch", "local", "k", out) == -2 and out.value is None
    assert await words.call(ctx, "cache_store", "local", "k", "v", 60) == 1
    assert words.env.cache("local").ttl == {"k": 60}
    assert await words.call(ctx, "cache_fetch", "local", "k", out) == 1 and out.value == "v"
    assert await words.call(ctx, "cache_remove", "local", "k") == 1
    assert await words.call(ctx, "cache_remove", "local", "k") == 1
    assert await words.call(ctx, "cache_fetch", "local", "k", out) == -2 and out.value == "v"


async def test_failures(words: Words) -> None:
    ctx, out = words.ctx(), Holder()
    assert await words.call(ctx, "cache_store", "none", "k", "v", 0) == -1
    assert await words.call(ctx, "cache_store", "local", "bad", "v", 0) == -1
    assert await words.call(ctx, "cache_fetch", "local", "bad", out) == -1
    assert await words.call(ctx, "cache_remove", "none", "k") == -1
    assert await words.call(ctx, "cache_add", "none", "k", 1, 0, None) == -1
    assert await words.call(ctx, "cache_counter_fetch", "none", "k", out) == -1
    assert await words.call(ctx, "cache_raw_query", "local", "q", "nonsense") == -1


async def test_counters(words: Words) -> None:
    ctx, out = words.ctx(), Holder()
    assert await words.call(ctx, "cache_counter_fetch", "local", "n", out) == -2
    assert await words.call(ctx, "cache_add", "local", "n", 5, 0, out) == 1 and out.value == 5
    assert await words.call(ctx, "cache_sub", "local", "n", 2, 0, None) == 1
    assert await words.call(ctx, "cache_counter_fetch", "local", "n", out) == 1 and out.value == 3
    await words.call(ctx, "cache_store", "local", "t", "text", 0)
    assert await words.call(ctx, "cache_counter_fetch", "local", "t", out) == -1


async def test_raw_query(words: Words) -> None:
    ctx = words.ctx()
    assert await words.call(ctx, "cache_raw_query", "local", "q", "$avp(a);$avp(b)") == 1
    assert [words.get(ctx, "avp", "a", at) for at in (0, 1)] == ["r0", "r1"]
    assert [words.get(ctx, "avp", "b", at) for at in (0, 1)] == [0, 1]
