"""Questions and answers, by a client that is played."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as Lost

from osip.api import StoreError, parse_cache_url
from osip.modules.cachedb_redis import cache as module
from osip.modules.cachedb_redis.cache import RedisCache, ranges
from osip.modules.cachedb_redis.link import Settings


class Client:
    """Gives what it was told to, and counts."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked, self.closed = list(answers), [], False

    async def execute_command(self, *words: Any) -> Any:
        await asyncio.sleep(0)
        self.asked.append(words)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.closed = True


def a_cache(client: Client, monkeypatch: pytest.MonkeyPatch) -> RedisCache:
    async def connect(*_: Any) -> Any:
        return client
    monkeypatch.setattr(module, "connect", connect)
    return RedisCache(parse_cache_url("redis:x://u:secret@h:1/"), Settings(1, 1))


@pytest.mark.parametrize(("answer", "rows"), [
    (None, []), (5, [[5]]), ("OK", [["OK"]]), (["a", None], [["a"], [None]]), ([["a", 1], ["b", 2]], [["a", 1], ["b", 2]]),
    ({"f": "v"}, [["f"], ["v"]]), ([], [])])
async def test_rows_of_answers(answer: Any, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(answer)
    cache = a_cache(client, monkeypatch)
    assert await cache.raw_query("WORD 'two words'") == rows and client.asked == [("WORD", "two words")]
    await cache.close()


async def test_a_client_that_lost_its_server_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(Lost("reset"))
    cache = a_cache(client, monkeypatch)
    with pytest.raises(StoreError, match="redis:x://h:1/: reset") as caught:
        await cache.get("k")
    assert client.closed and "secret" not in str(caught.value) and (cache.queries, cache.failed) == (1, 1)
    await cache.close()


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING", 3)
    cache = a_cache(Client(), monkeypatch)
    monkeypatch.setattr(module, "BATCH", 1)
    found = await asyncio.gather(*(cache.get("k") for _ in range(5)), return_exceptions=True)
    assert [isinstance(one, StoreError) for one in found] == [False] * 3 + [True] * 2
    assert await cache.get("k") is None, "room again"
    await cache.close()


async def test_while_all_connections_are_busy_questions_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, most, go = 0, 0, asyncio.Event()

    class Slow(Client):
        async def execute_command(self, *words: Any) -> Any:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await go.wait()
            busy -= 1
            return words[1]
    cache = a_cache(Slow(), monkeypatch)
    monkeypatch.setattr(module, "BATCH", 1)
    asked = []
    for number in range(50):
        asked.append(asyncio.ensure_future(cache.command("ECHO", str(number))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*asked) == [str(number) for number in range(50)] and most == module.CONNECTIONS
    await cache.close()


async def test_what_is_given_up_at_once_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    cache = a_cache(client, monkeypatch)
    given_up = cache.add("n", 1)
    given_up.send(None)
    given_up.close()
    await cache.get("k")
    assert client.asked == [("GET", "k")]
    await cache.close()


@pytest.mark.parametrize(("numbers", "text"), [([], ""), ([1], "1"), ([3, 1, 2, 7], "1-3,7")])
def test_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text
