"""Queues to a slow or broken outside."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from osip.core.errors import OsipError
from osip.core.run.env import Env
from osip.core.run.outbox import Outbox, Posting


async def test_in_order_and_bounded() -> None:
    got: list[Any] = []
    gate = asyncio.Event()

    async def send(item: Any) -> None:
        await gate.wait()
        got.append(item)
    box = Outbox(Env(), "box", send, limit=2)
    box.put(1)
    await asyncio.sleep(0)          # the first one is on its way
    box.put(2)
    box.put(3)
    with pytest.raises(OsipError, match="2 wait already"):
        box.put(4)
    gate.set()
    await box.drained()
    assert got == [1, 2, 3] and (box.sent, box.lost) == (3, 1)


async def test_a_failure_is_told_once_and_so_is_its_end(caplog: Any) -> None:
    broken = True

    async def send(item: Any) -> None:
        if broken:
            raise ConnectionError("no route")
    box = Outbox(Env(), "box", send, pause=0)
    for item in range(3):
        box.put(item)
    await box.drained()
    assert caplog.text.count("box: not delivered: no route") == 1 and box.failing
    broken = False
    with caplog.at_level("INFO", "osip"):
        box.put(4)
        await box.drained()
    assert "delivers again, 3 were lost" in caplog.text and not box.failing


async def test_items_with_another_way_are_given_back_at_once() -> None:
    back: list[tuple[int, str]] = []

    async def send(item: Any) -> None:
        raise ConnectionError("no route")
    box = Outbox(Env(), "box", send, limit=4, pause=0.01)
    posting = Posting(box, lambda name, params: name)
    for number in range(4):
        if number == 2:
            posting("E", {})                # has no other way: it waits for its own attempt
        else:
            posting.offer("E", {}, lambda why, number=number: back.append((number, why)))
    with pytest.raises(OsipError, match="4 wait already"):
        posting.offer("E", {}, lambda why: None)
    await asyncio.sleep(0)
    assert back == [(number, "no route") for number in (0, 1, 3)] and len(box._items) == 1
    await box.drained()
    assert (box.sent, box.lost) == (0, 1)


async def test_close() -> None:
    async def send(item: Any) -> None:
        await asyncio.sleep(60)
    box = Outbox(Env(), "box", send)
    box.put(1)
    await asyncio.sleep(0)
    box.close()
    with pytest.raises(asyncio.CancelledError):
        await box.drained()
