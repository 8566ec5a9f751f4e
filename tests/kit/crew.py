"""Several workers in one process: their buses, linked as the master would link them."""
from __future__ import annotations

import socket

from osip.core.run.bus import MeshBus


def link(buses: list[MeshBus], one: int, other: int) -> None:
    """Connect two workers, in place of a connection that they had."""
    first, second = socket.socketpair()
    buses[one].connect(other, first)
    buses[other].connect(one, second)


def link_all(buses: list[MeshBus]) -> list[MeshBus]:
    """Number the buses and connect each pair."""
    for number, bus in enumerate(buses):
        bus.number, bus.is_complete = number, True
        for peer in range(number):
            link(buses, number, peer)
    return buses


def mesh(count: int) -> list[MeshBus]:
    """Make the buses of workers that are linked; a loop must run."""
    return link_all([MeshBus(count) for _ in range(count)])


async def settle(*buses: MeshBus) -> None:
    """Wait until all that was sent so far has arrived: an answer comes behind what was sent before it."""
    for bus in buses:
        bus.serve("settled", lambda peer, value: None)
    for bus in buses:
        for peer in list(bus.links):
            await bus.ask(peer, "settled", None)
