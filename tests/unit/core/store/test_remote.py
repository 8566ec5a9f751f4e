"""Remote stores: deadlines, refusals while one is down, slow questions."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from osip.core.errors import StoreError
from osip.core.store import remote
from osip.core.store.remote import Remote


async def never() -> None:
    await asyncio.Event().wait()


async def fine() -> int:
    return 5


def failing(error: Exception) -> Any:
    async def fail() -> None:
        raise error
    return fail


async def test_a_deadline() -> None:
    store = Remote("x", 0.01)
    with pytest.raises(StoreError, match=r"x: no answer within 0\.01 seconds"):
        await store.ask("get", never, (), ())
    assert store.is_down and store.failed == 1


async def test_what_is_down_is_left_alone_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(remote.time, "monotonic", lambda: now)
    store = Remote("x", 5)
    for pause in (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0):
        with pytest.raises(StoreError, match="refused"):
            await store.ask("get", failing(ConnectionRefusedError("refused")), (), ())
        with pytest.raises(StoreError, match=f"down, asked again in {pause:.1f} s: refused"):
            await store.ask("get", fine, (), ())
        now += pause + 0.01
    assert await store.ask("get", fine, (), ()) == 5
    with pytest.raises(StoreError):
        await store.ask("get", failing(KeyError("gone")), (KeyError,), ())
    now += 0.21
    assert await store.ask("get", fine, (), ()) == 5, "the pause begins anew"


async def test_a_wrong_question_shuts_nothing() -> None:
    store = Remote("x", 5)
    with pytest.raises(StoreError, match="x: no such word"):
        await store.ask("get", failing(ValueError("no such word")), (), (ValueError,))
    assert not store.is_down and await store.ask("get", fine, (), (ValueError,)) == 5
    assert (store.asked, store.failed) == (2, 1)


async def test_slow_questions() -> None:
    told: list[tuple[str, str]] = []
    store = Remote("x", 5, 1, lambda name, what, took: told.append((name, what)))
    await store.ask("get", lambda: asyncio.sleep(0.002), (), ())
    assert told == [("x", "get")]
