"""Check the loop that never waits."""
from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from osip.core.run.env import Ids
from osip.testing.clock import VirtualLoop


class Clock:
    now = 0.0


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop(lambda: Clock.now)
    yield made
    made.close()


def test_it_comes_to_rest_and_goes_on(loop: VirtualLoop) -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("began")
        await asyncio.sleep(0)
        seen.append("went on")
        await asyncio.sleep(5)
        seen.append("slept")
    Clock.now = 0.0
    loop.settle(lambda: seen.append(str(loop.create_task(work()).done())))
    assert seen == ["False", "began", "went on"]
    Clock.now = 5.0
    loop.settle()
    assert seen[-1] == "slept"


def test_what_is_raised_comes_out(loop: VirtualLoop) -> None:
    with pytest.raises(ZeroDivisionError):
        loop.settle(lambda: 1 // 0)


def test_complete(loop: VirtualLoop) -> None:
    async def value() -> int:
        await asyncio.sleep(0)
        return 7
    assert loop.complete(value()) == 7
    with pytest.raises(RuntimeError, match="does not happen"):
        loop.complete(asyncio.Event().wait())


def test_ids_repeat() -> None:
    assert Ids(b"test").call_id() == Ids(b"test").call_id()
