"""Open the Redis client that a URL asks for, and find out which of several servers is to be used."""
from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from osip.api import CacheUrl, StoreError

PORT, SENTINEL_PORT = 6379, 26379
CONNECTIONS = 8
"""Connections of a worker to one server; what is asked at the same moment shares one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the module's parameters say of every connection; seconds."""
    connect_timeout: float = 5.0
    query_timeout: float = 5.0
    keepalive: int = 10
    use_tls: bool = False


class CountingCluster(RedisCluster):
    """A cluster client that counts redirections (MOVED) and how often it learned the topology anew."""

    moved = refreshes = 0

    @property
    def reinitialize_counter(self) -> int:
        """Count redirections since the last look at the topology."""
        return self.__dict__.get("_count", 0)

    @reinitialize_counter.setter
    def reinitialize_counter(self, value: int) -> None:
        if value > self.reinitialize_counter:
            self.moved += 1
        self.__dict__["_count"] = value

    async def initialize(self, *args: Any, **kwargs: Any) -> Any:
        """Learn the topology if it is not known."""
        if getattr(self, "_initialize", False):
            self.refreshes += 1
        return await super().initialize(*args, **kwargs)


def options_of(url: CacheUrl, settings: Settings) -> dict[str, Any]:
    """Return what every client of a URL is made with."""
    out: dict[str, Any] = {
        "username": url.user or None, "password": url.password or None, "encoding": "utf-8",
        "encoding_errors": "surrogateescape", "decode_responses": True, "protocol": 2,
        "socket_connect_timeout": settings.connect_timeout, "socket_timeout": settings.query_timeout,
        "retry": Retry(NoBackoff(), 0)}
    if settings.keepalive > 0:
        out |= {"socket_keepalive": True, "socket_keepalive_options": {
            getattr(socket, name): settings.keepalive for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL") if hasattr(socket, name)}}
    if settings.use_tls or "tls_domain" in url.options or "ca" in url.options:
        out |= {"ssl": True, "ssl_ca_certs": url.options.get("ca"), "ssl_certfile": url.options.get("cert"),
                "ssl_keyfile": url.options.get("key"), "ssl_check_hostname": "ca" not in url.options,
                "ssl_min_version": ssl.TLSVersion.TLSv1_2}
    return out


def number_of(url: CacheUrl) -> int:
    """Return the number of the database; StoreError when the path is none."""
    if not url.path.isdecimal() and url.path:
        raise StoreError(f'redis: "{url.path}" is no number of a database: write redis:group://host:6379/0')
    return int(url.path or 0)


async def connect(url: CacheUrl, settings: Settings) -> Any:
    """Return a client that has answered: Cluster, Sentinel's master, or the first of the servers that takes writes."""
    options = options_of(url, settings)
    hosts = [(host or "127.0.0.1", port) for host, port in url.hosts] or [("127.0.0.1", 0)]
    master = url.options.get("sentinel")
    if master is not None:
        return await _by_sentinel(hosts, master or "mymaster", number_of(url), options)
    cluster = url.options.get("cluster")
    if cluster is not None and cluster != "0":
        return await _cluster(hosts, options)
    reasons = []
    for host, port in hosts:
        client = Redis(host=host, port=port or PORT, db=number_of(url), max_connections=CONNECTIONS, **options)
        try:
            if cluster is None and (await client.info("cluster")).get("cluster_enabled"):
                await client.aclose()
                return await _cluster(hosts, options)
            if len(hosts) == 1 or (await client.execute_command("ROLE"))[0] == "master":
                await client.ping()
                return client
            reasons.append(f"{host}:{port or PORT} is a replica")
        except (RedisError, OSError) as error:
            if len(hosts) == 1:
                await client.aclose()
                raise
            reasons.append(f"{host}:{port or PORT}: {error}")
        await client.aclose()
    raise ConnectionError("; ".join(reasons))


async def _cluster(hosts: list[tuple[str, int]], options: dict[str, Any]) -> Any:
    options = {**options, "retry": Retry(NoBackoff(), 3)}      # a node that died: the next try knows its successor
    client = CountingCluster(startup_nodes=[ClusterNode(host, port or PORT) for host, port in hosts],
                             max_connections=CONNECTIONS, reinitialize_steps=5, require_full_coverage=False, **options)
    try:
        await client.initialize()
    except BaseException:
        await client.aclose()
        raise
    return client


async def _by_sentinel(hosts: list[tuple[str, int]], master: str, number: int, options: dict[str, Any]) -> Any:
    plain = {key: value for key, value in options.items() if key.startswith(("socket_", "ssl", "decode"))}
    sentinel = Sentinel([(host, port or SENTINEL_PORT) for host, port in hosts], sentinel_kwargs=plain, **options)
    client = sentinel.master_for(master, db=number, max_connections=CONNECTIONS)
    close = client.aclose

    async def close_all(*args: Any, **kwargs: Any) -> None:
        await close(*args, **kwargs)
        for one in sentinel.sentinels:
            await one.aclose()
    client.aclose = close_all
    try:
        await client.ping()
    except BaseException:
        await client.aclose()
        raise
    return client
