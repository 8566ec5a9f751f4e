"""Contacts of several nodes in one Redis; two nodes in one process, the server is real."""
from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from kit.playbook import FakeProgram
from kit.redis import ask, redis_server
from kit.registration import Office

from osip.api import ModuleError, parse_cache_url
from osip.modules.cachedb_redis.cache import RedisCache
from osip.modules.cachedb_redis.link import Settings
from osip.modules.usrloc.cluster import keys_of_table, step_of

pytestmark = pytest.mark.timeout(60)
HASH, STREAM = keys_of_table("location")


def test_step_of():
    assert step_of("12-3") == (12, 3) and step_of("9-9") < step_of("10-0")


async def test_only_redis_will_do():
    office = Office({"usrloc": {"working_mode_preset": "full-sharing-cachedb-cluster", "cachedb_url": "local:x://"}})
    office.env.cache = office.env.caches.cache
    with pytest.raises(ModuleError, match="through Redis only"):
        await office.usrloc.child_init(office.env)


@asynccontextmanager
async def node(port, name):
    """Give a node with a clock of its own that shows the real time."""
    office = Office({"usrloc": {"working_mode_preset": "full-sharing-cachedb-cluster",
                                "cachedb_url": f"redis://127.0.0.1:{port}/"}}, FakeProgram())
    caches = []

    def cache(url):
        caches.append(RedisCache(parse_cache_url(url), Settings()))
        return caches[-1]
    office.env.cache = cache
    office.env.now = office.clock.now = time.monotonic()
    office.usrloc.keeper._node = name
    await office.usrloc.child_init(office.env)
    try:
        yield office
    finally:
        await office.usrloc.destroy()
        await office.env.finish_tasks()
        for one in caches:
            await one.close()


async def until(check):
    async with asyncio.timeout(15):
        while not check():
            await asyncio.sleep(0.01)


@pytest.mark.peer("redis")
async def test_nodes_tell_each_other(tmp_path):
    with redis_server(tmp_path) as (_, port):
        async with node(port, "one") as one, node(port, "two") as two:
            heard = []
            two.env.events.subscribe("E_UL_CONTACT_INSERT", "test:", lambda event, params: heard.append(params["uri"]))
            one.register("<sip:bob@10.0.0.1>;q=0.3", headers="Path: <sip:edge;lr>\r\n", flags="path-off")
            one.usrloc.ul_add_key(None, "location", "bob@example.com", "k", "v")
            await until(lambda: two.uris() == ["sip:bob@10.0.0.1"] and one.net.log)
            [here], [there] = (o.usrloc.domain("location").get("bob@example.com").contacts for o in (one, two))
            assert (here.id, here.q, here.path, here.call_id) == (there.id, there.q, there.path, there.call_id)
            assert there.expires == pytest.approx(here.expires, abs=0.1) and heard == ["sip:bob@10.0.0.1"]
            await until(lambda: there.record.kv == {"k": "v"})
            two.env.now = time.monotonic()
            two.register("<sip:bob@10.0.0.1>;q=0.9", cseq=2)              # renewed at the other one
            await until(lambda: here.q == 900)
            async with node(port, "three") as three:                    # one that comes late
                assert three.uris() == ["sip:bob@10.0.0.1"]
                three.env.now = time.monotonic()
                three.register("*", cseq=3, expires=0)
                await until(lambda: not one.uris() and not two.uris())
            assert ask(port, "hlen", HASH) == "0"


@pytest.mark.peer("redis")
async def test_an_old_version_does_not_replace_a_newer_one(tmp_path):
    with redis_server(tmp_path) as (_, port):
        async with node(port, "one") as one:
            one.register("<sip:bob@10.0.0.1>")
            await until(lambda: one.net.log)
            contact = one.usrloc.domain("location").get("bob@example.com").contacts[0]
            before = ask(port, "hget", HASH, str(contact.id))
            contact.modified -= 100
            one.usrloc.keeper.on_keys(contact.record)
            await one.usrloc.keeper.flush()
            assert ask(port, "hget", HASH, str(contact.id)) == before
            ask(port, "xadd", STREAM, "*", "n", "x", "o", "put", "i", "1", "v", "1 nonsense")       # somebody else's mistake
            ask(port, "hset", HASH, "2", "1 {}")
            await one.env.mi.run("ul_cluster_sync", [])
            one.register("<sip:c@10.0.0.1>", call_id="x")
            await until(lambda: len(one.net.log) == 2)
