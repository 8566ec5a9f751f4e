"""The cache in SQL, by SQLite and by real servers."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kit.databases import SERVERS
from kit.playbook import make_worker

from osip.api import ModuleError, StoreError
from osip.core.store.sql import Stores
from osip.core.store.tables import create_tables
from osip.modules import cachedb_sql
from osip.modules.cachedb_sql import CachedbSql, parse_url

KINDS = [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind))
         for kind in SERVERS]


@asynccontextmanager
async def module_of(*urls: str, default: str = "", **params: Any) -> AsyncIterator[Any]:
    worker, _, _ = make_worker((CachedbSql,), {"cachedb_sql": {"cachedb_url": list(urls), **params}}, db_default_url=default)
    stores = Stores(worker.env.config)
    worker.env.sql = stores.sql
    module: Any = worker.env.modules["cachedb_sql"]
    try:
        yield module
    finally:
        await stores.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_words(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(cachedb_sql.time, "time", lambda: now)
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        async with module_of(f"sql:g-{url}") as module:
            await create_tables(module.env.sql(url), [module.store])
            await module.child_init(module.env)
            cache = module.env.cache("sql:g")
            assert module.env.cache("sql") is cache and await cache.get("k") is None
            await cache.set("k", "it's é", 10)
            await cache.set("k", "other", 20)
            assert await cache.get("k") == "other"
            assert [await cache.add("n", 5), await cache.add("n", -7, 10), await cache.add("n", 1)] == [5, -2, -1]
            assert await cache.get("n") == "-1" and await cache.counter("n") == -1
            await cache.set("n2", "41")
            assert await cache.add("n2", 1) == 42
            assert sorted(await asyncio.gather(*(cache.add("many", 1) for _ in range(8)))) == list(range(1, 9)) \
                if kind != "sqlite" else True
            now += 10
            assert await cache.get("n") is None and await cache.add("n", 3) == 3, "what has ended counts from the start"
            assert await cache.counter("none") is None
            assert await cache.raw_query("select keyname from cachedb where keyname = 'k'") == [["k"]]
            assert await cache.remove("k2") is False and await cache.remove("n2") is True
            now += 10
            await module.clean()
            assert await cache.raw_query("select count(*) from cachedb where keyname = 'k'") == [[0]]
            with pytest.raises(StoreError, match="none"):
                await cache.raw_query("select x from none")


async def test_the_embedded_database_gets_its_table(tmp_path: Path) -> None:
    async with module_of() as module:
        sql = module.env.sql(f"sqlite:///{tmp_path}/a.db")
        module.env.sql = lambda url: sql
        await module.child_init(module.env)
        await module.env.cache("sql").set("k", "v")
        assert await module.env.cache("sql").get("k") == "v"
        await sql.close()


@pytest.mark.parametrize(("text", "expected"), [
    ("sql:g-mysql://u:p@h/db", ("g", "mysql://u:p@h/db")), ("sql-sqlite:///x.db", ("", "sqlite:///x.db")),
    ("sql:g://", ("g", "")), ("sql:g:///", ("g", ""))])
def test_urls(text: str, expected: tuple[str, str]) -> None:
    assert parse_url(text) == expected


@pytest.mark.parametrize("urls", [("redis://x/",), ("sql:a-sqlite:///x", "sql:a-sqlite:///y")])
async def test_bad_urls(urls: tuple[str, ...]) -> None:
    with pytest.raises(ModuleError):
        async with module_of(*urls):
            pass
