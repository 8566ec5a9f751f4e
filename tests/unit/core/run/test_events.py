"""Events: who is told, until when, and that nobody's failure is anybody else's."""
from __future__ import annotations

import logging
from typing import Any

import pytest

from kit.message import request
from kit.playbook import FakeProgram, make_worker
from osip.core.net.endpoint import Source
from osip.core.run.ctx import EVENT, Ctx
from osip.core.sip.message import parse


@pytest.fixture
def env() -> Any:
    worker, _, _ = make_worker(())
    worker.set_program(FakeProgram())
    return worker.env


def test_subscribers_are_told_until_their_time(env: Any) -> None:
    told: list[Any] = []
    env.events.subscribe("E_X", "a:1", lambda name, params: told.append(("a", name, params)), env.now + 10)
    env.events.subscribe("E_X", "b:1", lambda name, params: told.append(("b", name, params)))
    env.events.raise_event("E_X", {"n": 1})
    assert told == [("a", "E_X", {"n": 1}), ("b", "E_X", {"n": 1})]
    env.now += 10
    env.events.raise_event("E_X", {})
    assert [who for who, *_ in told[2:]] == ["b"]
    assert [s.address for s in env.events.records["E_X"].subscribers] == ["b:1"]


def test_a_second_subscription_renews_the_first(env: Any) -> None:
    told: list[str] = []
    env.events.subscribe("E_X", "a:1", lambda name, params: told.append("old"), env.now + 1)
    env.events.subscribe("E_X", "a:1", lambda name, params: told.append("new"), env.now + 100)
    env.now += 50
    env.events.raise_event("E_X", {})
    assert told == ["new"]


def test_unsubscribing(env: Any) -> None:
    env.events.subscribe("E_X", "a:1", lambda name, params: None)
    assert [env.events.unsubscribe(*words) for words in (("E_Y", "a:1"), ("E_X", "b:1"), ("E_X", "a:1"), ("E_X",
        "a:1"))] \
        == [False, False, True, False]


def test_one_that_fails_stops_nobody(env: Any, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def broken(name: str, params: dict[str, Any]) -> None:
        raise OSError("gone")
    env.events.subscribe("E_X", "a:1", broken)
    env.events.subscribe("E_X", "b:1", lambda name, params: told.append("b"))
    with caplog.at_level(logging.ERROR, "osip"):
        env.events.raise_event("E_X", {})
    assert told == ["b"] and "event=E_X to=a:1 error=gone" in caplog.text
    env.events.subscribe("E_X", "a:me:secret@host/x", broken)
    with caplog.at_level(logging.ERROR, "osip"):
        env.events.raise_event("E_X", {})
    assert "to=a:me:***@host/x error=gone" in caplog.text and "secret" not in caplog.text


def test_routes_of_an_event(env: Any) -> None:
    seen: list[Ctx] = []

    def failing(ctx: Ctx) -> int:
        raise RuntimeError("bug")
    env.program.events["E_X"] = [failing, lambda ctx: seen.append(ctx) or 1]
    env.events.raise_event("E_X", {"a": 1})
    env.events.raise_event("E_OTHER", {})
    source = Source(env.sockets[0], "10.0.0.1", 5060)
    env.events.raise_event("E_X", {"a": 2}, Ctx(env, parse(request()), source))
    assert [(ctx.kind, ctx.event) for ctx in seen] == [(EVENT, {"a": 1}), (EVENT, {"a": 2})]
    assert seen[0].msg.call_id == "dummy" and (seen[1].source, seen[1].msg.call_id) == (source, "call-1")
    assert env.dispatch.err_requests == 2


def test_records_are_numbered_in_order(env: Any) -> None:
    assert [env.events.declare(name).id for name in ("E_A", "E_B", "E_A")] == [0, 1, 0]


def test_without_a_program_nothing_happens() -> None:
    worker, _, _ = make_worker(())
    worker.env.events.raise_event("E_X", {})


# --- addresses, in all workers -------------------------------------------------------------------------------------

def connect_to(told: list[str]) -> Any:
    def transport(address: str) -> Any:
        if address == "box:bad":
            raise ValueError("no such box")
        return lambda name, params: told.append(f"{address} {name}")
    return transport


def test_an_address_needs_a_transport(env: Any) -> None:
    env.events.transports["box"] = connect_to([])
    for address, words in (("none:1", "event_\\* module"), ("box:bad", "no such box")):
        with pytest.raises(ValueError, match=words):
            env.events.subscribe_everywhere("E_X", address)
    assert not env.events.records


def test_a_subscription_is_taken_over_by_all_workers(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    workers = [make_worker(())[0] for _ in range(3)]
    for worker in workers:
        worker.set_program(FakeProgram())
        worker.env.events.transports["box"] = connect_to(told)

        def others(topic: str, value: Any, me: Any = worker) -> None:
            for one in workers:
                if one is not me:
                    one.env.bus.publish(topic, value)
        worker.env.bus.others = others
    first, second, third = (worker.env for worker in workers)
    assert first.events.subscribe_everywhere("E_X", "box:1", 10.0)
    second.events.raise_event("E_X", {})
    assert told == ["box:1 E_X"]
    second.now += 10
    second.events.raise_event("E_X", {})
    assert told == ["box:1 E_X"] and first.events.records["E_X"].subscribers[0].asked == 10.0
    first.events.subscribe("E_X", "inner:1", lambda name, params: None)
    assert list(first.events._snapshot()) == [("E_X", "box:1", 10.0)]
    del third.events.transports["box"]
    with caplog.at_level(logging.ERROR, "osip"):
        third.events._take_over("E_Y", "box:2", None)
    assert "E_Y not subscribed to=box:2" in caplog.text


def test_who_is_wanted(env: Any) -> None:
    assert not env.events.is_wanted("E_X")
    env.program.events["E_X"] = [lambda ctx: 1]
    assert env.events.is_wanted("E_X")
    env.events.subscribe("E_Y", "a:1", lambda name, params: None)
    assert env.events.is_wanted("E_Y")
