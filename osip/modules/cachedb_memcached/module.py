"""Declare cachedb_memcached, and spread keys over its servers."""
from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any
from zlib import crc32

from osip.api import (
    CacheUrl,
    Module,
    ModuleError,
    Remote,
    StoreError,
    Tally,
    event,
    hide_password,
    param,
    parse_cache_url,
)
from osip.modules.cachedb_memcached.client import Client, Refused

PORT, SECONDS = 11211, 3.0
MONTH = 30 * 86400
"""A longer time to live is read by memcached as a date."""
_SHRUNK = re.compile(rb"\d+ +")
_PLAIN = re.compile(rb"[\x21-\x7e\x80-\xff]{1,250}")


def key_of(text: str) -> bytes:
    """Return the key for a text: itself, or its hash when memcached would not take it."""
    raw = text.encode("utf-8", "surrogateescape")
    return raw if _PLAIN.fullmatch(raw) else b"osip:" + hashlib.sha256(raw).hexdigest().encode()


class MemcachedCache:
    """The servers of one URL; a key's hash says which one has it."""

    def __init__(self, url: CacheUrl, now: Callable[[], float], threshold: int,
                 slow: Callable[[str, str, int], None], tally: Tally | None = None) -> None:
        self._now = now
        self._servers = []
        for host, port in url.hosts or (("", 0),):
            host, port = host or "127.0.0.1", port or PORT
            name = hide_password(f"{url.id}://{host}:{port}")
            self._servers.append((Remote(name, SECONDS, threshold, slow, tally), Client(host, port)))

    async def _ask(self, what: str, key: str, ask: Callable[[Client, bytes], Awaitable[Any]]) -> Any:
        raw = key_of(key)
        remote, client = self._servers[crc32(raw) % len(self._servers)]
        remote.tally.total += 1
        return await remote.ask(what, lambda: ask(client, raw), (EOFError,), (Refused,))

    def _until(self, ttl: int) -> int:
        return 0 if ttl <= 0 else ttl if ttl < MONTH else int(self._now()) + ttl

    async def get(self, key: str) -> str | None:
        """Return a value, None when there is none."""
        found = await self._ask("get", key, lambda client, raw: client.get(raw))
        if found is not None and _SHRUNK.fullmatch(found):
            found = found.rstrip()          # a counter that lost a digit keeps its width by blanks
        return None if found is None else found.decode("utf-8", "surrogateescape")

    async def set(self, key: str, value: str | int, ttl: int = 0) -> None:
        """Store a value for `ttl` seconds (0 = for ever)."""
        text = str(value).encode("utf-8", "surrogateescape")
        await self._ask("set", key, lambda client, raw: client.store(b"set", raw, text, self._until(ttl)))

    async def add(self, key: str, amount: int, ttl: int = 0) -> int:
        """Add to a counter, made when absent; return its new value. memcached does not count below 0."""
        async def count(client: Client, raw: bytes) -> int:
            for _ in range(3):
                found = await client.count(b"incr" if amount >= 0 else b"decr", raw, abs(amount))
                if found is not None:
                    if ttl > 0:
                        await client.touch(raw, self._until(ttl))
                    return found
                first = max(0, amount)
                if await client.store(b"add", raw, str(first).encode(), self._until(ttl)):
                    return first
            raise Refused("the counter comes and goes")
        return int(await self._ask("add", key, count))

    async def remove(self, key: str) -> bool:
        """Remove a key; False when it was not there."""
        return bool(await self._ask("delete", key, lambda client, raw: client.delete(raw)))

    async def close(self) -> None:
        """Close all connections."""
        for _, client in self._servers:
            await client.close()


class CachedbMemcached(Module):
    """A key-value cache in memcached: `cache_store("memcached", ...)`, or `"memcached:group"`.

    Counters do not go below 0, and there are no raw queries: so memcached has it.
    """

    cachedb_url = param(multiple=True, kind=str, parse=parse_cache_url,
                        doc="Servers, memcached:group://host:port,host:port/; keys are spread over them.")
    exec_threshold = param(0, ge=0, doc="Warn of questions that take longer (microseconds).")

    threshold_event = event("E_CORE_THRESHOLD", "A question took longer than exec_threshold.", source=str, time=int, extra=str)

    def mod_init(self) -> None:
        """Sort the servers by group."""
        self._urls: dict[str, CacheUrl] = {}
        self._caches: dict[str, MemcachedCache] = {}
        for url in self.cachedb_url:
            if url.scheme != "memcached":
                raise ModuleError(f'cachedb_memcached: cachedb_url "{url.scheme}:" is not for this module')
            if url.group in self._urls:
                raise ModuleError(f'cachedb_memcached: two cachedb_urls have the group "{url.group}"')
            self._urls[url.group] = url
        self.env.caches.register("memcached", self._by_group, lambda text: self._made(parse_cache_url(text)))

    async def destroy(self) -> None:
        """Close all connections."""
        for cache in self._caches.values():
            await cache.close()

    def _by_group(self, group: str) -> MemcachedCache:
        url = self._urls.get(group)
        if url is None and not group and self._urls:
            url = next(iter(self._urls.values()))       # "memcached" alone: the first
        if url is None:
            raise StoreError(f'no cachedb_url of cachedb_memcached has the group "{group}"')
        return self._made(url)

    def _made(self, url: CacheUrl) -> MemcachedCache:
        key = repr(url)
        if key not in self._caches:
            self._caches[key] = MemcachedCache(url, self.env.wall, self.exec_threshold, self._slow,
                                               self.env.caches.tally)
        return self._caches[key]

    def _slow(self, name: str, what: str, took: int) -> None:
        self.env.log.warning("slow query store=%s command=%s microseconds=%d", name, what, took)
        self.threshold_event(source="cachedb_memcached query", time=took, extra=what)
