"""State that workers share: what one writes, all read."""
from __future__ import annotations

from typing import Any

from kit.clock import FakeClock
from osip.core.run.bus import LocalBus
from osip.core.run.env import Env
from osip.core.run.share import Replicated, SharedCounts, SharedVars
from osip.core.run.timers import TICK


class Wire:
    """Buses of several workers without links: `others` goes straight to the others."""

    def __init__(self, count: int) -> None:
        self.buses = [Ear(self) for _ in range(count)]


class Ear(LocalBus):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire, self.told = wire, []
        self.shared: dict[str, tuple[Any, Any]] = {}

    def publish(self, topic: str, value: Any) -> None:
        super().publish(topic, value)
        self.others(topic, value)

    def others(self, topic: str, value: Any) -> None:
        self.told.append((topic, value))
        for bus in self.wire.buses:
            if bus is not self:
                LocalBus.publish(bus, topic, value)

    def share(self, topic: str, snapshot: Any, load: Any) -> None:
        self.shared[topic] = snapshot, load

    def learn_from(self, other: Ear) -> None:
        for topic, (_, load) in self.shared.items():
            load(list(other.shared[topic][0]()))


def test_written_here_read_there() -> None:
    bus = LocalBus()
    one, two, other = Replicated(bus, "m"), Replicated(bus, "m"), Replicated(bus, "other")
    one.set("a", 1)
    two.set("a", 2)
    two.set("b", 3)
    assert (one.get("a"), two.get("a"), one.get("b"), other.get("a"), one.get("c", 9)) == (2, 2, 3, None, 9)
    assert sorted(one.items()) == [("a", 2), ("b", 3)] and len(one) == 2 and not len(other)
    one.delete("a")
    two.delete("never there")
    assert two.get("a") is None and len(two) == 1


def test_walking_while_writing() -> None:
    shared = Replicated(LocalBus(), "m")
    for number in range(5):
        shared.set(number, number)
    for key, _ in shared.items():
        shared.delete(key)
        shared.set(key + 100, 1)
    assert sorted(key for key, _ in shared.items()) == [100, 101, 102, 103, 104]


def test_a_late_worker_learns_and_keeps_what_is_newer() -> None:
    wire = Wire(2)
    early, late = (Replicated(bus, "m") for bus in wire.buses)
    heard: list[Any] = []
    late.on_change = lambda key, value: heard.append((key, value))
    early._values.update(a=1, b=2)              # from before the late one was there
    early.set("b", 3)
    wire.buses[1].learn_from(wire.buses[0])
    assert dict(late.items()) == {"a": 1, "b": 3} and heard == [("b", 3), ("a", 1)]


def test_shared_variables() -> None:
    wire = Wire(2)
    one, two = SharedVars(), SharedVars()
    one["before"] = 1
    for shared, bus in zip((one, two), wire.buses, strict=True):
        shared.bind(bus)
    one["x"] = "text"
    two.update({"y": 2}, z=3)
    assert one == {"before": 1, "x": "text", "y": 2, "z": 3}
    assert one.pop("y") == 2 and two.pop("none", 7) == 7
    del two["z"]
    assert (one, two) == ({"before": 1, "x": "text"}, {"x": "text"})
    two.clear()
    wire.buses[1].learn_from(wire.buses[0])
    assert two == {"before": 1, "x": "text"}


def counters(count: int, limit: int = 100) -> tuple[Wire, list[SharedCounts], list[FakeClock]]:
    wire, made, clocks = Wire(count), [], []
    for bus in wire.buses:
        env = Env()
        env.bus, env.workers = bus, count
        clocks.append(FakeClock(env))
        made.append(SharedCounts(env, "c", limit))
    return wire, made, clocks


def test_counters_add_up() -> None:
    wire, (one, two), clocks = counters(2)
    heard: list[Any] = []
    two.on_remote = lambda key, amount: heard.append((key, amount))
    assert [one.add("k"), one.add("k", 2), one.add(("t", 1)), two.add("k")] == [1, 3, 1, 1], "the own ones at once"
    for clock in clocks:
        clock.advance(2 * TICK)
    assert (one.get("k"), two.get("k"), two.get(("t", 1)), two.get("none")) == (4, 4, 1, 0)
    assert sorted(map(str, heard)) == ["('k', 3)", "(('t', 1), 1)"]
    assert len(wire.buses[0].told) == 1, "gathered into one message"
    clocks[0].advance(5)
    assert len(wire.buses[0].told) == 1, "nothing new, nothing told"


def test_setting_and_clearing() -> None:
    wire, (one, two), clocks = counters(2)
    one.add("k", 5)
    two.set("k", 2)
    assert (one.get("k"), two.get("k")) == (2, 2)
    clocks[0].advance(2 * TICK)
    one.set("k", 0)
    assert len(one) == len(two) == 0
    one.add("a")
    one.clear()
    clocks[0].advance(2 * TICK)
    assert not list(one.items()) and not list(two.items())


def test_counters_are_bounded_and_learned() -> None:
    wire, (one, two), clocks = counters(2, limit=3)
    for number in range(5):
        assert one.add(number, 4) == 4
    assert len(one) == 3 and one.add(4, 7) == 7 and one.get(4) == 0
    wire.buses[1].learn_from(wire.buses[0])
    clocks[0].advance(2 * TICK)                 # what was not told yet must not come twice
    assert dict(two.items()) == {0: 4, 1: 4, 2: 4}


def test_one_worker_tells_nobody() -> None:
    wire, (one,), clocks = counters(1)
    one.add("k")
    clocks[0].advance(1)
    assert one.get("k") == 1 and not wire.buses[0].told
