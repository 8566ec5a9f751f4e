"""The local cache keeps, counts, forgets in time, and never grows past its bound."""
from __future__ import annotations

import pytest

from osip.core.errors import StoreError
from osip.core.store import cache
from osip.core.store.cache import Caches, LocalCache, parse_cache_url


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_values_end(clock) -> None:
    store = LocalCache(clock)
    store.set("a", "1")
    store.set("b", "2", 10)
    assert (store.get("a"), store.get("b"), store.get("c")) == ("1", "2", None)
    clock.now += 10
    assert (store.get("a"), store.get("b"), len(store)) == ("1", None, 1)
    assert store.remove("a") and not store.remove("a")


def test_counters(clock) -> None:
    store = LocalCache(clock)
    assert [store.add("n", 2), store.add("n", 3, 10), store.add("n", -1)] == [2, 5, 4]
    clock.now += 10                     # the end that the second add set still holds after the third
    assert store.get("n") is None and store.add("n", 1) == 1
    store.set("text", "abc")
    with pytest.raises(StoreError, match="no number"):
        store.add("text", 1)


def test_a_full_cache_drops_what_has_ended_and_then_refuses(clock, monkeypatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENTRIES", 3)
    store = LocalCache(clock)
    for key in "abc":
        store.set(key, "x", 10)
    store.set("a", "y", 20)
    with pytest.raises(StoreError, match="full"):
        store.set("d", "x")
    clock.now += 10
    store.set("d", "x")
    assert len(store) == 2 and store.get("a") == "y"


def test_caches_by_scheme_and_group(clock) -> None:
    caches = Caches(clock)
    caches.cache("local").set("k", "1")
    assert caches.cache("local").get("k") == "1" and caches.cache("local:other").get("k") is None
    with pytest.raises(StoreError, match="cachedb_redis"):
        caches.cache("redis:main")
    made: list[str] = []

    def make(group: str) -> LocalCache:
        made.append(group)
        return LocalCache(clock)
    caches.register("redis", make)
    assert caches.cache("redis:main") is caches.cache("redis:main") and made == ["main"]


@pytest.mark.parametrize(("text", "id", "login", "hosts", "path", "options"), [
    ("redis://h", "redis", ("", ""), (("h", 0),), "", {}),
    ("redis:g://u:p%40@h:1,[::1]:2/3?a=b&c", "redis:g", ("u", "p@"), (("h", 1), ("::1", 2)), "3", {"a": "b", "c": ""}),
    ("redis://secret@h:6379/", "redis", ("", "secret"), (("h", 6379),), "", {}),
    ("local:g:///coll", "local:g", ("", ""), (), "coll", {}), ("local://", "local", ("", ""), (), "", {})])
def test_urls(text, id, login, hosts, path, options) -> None:
    url = parse_cache_url(text)
    assert (url.id, (url.user, url.password), url.hosts, url.path, dict(url.options)) == (id, login, hosts, path, options)


@pytest.mark.parametrize("text", ["", "redis", "redis:/x", "redis://h:port/", "redis://h:70000/"])
def test_no_urls(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no"):
        parse_cache_url(text)


def test_caches_by_url(clock) -> None:
    caches = Caches(clock)
    caches.register("redis", lambda group: LocalCache(clock), lambda url: made.append(url) or LocalCache(clock))
    made: list[str] = []
    assert caches.cache("redis://h/") is caches.cache("redis://h/") and made == ["redis://h/"]
    assert caches.cache("local://") is caches.cache("local") is caches.collection()
    assert caches.cache("local:x") is caches.collection("x") and set(caches.collections()) == {"", "x"}
    with pytest.raises(StoreError) as caught:
        caches.cache("mongodb://u:secret@h/")
    assert "secret" not in str(caught.value)


def test_ids_are_bounded(clock, monkeypatch) -> None:
    monkeypatch.setattr(cache, "MAX_CACHES", 3)
    caches = Caches(clock)
    for name in "abc":
        caches.cache(f"local:{name}")
    with pytest.raises(StoreError, match="3 caches are open"):
        caches.cache("local:d")
    assert caches.cache("local:a") is caches.collection("a")
