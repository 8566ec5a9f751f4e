"""Count requests by source address in bounded memory: exactly for as long as there is room, by prefix beyond that.

A forged flood has more addresses than memory has room. When half of the room is taken, a new address must earn its
node: its longest known prefix is counted, and only a prefix that is busy by itself gets a child one byte longer.
"""
from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import islice

ROOM = 65536
"""Nodes at most."""
FINE, KNOWN, NEW = 1, -1, -2
"""Answers: below the limit, blocked already, blocked from now on."""
BUSY_SHARE = 4          # a prefix with this part of the limit in a unit is busy
LONGEST = 16            # bytes of an address
LOOK = 16               # nodes looked at when one must go


class Node:
    """The requests of an address (or a prefix) in the present unit of time and in the one before."""
    __slots__ = ("before", "blocked", "last", "present", "unit")

    def __init__(self, unit: int, now: float) -> None:
        self.before = self.present = 0
        self.unit, self.last = unit, now
        self.blocked = False

    def turn(self, unit: int) -> None:
        """Go on to the present unit."""
        if unit != self.unit:
            self.before = self.present if unit == self.unit + 1 else 0
            self.present, self.unit = 0, unit

    @property
    def most(self) -> int:
        """Return the requests of the busier one of the two units."""
        return max(self.before, self.present)


class Tree:
    """All nodes of one worker, by prefix. A limit is requests in a unit of time."""

    def __init__(self, limit: int, room: int = ROOM) -> None:
        self.limit, self.given_up = limit, 0
        self._room = room
        self._nodes: dict[bytes, Node] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def mark(self, address: str, unit: int, now: float, amount: int = 1) -> int:
        """Count requests of an address; return FINE, KNOWN or NEW."""
        key = ipaddress.ip_address(address).packed
        node = self._nodes.get(key)
        if node is None:
            if len(self._nodes) >= self._room // 2:
                self._grow(key, unit, now, amount)
                return FINE
            node = self._nodes[key] = Node(unit, now)
        node.turn(unit)
        node.present += amount
        node.last = now
        if node.most <= self.limit:
            node.blocked = False
            return FINE
        if node.blocked:
            return KNOWN
        node.blocked = True
        return NEW

    def _grow(self, key: bytes, unit: int, now: float, amount: int) -> None:
        """Count the longest known prefix of an address, and make the next longer one when it is busy."""
        length = len(key) - 1
        # IPv4 and IPv6 addresses must not meet: the prefix of an IPv4 address ends with its length.
        while length and self._prefix(key, length) not in self._nodes:
            length -= 1
        if length == 0:
            self._add(self._prefix(key, 1), unit, now)
            return
        node = self._nodes[self._prefix(key, length)]
        node.turn(unit)
        node.present += amount
        node.last = now
        if node.most * BUSY_SHARE >= self.limit:
            longer = length + 1
            self._add(key if longer == len(key) else self._prefix(key, longer), unit, now)

    @staticmethod
    def _prefix(key: bytes, length: int) -> bytes:
        return bytes((len(key), length)) + b"/" + key[:length] + b"/" * LONGEST

    def _add(self, key: bytes, unit: int, now: float) -> None:
        if len(self._nodes) >= self._room:
            self._give_up_one()
        self._nodes[key] = Node(unit, now)

    def _give_up_one(self) -> None:
        """Make room: the oldest node goes, rather one that is not blocked."""
        self.given_up += 1
        first = list(islice(self._nodes, LOOK))
        del self._nodes[next((key for key in first if not self._nodes[key].blocked), first[0])]

    def sweep(self, unit: int, now: float, latency: float) -> list[str]:
        """Forget what was quiet for `latency` seconds; return the addresses that are not blocked any more."""
        freed = []
        for key, node in list(self._nodes.items()):
            node.turn(unit)
            is_quiet = node.last + latency <= now
            if node.blocked and (is_quiet or node.most <= self.limit):
                node.blocked = False
                freed.append(str(ipaddress.ip_address(key)))
            if is_quiet:
                del self._nodes[key]
        return freed

    def blocked(self, unit: int) -> Iterator[tuple[str, Node]]:
        """Walk the addresses that are blocked now."""
        for key, node in self._nodes.items():
            if node.blocked:
                node.turn(unit)
                if node.most > self.limit:
                    yield str(ipaddress.ip_address(key)), node

    def remove(self, address: str) -> bool:
        """Forget an address; False when it was not known."""
        return self._nodes.pop(ipaddress.ip_address(address).packed, None) is not None
