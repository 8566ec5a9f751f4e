"""Nodes that find each other's users in one real Redis; contacts stay where they registered."""
from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from kit.playbook import FakeProgram
from kit.redis import ask, redis_server
from kit.registration import Office

from osip.api import LocalSocket, ModuleError, StoreError, parse_cache_url
from osip.modules.cachedb_redis.cache import RedisCache
from osip.modules.cachedb_redis.link import Settings
from osip.modules.usrloc.federation import FederationKeeper, address_of

pytestmark = pytest.mark.timeout(60)
BOB = "bob@example.com"
HOME = FederationKeeper.home_key("location", BOB)


@pytest.mark.parametrize(("text", "sockets", "wanted"), [
    ("sip:10.9.9.9:5070;transport=tcp", None, "sip:10.9.9.9:5070;transport=tcp"),
    ("", [LocalSocket("tcp", "10.0.0.9", 5060), LocalSocket("udp", "10.0.0.9", 5062)], "sip:10.0.0.9:5062"),
    ("", [LocalSocket("tcp", "::1", 5060)], "sip:[::1]:5060;transport=tcp")])
def test_the_own_address(text, sockets, wanted):
    office = Office({"usrloc": {"federation_address": text}}, sockets=sockets)
    assert address_of(office.usrloc, office.env) == wanted


@pytest.mark.parametrize("text", ["10.0.0.5:5060", "tel:+1"])
def test_an_address_that_is_none(text):
    office = Office({"usrloc": {"federation_address": text}})
    with pytest.raises(ModuleError, match="no SIP URI"):
        address_of(office.usrloc, office.env)


@asynccontextmanager
async def node(port, number, killed=False):
    """Give a node with a clock of its own that shows the real time."""
    office = Office({"usrloc": {"working_mode_preset": "federation-cachedb-cluster", "cachedb_url": f"redis://127.0.0.1:{port}/",
                                "federation_address": f"sip:node{number}"}}, FakeProgram())
    caches = []

    def cache(url):
        caches.append(RedisCache(parse_cache_url(url), Settings(query_timeout=1)))
        return caches[-1]
    office.env.cache = cache
    office.env.now = office.clock.now = time.monotonic()
    await office.usrloc.child_init(office.env)
    try:
        yield office
    finally:
        if not killed:
            await office.usrloc.destroy()
        await office.env.finish_tasks()
        for one in caches:
            await one.close()


async def until(check):
    async with asyncio.timeout(15):
        while not check():
            await asyncio.sleep(0.01)


async def homes(office, aor=BOB):
    return await office.usrloc.homes("location", aor)


@pytest.mark.peer("redis")
async def test_contacts_stay_and_nodes_are_known(tmp_path):
    with redis_server(tmp_path) as (_, port):
        async with node(port, 1) as one, node(port, 2) as two:
            one.register("<sip:bob@10.0.0.1>;expires=100", call_id="a")
            await until(lambda: one.net.log)                    # the answer came when Redis had it
            assert await homes(two) == ["sip:node1"] and await homes(one) == [] and two.uris() == []
            two.register("<sip:bob@10.0.0.2>;expires=5000", call_id="b")
            await until(lambda: two.net.log)
            assert await homes(one) == ["sip:node2"] and await homes(two) == ["sip:node1"]
            assert 4_900_000 < int(ask(port, "pttl", HOME)) <= 5_000_000
            one.register("<sip:bob@10.0.0.1>;expires=0", call_id="a", cseq=2)
            await until(lambda: len(one.net.log) == 2)
            assert await homes(two) == [] and ask(port, "hlen", HOME) == "1"
            two.env.now += 6000                                 # expires, and is swept away
            two.usrloc.sweep()
            await until(lambda: ask(port, "exists", HOME) == "0")


@pytest.mark.peer("redis")
async def test_a_node_that_was_killed_finds_its_contacts(tmp_path):
    with redis_server(tmp_path) as (_, port):
        async with node(port, 1, killed=True) as one:
            for number in range(50):
                one.register(f"<sip:u{number}@10.0.0.1>", aor=f"sip:u{number}@example.com", call_id=f"c{number}")
            await until(lambda: len(one.net.log) == 50)
        async with node(port, 1) as again, node(port, 2) as other:
            assert len(again.usrloc.domain("location").records) == 50 and not other.usrloc.domain("location").records
            assert await homes(other, "u7@example.com") == ["sip:node1"]


@pytest.mark.peer("redis")
async def test_redis_goes_away_and_comes_back_empty(tmp_path, monkeypatch):
    monkeypatch.setattr("osip.modules.usrloc.federation.LOOK_EVERY", 0.1)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with redis_server(tmp_path / "a") as (_, port):
        async with node(port, 1) as one, node(port, 2) as two:
            one.register("<sip:bob@10.0.0.1>")
            await until(lambda: one.net.log)
            assert await homes(two) == ["sip:node1"]
            ask(port, "flushall")                               # lost without anybody noticing
            await until(lambda: ask(port, "hlen", HOME) == "1")
            ask(port, "shutdown", "nosave")
            await until(lambda: one.usrloc.keeper.is_down)
            assert await homes(two) == ["sip:node1"]            # what Redis said last
            with pytest.raises(StoreError):
                await homes(two, "eve@example.com")
            one.register("<sip:al@10.0.0.1>", aor="sip:al@example.com", call_id="al")       # taken all the same
            await until(lambda: len(one.net.log) == 2)
            one.register("<sip:bob@10.0.0.1>;expires=0", cseq=2)
            with redis_server(tmp_path / "b", port=port):
                await until(lambda: not one.usrloc.keeper.is_down and ask(port, "hlen", HOME.replace("bob", "al")) == "1")
                await until(lambda: not two.usrloc.keeper._is_suspect)
                assert await homes(two, "al@example.com") == ["sip:node1"] and await homes(two) == []
                assert one.uris() == [] and await one.usrloc.keeper.check() == ""
