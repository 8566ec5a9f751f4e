"""When a server is ready, and what it says when it is not."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.playbook import FakeProgram, make_worker
from osip.core.errors import StoreError
from osip.core.run import health
from osip.core.run.health import Health
from osip.core.run.management import CoreCommands


class FakeStore:
    """A database that answers, fails, or says nothing."""

    def __init__(self, error: Exception | None = None, waits: bool = False) -> None:
        self.error, self.waits, self.asked = error, waits, 0

    async def ping(self) -> None:
        self.asked += 1
        if self.waits:
            await asyncio.Event().wait()
        if self.error:
            raise self.error


class FakeStores:
    """The databases in use."""

    def __init__(self, *stores: FakeStore) -> None:
        self.stores = stores

    def opened(self) -> Any:
        return list(self.stores)


class Clock:
    """Seconds that tests set."""
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ready_env() -> Any:
    worker, _, _ = make_worker((CoreCommands,))
    worker.set_program(FakeProgram())
    for socket in worker.env.sockets:
        socket.transport = object()
    return worker.env


def make(*stores: FakeStore, env: Any = None, clock: Clock | None = None) -> Health:
    found = Health(env or ready_env(), FakeStores(*stores), clock or Clock())    # type: ignore[arg-type]
    found.is_up = True
    return found


async def test_ready() -> None:
    assert await make().faults() == {}
    assert await make(FakeStore(), FakeStore()).faults() == {}


async def test_what_is_missing() -> None:
    env = ready_env()
    found = make(env=env)
    found.is_up = False
    assert await found.faults() == {"server": "starting"}
    found.is_up, env.dispatch.draining = True, True
    assert (await found.faults())["server"].startswith("draining")
    env.dispatch.draining, env.program = False, None
    assert await found.faults() == {"script": "not loaded"}
    env.program, env.sockets[0].transport = FakeProgram(), None
    assert await found.faults() == {"sockets": f"not open: {env.sockets[0].text}"}


async def test_stores_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DEADLINE", 0.05)
    stores = FakeStore(StoreError("database x: refused")), FakeStore(), FakeStore(waits=True), FakeStore(KeyError("b"))
    found = await make(*stores).faults()
    assert found["database 1"] == "database x: refused" and "database 2" not in found
    assert found["database 3"].startswith("no answer") and found["database 4"] == "cannot be asked: KeyError('b')"


async def test_caches_that_do_not_answer() -> None:
    class Away:
        async def get(self, key: str) -> str | None:
            raise StoreError("redis://10.0.0.1: refused")

    class There:
        async def get(self, key: str) -> str | None:
            return None
    env = ready_env()
    env.caches.register("redis", lambda group: Away() if group == "b" else There())
    found = make(env=env)
    for id in ("redis", "local", "redis:b://10.0.0.1/"):
        env.cache(id)
    assert await found.faults() == {"cache redis:b": "redis://10.0.0.1: refused"}


async def test_modules_add_checks() -> None:
    found = make()

    async def check() -> str:
        return "redis: away"
    found.add("cache redis", check)
    assert await found.faults() == {"cache redis": "redis: away"}


async def test_many_who_ask_are_one_question() -> None:
    store, clock = FakeStore(), Clock()
    found = make(store, clock=clock)
    await asyncio.gather(*(found.faults() for _ in range(50)))
    assert store.asked == 1
    clock.now = 1.0
    await found.faults()
    assert store.asked == 1
    clock.now, store.error = 3.0, StoreError("gone")
    assert await found.faults() == {"database 1": "gone"} and store.asked == 2


async def test_one_who_gives_up_does_not_end_the_question_of_others() -> None:
    store = FakeStore(waits=True)
    found = make(store)
    first = asyncio.create_task(found.faults())
    second = asyncio.create_task(found.faults())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second)["database 1"].startswith("no answer") and store.asked == 1
