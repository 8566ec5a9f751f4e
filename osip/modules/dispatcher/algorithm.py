"""Order the destinations of a set: the chosen one first, then those to try after it. Pure functions."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from zlib import crc32

from osip.modules.dispatcher.state import ACTIVE, INACTIVE, Destination, Group

Order = list[Destination]


def candidates(group: Group, use_default: bool = False) -> tuple[Order, Order]:
    """Return those that may be chosen, and the last resort: with `use_default` the last one is kept for it."""
    usable = [d for d in group.destinations if d.state == ACTIVE]
    if not use_default or not group.destinations:
        return usable, []
    last = group.destinations[-1]
    return [d for d in usable if d is not last], [last] if last.state != INACTIVE else []


def turned(usable: Sequence[Destination], first: int) -> Order:
    """Return all of them, starting at one and going round."""
    return [*usable[first:], *usable[:first]]


def weighted(usable: Sequence[Destination], number: int) -> int:
    """Return the index that a number falls on when each has as many numbers as its weight (all 0: one each)."""
    total = sum(d.weight for d in usable)
    if total <= 0:
        return number % len(usable)
    number %= total
    for index, destination in enumerate(usable):
        number -= destination.weight
        if number < 0:
            return index
    return 0


def by_hash(usable: Order, key: str) -> Order:
    """Choose by a hash of `key`: the same key meets the same destination while the same ones are active."""
    return turned(usable, weighted(usable, crc32(key.encode("utf-8", "surrogateescape"))))


def by_turn(group: Group, usable: Order) -> Order:
    """Choose in turn; each has as many calls of a round as its weight."""
    everyone = group.destinations
    limit = 1 if all(d.weight <= 0 for d in usable) else 0
    start = everyone.index(group.turn) if group.turn in everyone else 0         # type: ignore[arg-type]
    for step in range(len(everyone) + 1):
        destination = everyone[(start + step) % len(everyone)]
        if step:
            group.taken = 0
        if destination in usable and group.taken < (limit or destination.weight):
            group.turn = destination
            group.taken += 1
            return turned(usable, usable.index(destination))
    return usable


def by_chance(usable: Order, random: Callable[[int], int]) -> Order:
    """Choose at random by weight; `random(n)` gives 0..n-1."""
    return turned(usable, weighted(usable, random(sum(d.weight for d in usable) or len(usable))))


def by_score(usable: Order, score: Callable[[Destination], int | None]) -> Order:
    """Order by score, the lowest first; those without a score come last."""
    scores = {id(d): score(d) for d in usable}
    return sorted(usable, key=lambda d: (scores[id(d)] is None, scores[id(d)] or 0))
