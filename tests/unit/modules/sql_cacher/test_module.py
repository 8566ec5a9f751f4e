"""Rows from a cache: as a whole and on demand, in scripts, by the local cache and by Redis."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from kit.peer import HOST
from kit.redis import redis_server
from kit.script import ScriptBook, faults_of

from osip.api import MIError, ModuleError
from osip.core.store.sql import Stores

TABLE = "create table people (name text, age integer, number integer, note text)"
ROWS = [{"name": f"u{n}", "age": 20 + n, "number": n, "note": None if n % 2 else f"n{n}"} for n in range(7)]
INSERT = "insert into people values (:name, :age, :number, :note)"


@asynccontextmanager
async def cached(folder: Path, entry: str, script: str = "route { }", extra: str = "", **params: Any) -> AsyncIterator[Any]:
    url = f"sqlite:///{folder}/a.db"
    words = " ".join(f'modparam("sql_cacher", "{name}", {value})' for name, value in params.items())
    text = f'{extra} {words} modparam("sql_cacher", "spec_delimiter", "|") ' \
           f'modparam("sql_cacher", "cache_table", "db_url={url}|table=people|{entry}") {script}'
    book = ScriptBook(text, "tm", "sl", "sql_cacher", *(["cachedb_redis"] if extra else []))
    stores = Stores(book.env.config)
    book.env.sql = stores.sql
    sql = stores.sql(url)
    if not await sql.fetch("select name from sqlite_master"):
        await sql.execute(TABLE)
        await sql.execute(INSERT, ROWS)
    for name in ("cachedb_redis", "sql_cacher"):
        if name in book.modules:
            await book.modules[name].child_init(book.env)
    book.said.clear()
    try:
        yield book, sql
    finally:
        for module in book.modules.values():
            await module.destroy()
        await stores.close()


BRANCHES = count()


async def run(book: ScriptBook, lines: int = 1) -> list[str]:
    number = next(BRANCHES)
    book.recv("OPTIONS", branch=f"z9hG4bK-{number}", call_id=f"call-{number}")
    for _ in range(1000):
        await asyncio.sleep(0.005)
        if len(book.said) >= lines:
            break
    found = list(book.said)
    book.said.clear()
    return found


SCRIPT = 'route { $var(k) = "u2"; xlog("$sql_cached_value(p:age:u1) $sql_cached_value(p:note:u2) ' \
         '$sql_cached_value(p:note:u1) $sql_cached_value(p:age:none)"); exit; }'


@pytest.mark.parametrize("demand", [0, 1])
@pytest.mark.parametrize("delay", ["local", "redis"])
async def test_in_a_script(tmp_path: Path, demand: int, delay: str, request: pytest.FixtureRequest) -> None:
    if delay == "redis":
        with redis_server(tmp_path) as (_, port):
            extra = f'modparam("cachedb_redis", "cachedb_url", "redis:x://{HOST}:{port}/")'
            async with cached(tmp_path, f"id=p|key=name|on_demand={demand}|cachedb_url=redis:x", SCRIPT, extra) as (book, _):
                assert await run(book) == ["21 n2 <null> <null>"]
        return
    async with cached(tmp_path, f"id=p|key=name|on_demand={demand}", SCRIPT) as (book, sql):
        assert await run(book) == ["21 n2 <null> <null>"]
        await sql.execute("update people set age = 99 where name = 'u1'")
        assert await run(book) == ["21 n2 <null> <null>"], "it is cached"
        await book.modules["sql_cacher"].reload("p", "u1")
        assert (await run(book))[0].startswith("99 ")
        await sql.execute("update people set age = 98 where name = 'u1'")
        await sql.execute("delete from people where name = 'u2'")
        await book.modules["sql_cacher"].reload("p")
        assert await run(book) == ["98 <null> <null> <null>"]


test_in_a_script = pytest.mark.peer("redis")(test_in_a_script)


async def test_keys_may_be_variables_and_numbers(tmp_path: Path) -> None:
    script = 'route { $var(k) = 3; $var(x) = "n:age:" + $var(k); if ($sql_cached_value($var(x)) == 23) xlog("yes"); ' \
             '$var(out) = $sql_cached_value(n:name:4); xlog("$var(out) $sql_cached_value(n:name:no)"); exit; }'
    async with cached(tmp_path, "id=n|key=number|key_type=int|on_demand=1|columns=name age", script) as (book, _):
        assert await run(book, 2) == ["yes", "u4 <null>"]


async def test_a_key_within_a_text(tmp_path: Path) -> None:
    script = 'route { $var(k) = "u5"; xlog("$sql_cached_value(p:age:$var(k))"); exit; }'
    assert not faults_of(script, "tm", "sl", "sql_cacher")
    async with cached(tmp_path, "id=p|key=name", script) as (book, _):
        assert await run(book) == ["25"]


async def test_pieces_and_ends(tmp_path: Path) -> None:
    async with cached(tmp_path, "id=p|key=name|expire=5", sql_fetch_nr_rows=2, full_caching_expire=100,
                      reload_interval=10) as (book, sql):
        module, cache = book.modules["sql_cacher"], book.env.cache("local")
        assert cache.get("sql_cacher_all:p") == "7"
        await sql.execute("delete from people where number < 3")
        book.env.now += 89
        await module.reload_what_ends()
        assert cache.get("sql_cacher_all:p") == "7"
        book.env.now += 2
        await module.reload_what_ends()
        assert cache.get("sql_cacher_all:p") == "4" and cache.get("sql_cacher:p:u1") is None
        book.env.now += 50
        assert cache.get("sql_cacher_all:p") == "4", "its time began anew"


async def test_dump(tmp_path: Path) -> None:
    script = 'route { $var(n) = 0; sql_cache_dump("p", "name,age", "$avp(n),$avp(a)"); $var(rc) = $rc; ' \
             'xlog("$var(rc) $avp(n) $(avp(a)[6])"); ' \
             'if (!sql_cache_dump("p", "none", "$avp(n)")) xlog("no"); if (!sql_cache_dump("q", "a", "$avp(n)")) xlog("q"); exit; }'
    async with cached(tmp_path, "id=p|key=name", script) as (book, _):
        said = [line for line in await run(book, 5) if not line.startswith("sql_cacher")]
        assert said == ["7 u0 26", "no", "q"]


async def test_a_database_that_is_gone_gives_null(tmp_path: Path) -> None:
    async with cached(tmp_path, "id=p|key=name|on_demand=1", SCRIPT) as (book, sql):
        await sql.execute("drop table people")
        said = await run(book, 2)
        assert said[-1] == "<null> <null> <null> <null>" and "no such table" in said[0] and len(said) == 2
        with pytest.raises(MIError):
            await book.modules["sql_cacher"].reload("p", "u1")
        with pytest.raises(MIError, match="there are p"):
            await book.modules["sql_cacher"].reload("q")


async def test_no_table_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="nothing"):
        async with cached(tmp_path, "id=p|key=name|table=nothing"):
            pass
