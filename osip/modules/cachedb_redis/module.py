"""Declare cachedb_redis: parameters, management, statistics."""
from __future__ import annotations

from typing import Any

from osip.api import (
    CacheUrl,
    Env,
    MIError,
    Module,
    ModuleError,
    Scope,
    StoreError,
    event,
    gauge,
    mi,
    param,
    parse_cache_url,
)
from osip.modules.cachedb_redis.cache import RedisCache
from osip.modules.cachedb_redis.link import Settings, number_of

SEARCH = "there is no search over JSON: contacts are kept in hashes"


class CachedbRedis(Module):
    """A key-value cache in Redis: `cache_store("redis", ...)`, or `"redis:group"`.

    `redis:group://[user:password@]host:port/db`. Several hosts with commas are tried in order, replicas left out. A
    cluster is recognised by itself (`?cluster=1` or `0` says so); `?sentinel=name` makes the hosts sentinels that know
    the master of this name. `?ca=file&cert=file&key=file` are for TLS.
    """

    connect_timeout = param(5000, ge=1, doc="Milliseconds until a connection has to be there.")
    query_timeout = param(5000, ge=1, doc="Milliseconds until an answer has to be there.")
    shutdown_on_error = param(0, ge=0, le=1, doc="1: do not start when a server cannot be reached.")
    lazy_connect = param(0, ge=0, le=1, doc="1: connect when something is first asked, not at the start.")
    cachedb_url = param(multiple=True, kind=str, parse=parse_cache_url, doc="Server, redis:group://host:port/db.")
    use_tls = param(0, ge=0, le=1, doc="1: connect by TLS.")
    exec_threshold = param(0, ge=0, doc="Warn of questions that take longer (microseconds).")
    ftsearch_index_name = param("idx:usrloc", removed=SEARCH, doc="No effect.")
    ftsearch_json_prefix = param("usrloc:", removed=SEARCH, doc="No effect.")
    ftsearch_max_results = param(10000, removed=SEARCH, doc="No effect.")
    ftsearch_json_mset_expire = param(3600, removed=SEARCH, doc="No effect.")
    redis_keepalive = param(10, ge=0, doc="Seconds between two looks of the kernel whether a connection lives; 0 none.")

    threshold_event = event("E_CORE_THRESHOLD", "A question took longer than exec_threshold.", source=str, time=int, extra=str)

    def mod_init(self) -> None:
        """Sort the servers by group."""
        self._urls: dict[str, CacheUrl] = {}
        self._caches: dict[str, RedisCache] = {}
        try:
            for url in self.cachedb_url:
                if url.scheme != "redis":
                    raise ModuleError(f'cachedb_redis: cachedb_url "{url.scheme}:" is not for this module')
                if url.group in self._urls:
                    raise ModuleError(f'cachedb_redis: two cachedb_urls have the group "{url.group}"')
                number_of(url)
                self._urls[url.group] = url
        except StoreError as error:
            raise ModuleError(f"cachedb_redis: {error}") from None
        self._settings = Settings(self.connect_timeout / 1000, self.query_timeout / 1000, self.redis_keepalive,
                                  bool(self.use_tls))
        self.env.caches.register("redis", self._by_group, self._by_url)

    async def child_init(self, env: Env) -> None:
        """Connect, unless that is to wait; a server that is not there is told, and found when it comes."""
        if self.lazy_connect:
            return
        for url in self._urls.values():
            try:
                await env.cache(url.id).open()
            except StoreError as error:
                if self.shutdown_on_error:
                    raise ModuleError(f"cachedb_redis: {error}") from None
                env.log.error("cachedb_redis: %s: asked again when it is needed", error)

    async def destroy(self) -> None:
        """Close all connections."""
        for cache in self._caches.values():
            await cache.close()

    def _by_group(self, group: str) -> RedisCache:
        url = self._urls.get(group)
        if url is None and not group and self._urls:
            url = next(iter(self._urls.values()))       # "redis" alone: the first
        if url is None:
            raise StoreError(f'no cachedb_url of cachedb_redis has the group "{group}"')
        return self._made(url)

    def _by_url(self, text: str) -> RedisCache:
        try:
            return self._made(parse_cache_url(text))
        except ValueError as error:
            raise StoreError(str(error)) from None

    def _made(self, url: CacheUrl) -> RedisCache:
        key = repr(url)
        if key not in self._caches:
            self._caches[key] = RedisCache(url, self._settings, self.exec_threshold, self._slow,
                                           self.env.caches.tally)
        return self._caches[key]

    def _slow(self, name: str, what: str, took: int) -> None:
        self.env.log.warning("slow query store=%s command=%s microseconds=%d", name, what, took)
        self.threshold_event(source="cachedb_redis query", time=took, extra=what)

    # --- statistics --------------------------------------------------------------------------------------------------

    @gauge()
    def redis_queries(self) -> int:
        """Commands asked."""
        return sum(cache.queries for cache in self._caches.values())

    @gauge()
    def redis_queries_failed(self) -> int:
        """Commands that failed."""
        return sum(cache.failed for cache in self._caches.values())

    @gauge()
    def redis_moved(self) -> int:
        """Redirections by a cluster."""
        return sum(cache.moved for cache in self._caches.values())

    @gauge()
    def redis_topology_refreshes(self) -> int:
        """Looks at the topology of a cluster."""
        return sum(cache.refreshes for cache in self._caches.values())

    # --- management --------------------------------------------------------------------------------------------------

    def _asked(self, group: str | None) -> list[RedisCache]:
        if group is not None and group not in self._urls:
            raise MIError(404, f'no cachedb_url has the group "{group}"')
        return [self._by_group(group)] if group is not None else [self._made(url) for url in self._urls.values()]

    async def _each(self, group: str | None, what: str) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        for cache in self._asked(group):
            entry: dict[str, Any] = {"group": cache.url.group, "url": cache.name}
            try:
                entry["nodes"] = await getattr(cache, what)()
            except StoreError as error:
                entry["error"] = str(error)
            out.append(entry)
        return out

    @mi(aliases=("redis_cluster_info",))
    async def redis_cluster_info(self, group: str | None = None) -> list[dict[str, Any]]:
        """Show the servers of each group, with the slots that they hold in a cluster."""
        return await self._each(group, "nodes")

    @mi(aliases=("redis_cluster_refresh",), scope=Scope.EACH)
    async def redis_cluster_refresh(self, group: str | None = None) -> None:
        """Connect anew and learn the topology."""
        try:
            for cache in self._asked(group):
                await cache.refresh()
        except StoreError as error:
            raise MIError(500, str(error)) from None

    @mi(aliases=("redis_ping_nodes",))
    async def redis_ping_nodes(self, group: str | None = None) -> list[dict[str, Any]]:
        """Ping the servers of each group."""
        return await self._each(group, "ping")
