"""The bus of a single worker."""
from __future__ import annotations

from typing import Any

from osip.core.run.bus import LocalBus


def test_topics_have_receivers_in_order() -> None:
    bus, got = LocalBus(), []
    bus.subscribe("a", lambda value: got.append(("one", value)))
    bus.subscribe("a", lambda value: got.append(("two", value)))
    bus.subscribe("b", lambda value: got.append(("b", value)))
    bus.publish("a", 1)
    bus.publish("nobody", 2)
    assert got == [("one", 1), ("two", 1)]


def test_a_receiver_may_publish() -> None:
    bus = LocalBus()
    got: list[Any] = []
    bus.subscribe("a", lambda value: bus.publish("b", value + 1))
    bus.subscribe("b", got.append)
    bus.publish("a", 1)
    assert got == [2]
