"""Why endpoints are kept alive, and until when."""
from __future__ import annotations

from typing import Any

import pytest

from osip.api import Replicated
from osip.core.run.bus import LocalBus
from osip.modules.nat_traversal import endpoint
from osip.modules.nat_traversal.endpoint import CALL, REGISTRATION, SUBSCRIPTION, Endpoints

ONE, TWO = "sip:192.0.2.1:5060", "sip:192.0.2.2:40000;transport=tcp"


def table(slots: int = 4) -> Endpoints:
    return Endpoints(Replicated(LocalBus(), "t"), slots)


def test_the_last_reason_takes_the_endpoint_along() -> None:
    found = table()
    found.add(ONE, "udp:10.0.0.9:5060", "r:bob@x", 100)
    found.add(ONE, "udp:10.0.0.9:5060", "r:bob@x", 200)
    found.add(ONE, "udp:10.0.0.8:5060", "s:call-1", 150)
    found.add(TWO, "tcp:10.0.0.9:5060", "d:call-2", 150)
    one = found.get(ONE)
    assert one is not None and one.reasons == {"r:bob@x": 200, "s:call-1": 150} and one.socket == "udp:10.0.0.8:5060"
    assert (len(found), found.counts) == (2, {REGISTRATION: 1, SUBSCRIPTION: 1, CALL: 1})
    assert found.expire(one, 150) and found.counts == {REGISTRATION: 1, SUBSCRIPTION: 0, CALL: 1}
    assert not found.expire(one, 200) and found.get(ONE) is None and len(found) == 1
    found.remove(ONE, "r:bob@x")
    found.remove(TWO, "d:nobody")
    assert len(found) == 1 and [each.uri for each in found] == [TWO]


def test_two_users_of_one_phone() -> None:
    found = table()
    for user in ("a", "b"):
        found.add(ONE, "udp:10.0.0.9:5060", f"r:{user}@x", 100)
    assert found.counts[REGISTRATION] == 1
    found.remove(ONE, "r:a@x")
    assert found.counts[REGISTRATION] == 1 and found.get(ONE)
    found.remove(ONE, "r:b@x")
    assert found.counts[REGISTRATION] == 0 and not found.get(ONE)


def test_a_call_ends_for_both_ends() -> None:
    found = table()
    for uri in (ONE, TWO):
        found.add(uri, "udp:10.0.0.9:5060", "d:call:1", 100)
    found.add(TWO, "udp:10.0.0.9:5060", "d:other", 100)
    found.end_call("nobody")
    found.end_call("call:1")
    assert [each.uri for each in found] == [TWO] and found.counts[CALL] == 1
    found.end_call("other")
    assert not len(found) and not found._calls


def test_every_endpoint_has_its_turn_once_a_round() -> None:
    found = table(10)
    for number in range(100):
        found.add(f"sip:192.0.2.{number}:5060", "", "r:x", 100)
    rounds = [[one.uri for one in found.slot(turn)] for turn in range(20)]
    assert rounds[:10] == rounds[10:] and max(map(len, rounds)) < 30
    assert sorted(sum(rounds[:10], [])) == sorted(one.uri for one in found)
    for one in found:
        found.remove(one.uri, "r:x")
    assert not any(found.slot(turn) for turn in range(10))


def test_room_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MOST", 3)
    found = table()
    assert [found.add(ONE, "", f"s:{number}", 9) for number in range(5)] == [True, True, True, False, False]
    assert found.add(ONE, "", "s:0", 20), "what is there can be prolonged"


def test_what_another_worker_says_counts_too() -> None:
    bus: Any = LocalBus()
    one = Endpoints(Replicated(bus, "t"), 4)
    bus.publish("t", ((ONE, "d:c"), ("udp:10.0.0.9:5060", 50.0)))
    assert one.counts[CALL] == 1 and one.is_changed
    bus.publish("t", ((TWO, "d:c"), None))
    one.end_call("c")
    assert not len(one)
