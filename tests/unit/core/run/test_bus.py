"""The bus: topics of one worker, and links between several."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.crew import link, mesh, settle
from osip.core.errors import MIError, OsipError
from osip.core.run.bus import BATCH, LocalBus, MeshBus


def test_topics_have_receivers_in_order() -> None:
    bus, got = LocalBus(), []
    bus.subscribe("a", lambda value: got.append(("one", value)))
    bus.subscribe("a", lambda value: got.append(("two", value)))
    bus.subscribe("b", lambda value: got.append(("b", value)))
    bus.publish("a", 1)
    bus.publish("nobody", 2)
    bus.others("a", 3)
    assert got == [("one", 1), ("two", 1)]


def test_a_receiver_may_publish() -> None:
    bus = LocalBus()
    got: list[Any] = []
    bus.subscribe("a", lambda value: bus.publish("b", value + 1))
    bus.subscribe("b", got.append)
    bus.publish("a", 1)
    assert got == [2]


async def test_publishing_reaches_all() -> None:
    buses = mesh(3)
    got: list[Any] = []
    for number, bus in enumerate(buses):
        bus.subscribe("t", lambda value, number=number: got.append((number, value)))
    buses[1].publish("t", (1, "x"))
    assert got == [(1, (1, "x"))], "the sender's own receivers hear at once"
    buses[1].others("t", "y")
    assert buses[2].tell(0, "t", "only 0")
    await settle(*buses)
    assert sorted(map(str, got)) == sorted(map(str, [
        (1, (1, "x")), (0, (1, "x")), (2, (1, "x")), (0, "y"), (2, "y"), (0, "only 0")]))
    assert buses[0].counts()["received"] >= 3 and buses[0].counts()["dropped"] == 0


async def test_what_is_flushed_is_with_the_others_at_once() -> None:
    one, other = mesh(2)
    got: list[Any] = []
    other.subscribe("t", got.append)
    one.publish("t", 1)
    one.flush()
    one.flush()
    other.links[0]._on_readable()                       # the loop has not had a turn
    assert got == [1]
    one.publish("t", 2)
    await settle(one, other)
    assert got == [1, 2]


async def test_a_receiver_that_fails_costs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    one, other = mesh(2)
    got: list[Any] = []
    other.subscribe("bad", lambda value: 1 / 0)
    other.subscribe("good", got.append)
    one.publish("bad", 1)
    one.publish("good", 2)
    await settle(one, other)
    assert got == [2] and "bus failed topic=bad from=0" in caplog.text


async def test_asking() -> None:
    one, other = mesh(2)

    async def later(peer: int, value: Any) -> Any:
        await asyncio.sleep(0)
        return peer, value

    def refuse(peer: int, value: Any) -> Any:
        raise MIError(404, "not here", value)
    other.serve("now", lambda peer, value: value * 2)
    other.serve("later", later)
    other.serve("refuse", refuse)
    other.serve("broken", lambda peer, value: 1 / 0)
    other.serve("silent", lambda peer, value: asyncio.Event().wait())
    assert await one.ask(1, "now", 4) == 8 and await one.ask(1, "later", "x") == (0, "x")
    with pytest.raises(MIError) as caught:
        await one.ask(1, "refuse", "d")
    assert (caught.value.code, caught.value.message, caught.value.data) == (404, "not here", "d")
    for topic, words in (("broken", "division by zero"), ("nothing", "nothing"), ("silent", "no answer in 0.05")):
        with pytest.raises(OsipError, match=words):
            await one.ask(1, topic, None, 0.05)
    with pytest.raises(OsipError, match="worker 7 cannot be reached"):
        await one.ask(7, "now", 1)


async def test_a_worker_that_goes() -> None:
    one, other = mesh(2)
    lost: list[int] = []
    one.on_lost.append(lost.append)
    other.serve("silent", lambda peer, value: asyncio.Event().wait())
    asked = asyncio.create_task(one.ask(1, "silent", None))
    await asyncio.sleep(0)
    other.close()
    with pytest.raises(OsipError, match="worker 1 went away"):
        await asked
    assert lost == [1] and not one.links and not one.tell(1, "t", 1)
    buses = [one, MeshBus(2)]
    link(buses, 0, 1)
    buses[1].serve("now", lambda peer, value: "new")
    assert await one.ask(1, "now", None) == "new", "its successor takes its place"


async def test_catching_up() -> None:
    one, other = mesh(2)
    known, learned = list(range(BATCH * 2 + 3)), []
    one.share("s", lambda: iter(known), lambda items: None)
    one.share("empty", lambda: [], lambda items: None)
    for topic in ("s", "empty", "only here"):
        other.share(topic, lambda: [], learned.append)
    assert await other.catch_up(0) == len(known)
    assert [item for batch in learned for item in batch] == known and max(map(len, learned)) == BATCH
    one.is_complete = False
    with pytest.raises(OsipError, match="does not know it yet"):
        await other.catch_up(0)
