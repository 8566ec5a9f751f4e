"""Redis by real servers: words, failures, a server that comes back, Sentinel, Cluster."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kit.peer import HOST, free_port
from kit.playbook import make_worker
from kit.redis import ask, cluster, redis_server, sentinel

from osip.api import MIError, ModuleError, StoreError, parse_cache_url
from osip.modules.cachedb_redis import CachedbRedis

pytestmark = [pytest.mark.peer("redis"), pytest.mark.timeout(120)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    with redis_server(tmp_path) as (_, port):
        yield port


@asynccontextmanager
async def caches(*urls: str, **params: Any) -> AsyncIterator[Any]:
    worker, _, _ = make_worker((CachedbRedis,), {"cachedb_redis": {
        "cachedb_url": [parse_cache_url(url) for url in urls], "query_timeout": 1000, "connect_timeout": 1000, **params}})
    module: Any = worker.env.modules["cachedb_redis"]
    await module.child_init(worker.env)
    try:
        yield worker.env
    finally:
        await module.destroy()


async def test_words(server: int) -> None:
    async with caches(f"redis:one://{HOST}:{server}/3") as env:
        cache = env.cache("redis:one")
        assert env.cache("redis") is cache, "without a group, the first"
        assert await cache.get("k") is None
        await cache.set("k", "é\udcff", 50)
        assert await cache.get("k") == "é\udcff" and int(ask(server, "-n", "3", "ttl", "k")) in (49, 50)
        await cache.set("k", "v")
        assert ask(server, "-n", "3", "ttl", "k") == "-1"
        assert await cache.remove("k") and not await cache.remove("k")
        assert [await cache.add("n", 5), await cache.add("n", -7, 60), await cache.add("n", 1)] == [5, -2, -1]
        assert int(ask(server, "-n", "3", "ttl", "n")) in (59, 60)
        assert await cache.raw_query("HSET h a 1 'b c' 2") == [[2]]
        assert await cache.raw_query("HMGET h a 'b c' none") == [["1"], ["2"], [None]]
        assert await cache.raw_query("GET none") == []
        assert await env.cache(f"redis://{HOST}:{server}/3").get("n") == "-1"
        module = env.modules["cachedb_redis"]
        assert module.redis_queries() > 10 and module.redis_queries_failed() == 0


async def test_what_is_asked_together_goes_out_together(server: int) -> None:
    async with caches(f"redis://{HOST}:{server}/") as env:
        cache = env.cache("redis")
        results = await asyncio.gather(*(cache.set(f"k{n}", n) for n in range(1200)), cache.add("text", 1))
        assert results[-1] == 1 and ask(server, "dbsize") == "1201"
        assert int(ask(server, "info", "clients").split("connected_clients:")[1].split()[0]) < 12
        found = await asyncio.gather(cache.get("k1199"), cache.add("k1", 1), cache.command("LPOP", "k1"),
                                     cache.get("k0"), return_exceptions=True)
        assert found[0] == "1199" and found[1] == 2 and found[3] == "0"
        assert isinstance(found[2], StoreError) and "WRONGTYPE" in str(found[2]), "one that is wrong costs no other"


@pytest.mark.parametrize("query", ["", "GET 'x", "NOSUCH x", "GET"])
async def test_bad_queries(server: int, query: str) -> None:
    async with caches(f"redis://{HOST}:{server}/") as env:
        with pytest.raises(StoreError):
            await env.cache("redis").raw_query(query)
        await env.cache("redis").set("still", "there")


async def test_passwords(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--requirepass", "se:cret") as (_, port):
        async with caches(f"redis:a://:se%3Acret@{HOST}:{port}/", f"redis:b://{HOST}:{port}/",
                          f"redis:c://se%3Acret@{HOST}:{port}/", f"redis:d://x:wrong@{HOST}:{port}/") as env:
            await env.cache("redis:a").set("k", "v")
            assert await env.cache("redis:c").get("k") == "v"
            for group in "bd":
                with pytest.raises(StoreError) as caught:
                    await env.cache(f"redis:{group}").get("k")
                assert "wrong" not in str(caught.value).partition(": ")[0]


async def test_a_server_that_dies_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    async with caches(f"redis://{HOST}:{port}/", lazy_connect=1) as env:
        cache = env.cache("redis")
        with pytest.raises(StoreError, match="111 connecting"):
            await cache.get("k")
        with pytest.raises(StoreError, match=f"{port}/ is down, asked again in"):
            await cache.get("k")
        with redis_server(tmp_path, port=port) as (first, _):
            await _until_it_answers(cache)
            await cache.set("k", "v")
            first.stop()
            with pytest.raises(StoreError):
                await cache.get("k")
        with redis_server(tmp_path, port=port):
            await _until_it_answers(cache)
            assert await cache.get("k") is None


async def test_a_server_that_hangs(server: int) -> None:
    async with caches(f"redis://{HOST}:{server}/", query_timeout=200) as env:
        cache = env.cache("redis")
        await cache.set("k", "v")
        ask(server, "client", "pause", "1500", "all")
        with pytest.raises(StoreError):
            await cache.get("k")
        await _until_it_answers(cache)


async def _until_it_answers(cache: Any) -> None:
    for _ in range(300):
        try:
            await cache.get("any")
            return
        except StoreError:
            await asyncio.sleep(0.05)
    raise AssertionError("it never came back")


async def test_the_start(server: int) -> None:
    dead = free_port()
    with pytest.raises(ModuleError, match=str(dead)):
        async with caches(f"redis://{HOST}:{dead}/", shutdown_on_error=1):
            pass
    async with caches(f"redis://{HOST}:{dead},{HOST}:{server}/") as env:
        await env.cache("redis").set("k", "by the second")
    assert ask(server, "get", "k") == "by the second"


@pytest.mark.parametrize("urls", [("local://",), ("redis://a/", "redis://b/"), ("redis://a/nonsense",)])
async def test_bad_urls(urls: tuple[str, ...]) -> None:
    with pytest.raises(ModuleError):
        async with caches(*urls, lazy_connect=1):
            pass


async def test_management(server: int) -> None:
    async with caches(f"redis:x://{HOST}:{server}/") as env:
        module = env.modules["cachedb_redis"]
        entry, = await module.redis_ping_nodes()
        assert entry["nodes"] == [{"ip": HOST, "port": server, "status": "reachable"}] and entry["group"] == "x"
        assert (await module.redis_cluster_info("x"))[0]["nodes"][0]["role"] == "master"
        assert await module.redis_cluster_refresh() is None
        with pytest.raises(MIError, match="group"):
            await module.redis_cluster_info("y")


async def test_slow_questions_are_told(server: int) -> None:
    async with caches(f"redis://{HOST}:{server}/", exec_threshold=1) as env:
        told: list[Any] = []
        env.events.raise_event = lambda name, values: told.append((name, values["extra"]))
        await env.cache("redis").get("k")
        assert told[-1] == ("E_CORE_THRESHOLD", "GET")


async def test_cluster(tmp_path: Path) -> None:
    with cluster(tmp_path) as nodes:
        async with caches(f"redis:c://{HOST}:{nodes[0][1]},{HOST}:{nodes[1][1]}/") as env:
            cache, module = env.cache("redis:c"), env.modules["cachedb_redis"]
            await asyncio.gather(*(cache.set(f"key{n}", n, 100) for n in range(60)))
            assert [await cache.get(f"key{n}") for n in range(60)] == [str(n) for n in range(60)]
            assert await asyncio.gather(*(cache.add(f"key{n}", 1, 50) for n in range(60))) == list(range(1, 61))
            sizes = [int(ask(port, "dbsize")) for _, port in nodes]
            assert sum(sizes) == 60 and min(sizes) > 5
            entry, = await module.redis_cluster_info()
            assert sorted(node["slots"] for node in entry["nodes"]) == ["0-5460", "10923-16383", "5461-10922"]
            assert {node["status"] for node in (await module.redis_ping_nodes())[0]["nodes"]} == {"reachable"}
            slot = ask(nodes[0][1], "cluster", "keyslot", "key1")
            await cache.remove("key1")
            owner = next(node["port"] for node in entry["nodes"]
                         if int(node["slots"].split("-")[0]) <= int(slot) <= int(node["slots"].split("-")[1]))
            other = next(port for _, port in nodes if port != owner)
            ids = {port: ask(port, "cluster", "myid") for _, port in nodes}
            assert ask(other, "cluster", "setslot", slot, "importing", ids[owner]) == "OK"
            assert ask(owner, "cluster", "setslot", slot, "migrating", ids[other]) == "OK"
            for port in (other, owner):         # the slot moves while nobody tells the client
                assert ask(port, "cluster", "setslot", slot, "node", ids[other]) == "OK"
            await cache.set("key1", "moved")
            assert ask(other, "get", "key1") == "moved"
            assert module.redis_moved() >= 1 and module.redis_topology_refreshes() >= 1


async def test_sentinel(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "watch")]
    for folder in folders:
        folder.mkdir()
    with (redis_server(folders[0]) as (first, one),
          redis_server(folders[1], "--replicaof", HOST, str(one), "--repl-diskless-sync-delay", "0") as (_, two),
          sentinel(folders[2], "home", one) as watch):
        async with caches(f"redis:s://{HOST}:{watch}/?sentinel=home") as env:
            cache = env.cache("redis:s")
            await cache.set("k", "v")
            for _ in range(200):
                if ask(two, "get", "k") == "v" and "slaves=1" in ask(watch, "info", "sentinel"):
                    break
                await asyncio.sleep(0.05)
            first.stop()
            with pytest.raises(StoreError):
                await cache.get("k")
            for _ in range(400):
                try:
                    await cache.set("after", "failover")
                    break
                except StoreError:
                    await asyncio.sleep(0.05)
            assert ask(two, "get", "after") == "failover"
            assert (await env.modules["cachedb_redis"].redis_cluster_info())[0]["nodes"][0]["port"] == two
