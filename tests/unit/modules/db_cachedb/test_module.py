"""URLs of caches that are databases."""
from __future__ import annotations

import pytest
from kit.playbook import make_worker

from osip.api import ModuleError, StoreError
from osip.modules.cachedb_redis import CachedbRedis
from osip.modules.db_cachedb import DbCachedb


def stores(*urls):
    worker, _, _ = make_worker((CachedbRedis, DbCachedb), {"db_cachedb": {"cachedb_url": list(urls)}})
    return worker.stores


def test_urls():
    found = stores("redis:a://:secret@h:1/", "redis://h/", "local:x://")
    assert found.sql("cachedb://redis:a").url == "cachedb://redis:a"
    assert found.sql("cachedb://redis:a") is not found.sql("cachedb://redis")
    with pytest.raises(StoreError, match=r"means no cache \(there are: cachedb://redis:a, cachedb://redis, cachedb://local:x\)"):
        found.sql("cachedb://redis:b")
    with pytest.raises(StoreError, match="in Redis only"):
        found.sql("cachedb://local:x")
    with pytest.raises(StoreError, match="there are: none"):
        stores().sql("cachedb://redis")


@pytest.mark.parametrize(("urls", "words"), [(("nonsense",), "no cachedb URL"), (("redis:a://x/", "redis:a://y/"), "twice")])
def test_bad_urls(urls, words):
    with pytest.raises(ModuleError, match=words):
        stores(*urls)


def test_the_module_is_named_where_it_is_missing():
    worker, _, _ = make_worker(())
    with pytest.raises(StoreError, match="load the module db_cachedb"):
        worker.stores.sql("cachedb://redis:a")
