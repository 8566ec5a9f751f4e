"""Ask Redis: what is asked at the same moment goes out in one pipeline, and has one deadline."""
from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from typing import Any

from redis.exceptions import (
    ClusterDownError,
    RedisError,
    ResponseError,
    SlotNotCoveredError,
)
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as Late

from osip.api import CacheUrl, Remote, StoreError, Tally, hide_password
from osip.modules.cachedb_redis.link import CONNECTIONS, CountingCluster, Settings, connect

WAITING = 10_000
"""Questions that may wait for one server: what peers cause must not grow without bound."""
BATCH = 500
LOST = (Lost, Late, ClusterDownError, SlotNotCoveredError)

Question = tuple[tuple[tuple[Any, ...], ...], "asyncio.Future[list[Any]]"]


class RedisCache:
    """One Redis, as a URL names it; opened when it is first asked."""

    def __init__(self, url: CacheUrl, settings: Settings, threshold: int = 0,
                 slow: Callable[[str, str, int], None] | None = None, tally: Tally | None = None) -> None:
        self.url, self._settings = url, settings
        where = ",".join(f"{host}:{port}" if port else host for host, port in url.hosts)
        self.name = hide_password(f"{url.id}://{where}/{url.path}")
        self.remote = Remote(self.name, settings.connect_timeout + settings.query_timeout, threshold, slow,
                             tally)
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._queue: list[Question] = []
        self._waiting = 0
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.queries = self.failed = 0
        self._moved = self._refreshes = 0       # of clients that are closed

    # --- as the cache_* words have it --------------------------------------------------------------------------------

    async def get(self, key: str) -> str | None:
        """Return a value, None when there is none."""
        return await self.command("GET", key)       # type: ignore[no-any-return]

    async def set(self, key: str, value: str | int, ttl: int = 0) -> None:
        """Store a value for `ttl` seconds (0 = for ever)."""
        await (self.command("SET", key, value, "EX", ttl) if ttl > 0 else self.command("SET", key, value))

    async def add(self, key: str, amount: int, ttl: int = 0) -> int:
        """Add to a counter, made when absent; return its new value."""
        if ttl > 0:
            return int((await self.commands(("INCRBY", key, amount), ("EXPIRE", key, ttl)))[0])
        return int(await self.command("INCRBY", key, amount))

    async def remove(self, key: str) -> bool:
        """Remove a key; False when it was not there."""
        return bool(await self.command("DEL", key))

    async def raw_query(self, query: str) -> list[list[Any]]:
        """Run a command as it is typed at redis-cli; each element of its answer is a row."""
        try:
            words = shlex.split(query)
        except ValueError as error:
            raise StoreError(f"{self.name}: {query!r}: {error}") from None
        if not words:
            raise StoreError(f"{self.name}: an empty query")
        answer = await self.command(*words)
        if isinstance(answer, dict):
            answer = [part for pair in answer.items() for part in pair]
        if answer is None:
            return []
        rows = list(answer) if isinstance(answer, list | tuple | set) else [answer]
        return [list(row) if isinstance(row, list | tuple) else [row] for row in rows]

    # --- questions ---------------------------------------------------------------------------------------------------

    async def command(self, *words: Any) -> Any:
        """Ask one thing."""
        return (await self.commands(words))[0]

    async def commands(self, *several: tuple[Any, ...]) -> list[Any]:
        """Ask several things one after the other; in a cluster their keys may be anywhere."""
        self.queries += len(several)
        self.remote.tally.total += len(several)
        if self._waiting >= WAITING:
            self.failed += len(several)
            raise StoreError(f"{self.name}: {WAITING} questions wait for an answer already")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Any]] = loop.create_future()
        self._queue.append((several, future))
        self._waiting += 1
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)
        try:
            return await future
        except StoreError:
            self.failed += len(several)
            raise
        finally:
            self._waiting -= 1
            future.cancel()                 # a retransmission is given up before it was asked: it must not be

    def _flush(self) -> None:
        """Send what waits, each batch over a connection of its own; while all are busy it waits, and goes out together."""
        self._scheduled = False
        queue = [one for one in self._queue if not one[1].done()]
        while queue and len(self._tasks) < CONNECTIONS:
            task = asyncio.get_running_loop().create_task(self._send(queue[:BATCH]))
            queue = queue[BATCH:]
            self._tasks.add(task)
            task.add_done_callback(self._on_sent)
        self._queue = queue

    def _on_sent(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._queue:
            self._flush()

    async def _send(self, batch: list[Question]) -> None:
        words = [command for several, _ in batch for command in several]
        try:
            answers = await self.remote.ask(str(words[0][0]), lambda: self._execute(words), LOST, (RedisError,))
        except BaseException as error:
            failure = error if isinstance(error, StoreError) else StoreError(f"{self.name}: {error!r}")
            await self._drop()
            for _, future in batch:
                if not future.done():
                    future.set_exception(failure)
            if not isinstance(error, Exception):
                raise
            return
        at = 0
        for several, future in batch:
            part, at = answers[at:at + len(several)], at + len(several)
            wrong = next((one for one in part if isinstance(one, Exception)), None)
            if future.done():
                continue
            if wrong is None:
                future.set_result(part)
            else:
                future.set_exception(StoreError(f"{self.name}: {wrong}"))

    async def _execute(self, words: list[tuple[Any, ...]]) -> list[Any]:
        client = await self._opened()
        if len(words) == 1:
            try:
                return [await client.execute_command(*words[0])]
            except ResponseError as error:
                if isinstance(error, ClusterDownError):
                    raise
                return [error]
        pipe = client.pipeline() if isinstance(client, CountingCluster) else client.pipeline(transaction=False)
        for one in words:
            pipe.execute_command(*one)
        answers = await pipe.execute(raise_on_error=False)
        gone = next((one for one in answers if isinstance(one, LOST)), None)
        if gone is not None:
            raise gone
        return list(answers)

    # --- the client --------------------------------------------------------------------------------------------------

    async def _opened(self) -> Any:
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    self._client = await connect(self.url, self._settings)
        return self._client

    async def open(self) -> None:
        """Connect now; StoreError when that fails."""
        await self.remote.ask("connect", self._opened, LOST, (RedisError,))

    async def _drop(self) -> None:
        """Close a client that failed: the next question finds out anew which server is there."""
        client, self._client = self._client, None
        if client is not None:
            self._moved, self._refreshes = self.moved_by(client), self.refreshes_by(client)
            try:
                await client.aclose()
            except (RedisError, OSError, RuntimeError):
                pass

    def moved_by(self, client: Any) -> int:
        """Count redirections, those of a client included."""
        return self._moved + getattr(client, "moved", 0)

    def refreshes_by(self, client: Any) -> int:
        """Count looks at the topology, those of a client included."""
        return self._refreshes + getattr(client, "refreshes", 0)

    @property
    def moved(self) -> int:
        """Count redirections."""
        return self.moved_by(self._client)

    @property
    def refreshes(self) -> int:
        """Count looks at the topology."""
        return self.refreshes_by(self._client)

    async def close(self) -> None:
        """Close all connections."""
        queue, self._queue = self._queue, []
        for _, future in queue:
            if not future.done():
                future.set_exception(StoreError(f"{self.name}: closed"))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._drop()

    # --- for management ----------------------------------------------------------------------------------------------

    async def nodes(self) -> list[dict[str, Any]]:
        """List the servers that are known: address, role, and in a cluster the slots."""
        client = await self.remote.ask("nodes", self._opened, LOST, (RedisError,))
        if not isinstance(client, CountingCluster):
            kwargs = client.connection_pool.connection_kwargs
            found = {"ip": str(kwargs.get("host", "")), "port": kwargs.get("port", 0), "role": "master"}
            if "sentinel" in self.url.options:
                ip, port = await client.connection_pool.get_master_address()
                found |= {"ip": ip, "port": port}
            return [found]
        slots: dict[str, list[int]] = {}
        for slot, nodes in client.nodes_manager.slots_cache.items():
            slots.setdefault(nodes[0].name, []).append(slot)
        return [{"ip": node.host, "port": node.port, "role": node.server_type or "", "slots": ranges(slots.get(node.name, []))}
                for node in client.get_nodes()]

    async def refresh(self) -> None:
        """Learn the topology anew."""
        await self._drop()
        await self.open()

    async def ping(self) -> list[dict[str, Any]]:
        """Ping each server; `status` says how that went."""
        client = await self.remote.ask("ping", self._opened, LOST, (RedisError,))
        out = []
        for entry in await self.nodes():
            try:
                async with asyncio.timeout(self._settings.query_timeout):
                    if isinstance(client, CountingCluster):
                        await client.execute_command("PING", target_nodes=client.get_node(entry["ip"], entry["port"]))
                    else:
                        await client.ping()
                status = "reachable"
            except (RedisError, OSError, TimeoutError) as error:
                status = f"unreachable: {error}"
            out.append({"ip": entry["ip"], "port": entry["port"], "status": status})
        return out


def ranges(numbers: list[int]) -> str:
    """Write numbers in order as `0-5460,5462`."""
    out: list[list[int]] = []
    for number in sorted(numbers):
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in out)
