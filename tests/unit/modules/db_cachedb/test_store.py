"""Tables in a real Redis."""
from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa
from kit.location import written
from kit.redis import ask, redis_server
from kit.registration import Office

from osip.api import StoreError, parse_cache_url
from osip.modules.cachedb_redis.cache import RedisCache
from osip.modules.cachedb_redis.link import Settings
from osip.modules.db_cachedb.store import CacheStore

pytestmark = [pytest.mark.timeout(60), pytest.mark.peer("redis")]
T = sa.table("users", sa.column("name"), sa.column("domain"), sa.column("age"))
ALL = sa.select(T.c.name, T.c.age)
OF = ALL.where(T.c.name == sa.bindparam("n"), T.c.domain == "a.com")


@asynccontextmanager
async def store(folder):
    with redis_server(folder) as (_, port):
        cache = RedisCache(parse_cache_url(f"redis://127.0.0.1:{port}/"), Settings(query_timeout=2))
        yield CacheStore("cachedb://redis:x", cache), port
        await cache.close()


async def test_rows_come_change_and_go(tmp_path):
    async with store(tmp_path) as (sql, port):
        await sql.ping()
        rows = [{"name": f"u{n}", "domain": "a.com" if n % 2 else "b.com", "age": n} for n in range(20)]
        assert await sql.execute(T.insert(), rows) == 20 and await sql.execute(T.insert(), []) == 0
        assert len(await sql.fetch(ALL)) == 20
        assert await sql.fetch(OF, {"n": "u3"}) == [{"name": "u3", "age": 3}] and await sql.fetch(OF, {"n": "u4"}) == []
        assert set(ask(port, "smembers", "osip:db:{users}:indexed").split()) == {"name", "domain"}
        assert await sql.execute(T.update().values(name="x").where(T.c.name == "u3")) == 1     # the index follows
        assert await sql.fetch(OF, {"n": "u3"}) == [] and await sql.fetch(OF, {"n": "x"}) == [{"name": "x", "age": 3}]
        assert await sql.execute(T.delete().where(T.c.name.in_(["x", "u5", "no"]))) == 2
        assert await sql.fetch(OF, {"n": "x"}) == [] and len(await sql.fetch(ALL)) == 18
        assert ask(port, "exists", "osip:db:{users}:by:name:x") == "0"
        assert await sql.fetch(ALL.where(T.c.name.in_([]))) == []
        assert [row["age"] for row in await sql.fetch(ALL.where(T.c.age > 16).order_by(T.c.age.desc()))] == [19, 18, 17]


async def test_what_changes_together_is_stored_together(tmp_path):
    async with store(tmp_path) as (sql, port):
        await sql.execute(T.insert(), {"name": "n", "age": 0})

        def count(connection):
            [row] = connection.execute(ALL.where(T.c.name == "n")).mappings().all()
            assert connection.execute(T.update().values(age=row["age"] + 1).where(T.c.name == "n")).rowcount == 1
            return row["age"]
        await asyncio.gather(*(sql.run(count) for _ in range(4)))       # nobody's addition is lost
        assert await sql.fetch(ALL) == [{"name": "n", "age": 4}]

        def fails(connection):
            connection.execute(T.delete())
            raise StoreError("no")
        with pytest.raises(StoreError, match="no"):
            await sql.run(fails)
        assert len(await sql.fetch(ALL)) == 1
        assert await sql.run(lambda connection: connection.execute(ALL).scalar()) == "n"


async def test_others_change_all_the_time_rows_are_broken_and_redis_is_gone(tmp_path):
    async with store(tmp_path) as (sql, port):
        await sql.execute(T.insert(), {"name": "n", "age": 0})
        good, sql._store = sql._store, lambda changes: asyncio.sleep(0, False)
        with pytest.raises(StoreError, match="others change"):
            await sql.execute(T.delete())
        sql._store = good
        ask(port, "hset", "osip:db:{users}:rows", "9", '{"name": "?"}')
        with pytest.raises(StoreError, match="a row of users is broken"):
            await sql.fetch(ALL)
        ask(port, "shutdown", "nosave")
        with pytest.raises(StoreError, match="redis"):
            await sql.fetch(ALL)


@pytest.mark.parametrize("mode", ["single-instance-sql-write-through", "sql-only"])
async def test_contacts(tmp_path, mode):
    """Usrloc asks as it asks SQL."""
    async with store(tmp_path) as (sql, port):
        for turn in (1, 2):
            office = Office({"usrloc": {"working_mode_preset": mode}}, db_default_url="cachedb://redis:x")
            office.env.sql = lambda url="": sql
            office.usrloc.monotonic = lambda office=office: office.env.now
            await office.usrloc.child_init(office.env)
            if turn == 2 and mode != "sql-only":
                assert office.uris() == ["sip:bob@10.0.0.1"]
            code = office.register(cseq=turn, expires=900 if turn == 1 else 0)
            if mode == "sql-only":
                office.code = await office.code
            else:
                await written(office)
            assert office.code == 1 and ask(port, "hlen", "osip:db:{location}:rows") == str(2 - turn), code
            await office.usrloc.destroy()
            await office.env.finish_tasks()
