"""Carry messages between workers. With one worker the bus is a direct call; several have a link for each pair.

A value that is published reaches the worker's own receivers at once and the others' well under a millisecond later,
in order for each sender. Values are made of None, numbers, texts, bytes, tuples, lists and dicts.
"""
from __future__ import annotations

import asyncio
import inspect
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

from osip.core.errors import MIError, OsipError
from osip.core.run.link import Link

Receiver = Callable[[Any], None]
Snapshot = Callable[[], Iterable[Any]]
Load = Callable[[list[Any]], None]

PUBLISH, DIRECT, ASK, ANSWER = range(4)
ASK_SECONDS = 10.0
BATCH = 500
"""Items of shared state in one answer: a worker that catches up must not hold up the one that it asks."""
_SYNC = "bus.sync"

_log = logging.getLogger("osip.core")


class Bus(Protocol):
    """Topics with receivers; what is published reaches every worker, the sender included."""

    def subscribe(self, topic: str, receiver: Receiver) -> None:
        """Call `receiver(value)` for each value published under `topic`."""

    def publish(self, topic: str, value: Any) -> None:
        """Give `value` to all receivers of `topic` in all workers."""

    def others(self, topic: str, value: Any) -> None:
        """Give `value` to all receivers of `topic` in the other workers."""

    def flush(self) -> None:
        """Let what was published leave at once, so that it is there before what this worker sends afterwards."""

    def share(self, topic: str, snapshot: Snapshot, load: Load) -> None:
        """Give a worker that starts late what the others know: `load` gets lists of what `snapshot()` yields."""


class LocalBus:
    """The bus of a single worker."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Receiver]] = {}

    def subscribe(self, topic: str, receiver: Receiver) -> None:
        """Call `receiver(value)` for each value published under `topic`."""
        self._receivers.setdefault(topic, []).append(receiver)

    def publish(self, topic: str, value: Any) -> None:
        """Give `value` to all receivers of `topic`."""
        for receiver in self._receivers.get(topic, ()):
            receiver(value)

    def others(self, topic: str, value: Any) -> None:
        """Give `value` to the other workers: there are none."""

    def flush(self) -> None:
        """Nothing waits: receivers were called."""

    def share(self, topic: str, snapshot: Snapshot, load: Load) -> None:
        """Offer shared state: nobody can ask for it."""


class MeshBus(LocalBus):
    """The bus of one of several workers. Before the fork it only takes subscriptions."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self.workers, self.number = workers, 0
        self.is_complete = False            # it knows all shared state, and may tell others
        self.links: dict[int, Link] = {}
        self.on_lost: list[Callable[[int], None]] = []      # told of a worker that went
        self._shared: dict[str, tuple[Snapshot, Load]] = {}
        self._serving: dict[str, Callable[[int, Any], Any]] = {_SYNC: self._on_sync}
        self._syncs: dict[tuple[int, str], Iterator[Any]] = {}
        self._asked: dict[int, tuple[int, asyncio.Future[Any]]] = {}
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.batch_start: Callable[[], None] = lambda: None     # around the values of one read
        self.batch_end: Callable[[], None] = lambda: None

    def connect(self, peer: int, sock: socket.socket) -> None:
        """Talk to another worker over this socket, in place of what was there before."""
        old = self.links.pop(peer, None)
        if old is not None:
            old.close()
            self._forget(peer)
        loop = asyncio.get_running_loop()
        self.links[peer] = Link(sock, loop, lambda values: self._on_values(peer, values), lambda: self._on_gone(peer))

    # --- out --------------------------------------------------------------------------------------------------------

    def publish(self, topic: str, value: Any) -> None:
        """Give `value` to all receivers of `topic` in all workers."""
        super().publish(topic, value)
        self.others(topic, value)

    def others(self, topic: str, value: Any) -> None:
        """Give `value` to all receivers of `topic` in the other workers."""
        frame = (PUBLISH, topic, value)
        for link in self.links.values():
            link.send(frame)

    def flush(self) -> None:
        """Write to the other workers what waits for the loop's next turn."""
        for link in self.links.values():
            link.flush()

    def tell(self, peer: int, topic: str, value: Any) -> bool:
        """Give `value` to the receivers of `topic` in one other worker; False when it will not get there."""
        link = self.links.get(peer)
        return link is not None and link.send((DIRECT, topic, value))

    async def ask(self, peer: int, topic: str, value: Any, seconds: float = ASK_SECONDS) -> Any:
        """Return what another worker answers; its MIError and OsipError come out here, OsipError when it is silent."""
        link = self.links.get(peer)
        self._count += 1
        number = self._count
        if link is None or not link.send((ASK, topic, (number, value))):
            raise OsipError(f"worker {peer} cannot be reached")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = peer, future
        try:
            async with asyncio.timeout(seconds):
                is_ok, result = await future
        except TimeoutError:
            raise OsipError(f"worker {peer} gave no answer in {seconds:g} seconds") from None
        finally:
            self._asked.pop(number, None)
        if is_ok:
            return result
        if result[0] is not None:
            raise MIError(*result)
        raise OsipError(result[1])

    def serve(self, topic: str, answer: Callable[[int, Any], Any]) -> None:
        """Answer what others `ask` under `topic` with `answer(peer, value)`, which may be a coroutine."""
        self._serving[topic] = answer

    # --- in ---------------------------------------------------------------------------------------------------------

    def _on_values(self, peer: int, values: list[Any]) -> None:
        self.batch_start()
        for kind, topic, value in values:
            try:
                if kind <= DIRECT:
                    for receiver in self._receivers.get(topic, ()):
                        receiver(value)
                elif kind == ASK:
                    self._on_ask(peer, topic, *value)
                elif (asked := self._asked.get(value[0])) is not None and not asked[1].done():
                    asked[1].set_result(value[1:])
            except Exception as error:          # what one value does must not cost the others
                _log.error("bus failed topic=%s from=%d error=%r", topic, peer, error, exc_info=error)
        self.batch_end()

    def _on_ask(self, peer: int, topic: str, number: int, value: Any) -> None:
        async def answer() -> None:
            try:
                result = self._serving[topic](peer, value)
                if inspect.isawaitable(result):
                    result = await result
                reply: tuple[bool, Any] = True, result
            except MIError as error:
                reply = False, (error.code, error.message, error.data)
            except Exception as error:
                if not isinstance(error, OsipError):
                    _log.error("bus failed topic=%s from=%d error=%r", topic, peer, error, exc_info=error)
                reply = False, (None, str(error) or repr(error))
            link = self.links.get(peer)
            if link is not None:
                link.send((ANSWER, "", (number, *reply)))
        task = asyncio.get_running_loop().create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_gone(self, peer: int) -> None:
        self.links.pop(peer, None)
        self._forget(peer)

    def _forget(self, peer: int) -> None:
        for key in [key for key in self._syncs if key[0] == peer]:
            del self._syncs[key]
        for other, future in list(self._asked.values()):
            if other == peer and not future.done():
                future.set_result((False, (None, f"worker {peer} went away")))
        for told in self.on_lost:
            told(peer)

    # --- shared state -----------------------------------------------------------------------------------------------

    def share(self, topic: str, snapshot: Snapshot, load: Load) -> None:
        """Give a worker that starts late what the others know: `load` gets lists of what `snapshot()` yields."""
        self._shared[topic] = snapshot, load

    async def catch_up(self, peer: int) -> int:
        """Load all shared state from another worker; return how many items that were."""
        count = 0
        for topic, (_, load) in self._shared.items():
            is_first, is_last = True, False
            while not is_last:
                items, is_last = await self.ask(peer, _SYNC, (topic, is_first))
                is_first = False
                count += len(items)
                load(items)
        return count

    def _on_sync(self, peer: int, wanted: tuple[str, bool]) -> tuple[list[Any], bool]:
        topic, is_first = wanted
        if not self.is_complete:
            raise OsipError(f"worker {self.number} does not know it yet itself")
        if topic not in self._shared:
            return [], True
        if is_first:
            self._syncs[peer, topic] = iter(self._shared[topic][0]())
        items = list(islice(self._syncs.get((peer, topic), iter(())), BATCH))
        is_last = len(items) < BATCH
        if is_last:
            self._syncs.pop((peer, topic), None)
        return items, is_last

    def counts(self) -> dict[str, int]:
        """Return the totals of all links: sent, received, dropped."""
        links = self.links.values()
        return {name: sum(getattr(link, name) for link in links) for name in ("sent", "received", "dropped")}

    def close(self) -> None:
        """Close every link."""
        for task in self._tasks:
            task.cancel()
        for link in self.links.values():
            link.close()
        self.links.clear()
