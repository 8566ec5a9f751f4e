"""Counting by address: exact while there is room, bounded beyond that."""
from __future__ import annotations

import pytest

from osip.modules.pike.tree import FINE, KNOWN, NEW, Tree


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_limit_is_exact(address: str) -> None:
    tree = Tree(3)
    assert [tree.mark(address, 1, 0.0) for _ in range(5)] == [FINE, FINE, FINE, NEW, KNOWN]
    assert tree.mark("192.0.2.2", 1, 0.0) == FINE
    assert tree.mark(address, 2, 2.0) == KNOWN              # the unit before was too much
    assert tree.mark(address, 3, 4.0) == FINE               # that one was not
    assert [tree.mark(address, 3, 4.0) for _ in range(3)] == [FINE, FINE, NEW]


def test_a_gap_is_a_quiet_unit() -> None:
    tree = Tree(1)
    assert [tree.mark("192.0.2.1", 1, 0.0) for _ in range(2)] == [FINE, NEW]
    assert tree.mark("192.0.2.1", 3, 4.0) == FINE


def test_sweep_frees_and_forgets() -> None:
    tree = Tree(1)
    for _ in range(2):
        tree.mark("192.0.2.1", 1, 0.0)
    tree.mark("192.0.2.2", 1, 0.0)
    assert [ip for ip, _ in tree.blocked(1)] == ["192.0.2.1"]
    assert tree.sweep(2, 2.0, 10) == [] and len(tree) == 2
    assert tree.sweep(3, 4.0, 10) == ["192.0.2.1"] and len(tree) == 2 and not list(tree.blocked(3))
    assert tree.sweep(9, 10.0, 10) == [] and len(tree) == 0


def test_forged_sources_are_bounded_and_a_flooder_is_found_all_the_same() -> None:
    tree = Tree(20, room=200)
    for number in range(50_000):
        tree.mark(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1, 0.0)
        assert len(tree) <= 200
    tree.sweep(2, 1.0, 1.0)
    for number in range(300):
        tree.mark(f"172.16.{number >> 8}.{number & 255}", 2, 2.0)
    codes = [tree.mark("203.0.113.9", 2, 2.0) for _ in range(200)]
    assert codes.count(NEW) == 1 and codes[-1] == KNOWN
    assert [ip for ip, _ in tree.blocked(2)] == ["203.0.113.9"]
    assert tree.mark("2001:db8::9", 2, 2.0) == FINE


def test_remove() -> None:
    tree = Tree(1)
    assert not tree.remove("192.0.2.1")
    for _ in range(2):
        tree.mark("192.0.2.1", 1, 0.0)
    assert tree.remove("192.0.2.1") and tree.mark("192.0.2.1", 1, 0.0) == FINE
