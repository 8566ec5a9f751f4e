"""A stream between two workers: whole values in order, bounded, and the end noticed."""
from __future__ import annotations

import asyncio
import socket
from typing import Any

from osip.core.run.link import Link


class Ends:
    """Both ends of a link, and what came out of each."""

    def __init__(self, limit: int = 1 << 20) -> None:
        loop = asyncio.get_running_loop()
        one, other = socket.socketpair()
        self.got: list[Any] = []
        self.back: list[Any] = []
        self.lost: list[str] = []
        self.arrived = asyncio.Event()
        self.one = Link(one, loop, self.back.extend, lambda: self._lose("one"), limit)
        self.other = Link(other, loop, self._take, lambda: self._lose("other"), limit)

    def _take(self, values: list[Any]) -> None:
        self.got += values
        self.arrived.set()

    def _lose(self, name: str) -> None:
        self.lost.append(name)
        self.arrived.set()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.got) < count:
                self.arrived.clear()
                await self.arrived.wait()


async def test_values_arrive_whole_and_in_order() -> None:
    ends = Ends()
    values = [None, 1, -2.5, "ä\udcff", b"\0raw", (1, [2, {"a": (True,)}]), b"x" * 300_000, "last"]
    for value in values:
        assert ends.one.send(value)
    await ends.wait(len(values))
    assert ends.got == values
    assert (ends.one.sent, ends.other.received, ends.one.dropped) == (8, 8, 0)


async def test_many_values_leave_in_few_writes() -> None:
    ends = Ends()
    for number in range(5000):
        ends.one.send(number)
        ends.other.send(-number)
    await ends.wait(5000)
    assert ends.got == list(range(5000)) and ends.back == [-n for n in range(5000)]


async def test_too_much_is_dropped_and_counted() -> None:
    ends = Ends(limit=100_000)
    taken = [ends.one.send(b"x" * 30_000) for _ in range(6)]
    assert taken == [True, True, True, False, False, False] and ends.one.dropped == 3
    await ends.wait(3)
    assert ends.one.send(b"again"), "what was taken makes room"
    await ends.wait(4)


async def test_the_other_side_went() -> None:
    ends = Ends()
    ends.one.send("last words")
    await asyncio.sleep(0)              # let them be written
    ends.one.close()
    ends.one.close()
    async with asyncio.timeout(5):
        while not ends.lost:
            ends.arrived.clear()
            await ends.arrived.wait()
    assert ends.got == ["last words"] and ends.lost == ["other"]
    assert not ends.one.send("nobody") and not ends.other.send("nobody")
