"""Replicated maps: what one worker writes, all read."""
from __future__ import annotations

from osip.core.run.bus import LocalBus
from osip.core.run.share import Replicated


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
