"""memcached by a real server."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kit.memcached import memcached
from kit.peer import HOST, free_port
from kit.playbook import make_worker

from osip.api import ModuleError, StoreError, parse_cache_url
from osip.modules.cachedb_memcached import CachedbMemcached
from osip.modules.cachedb_memcached.module import key_of

pytestmark = pytest.mark.peer("memcached")


@asynccontextmanager
async def caches(*urls: str, **params: Any) -> AsyncIterator[Any]:
    worker, _, _ = make_worker((CachedbMemcached,), {"cachedb_memcached": {
        "cachedb_url": [parse_cache_url(url) for url in urls], **params}})
    try:
        yield worker.env
    finally:
        await worker.env.modules["cachedb_memcached"].destroy()


async def test_words(tmp_path: Path) -> None:
    with memcached(tmp_path) as (_, one), memcached(tmp_path) as (_, two):
        async with caches(f"memcached:a://{HOST}:{one},{HOST}:{two}/") as env:
            cache = env.cache("memcached:a")
            assert env.cache("memcached") is cache and await cache.get("k") is None
            long = "a key with blanks " * 50
            for key in ("k", long, "é\udcff"):
                await cache.set(key, f"of\r\n{key}", 100)
                assert await cache.get(key) == f"of\r\n{key}" and await cache.remove(key) and not await cache.remove(key)
            assert [await cache.add("n", 5, 100), await cache.add("n", 6), await cache.add("n", -9),
                    await cache.add("n", -9)] == [5, 11, 2, 0]
            assert await cache.get("n") == "0" and await cache.add("below", -3) == 0
            await asyncio.gather(*(cache.set(f"k{n}", n) for n in range(500)))
            assert await asyncio.gather(*(cache.get(f"k{n}") for n in range(500))) == [str(n) for n in range(500)]
            await cache.set("text", "x")
            with pytest.raises(StoreError, match="non-numeric"):
                await cache.add("text", 1)
            with pytest.raises(StoreError, match="bytes"):
                await cache.set("big", "x" * 1_100_000)
            assert await cache.get("text") == "x", "the connection lives on"


async def test_ends(tmp_path: Path) -> None:
    with memcached(tmp_path) as (_, port):
        async with caches(f"memcached://{HOST}:{port}/") as env:
            cache = env.cache("memcached")
            await cache.set("k", "v", 1)
            await cache.set("later", "v", 40 * 86400)
            for _ in range(300):
                if await cache.get("k") is None:
                    break
                await asyncio.sleep(0.02)
            assert await cache.get("k") is None and await cache.get("later") == "v"


async def test_a_server_that_dies_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    async with caches(f"memcached://{HOST}:{port}/") as env:
        cache = env.cache("memcached")
        with pytest.raises(StoreError, match=f"{port}"):
            await cache.get("k")
        for _ in range(2):
            with memcached(tmp_path, port):
                for _ in range(300):
                    try:
                        await cache.set("k", "v")
                        break
                    except StoreError:
                        await asyncio.sleep(0.02)
                assert await cache.get("k") == "v"
            with pytest.raises(StoreError):
                await cache.get("k")


async def test_one_that_says_nothing_gives_no_answer_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osip.modules.cachedb_memcached.module.SECONDS", 0.1)
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        if len(seen) > 1:
            writer.write(b"VALUE b 0 1\r\nB\r\nEND\r\n")
    server = await asyncio.start_server(serve, HOST, 0)
    async with caches(f"memcached://{HOST}:{server.sockets[0].getsockname()[1]}/") as env:
        cache = env.cache("memcached")
        with pytest.raises(StoreError, match=r"within 0\.1"):
            await cache.get("a")
        for _ in range(100):
            try:
                assert await cache.get("b") == "B"
                break
            except StoreError:
                await asyncio.sleep(0.02)
        assert seen == [b"get a\r\n", b"get b\r\n"]
    server.close()


@pytest.mark.parametrize("urls", [("redis://a/",), ("memcached://a/", "memcached://b/")])
async def test_bad_urls(urls: tuple[str, ...]) -> None:
    with pytest.raises(ModuleError):
        async with caches(*urls):
            pass


def test_keys() -> None:
    assert key_of("a") == b"a" and len(key_of("a b")) == 69 and key_of("a b") != key_of("a  b") and len(key_of("x" * 251)) < 80
