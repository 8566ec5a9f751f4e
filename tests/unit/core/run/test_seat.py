"""A worker's place: what it does at the orders of the master."""
from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import Any

import pytest

from kit.playbook import make_worker
from osip.core.errors import OsipError
from osip.core.exports.diagnostic import Diagnostic
from osip.core.run.bus import MeshBus
from osip.core.run.line import Line, pack, unpack
from osip.core.run.seat import Seat

BAD = Diagnostic("E101", "unknown function")


class Held:
    """A worker that only waits."""

    def __init__(self) -> None:
        self.env = make_worker(())[0].env
        self.env.workers = 2
        self.mesh = MeshBus(2)
        self.offered: dict[str, Any] = {}
        self.stops: list[tuple[bool, float]] = []
        self.ended = asyncio.Event()

    async def run(self, ready: Any) -> None:
        self.env.announcements.append("here")
        ready()
        await self.ended.wait()

    def stop(self, drain: bool = False, grace: float = 10.0) -> None:
        self.stops.append((drain, grace))

    def leave(self) -> None:
        self.ended.set()


class Change:
    def __init__(self, found: list[Diagnostic]) -> None:
        self.found = found


class Reloader:
    def __init__(self, found: list[Diagnostic] | OsipError) -> None:
        self.found, self.swapped = found, 0

    def prepare(self) -> Change:
        if isinstance(self.found, OsipError):
            raise self.found
        return Change(list(self.found))

    def swap(self, change: Change) -> None:
        self.swapped += 1
        change.found.append(Diagnostic("W1", "by the way"))


class Play:
    """A seat, and the master's end of its line."""

    def __init__(self, found: Any = ()) -> None:
        self.worker, self.reloader = Held(), Reloader(found if isinstance(found, OsipError) else list(found))
        self.line, theirs = Line.pair()
        self.seat = Seat(self.worker, theirs, self.reloader, grace=7.0)         # type: ignore[arg-type]
        self.task = asyncio.get_running_loop().create_task(self.seat.run({}))

    async def heard(self) -> tuple[Any, ...]:
        async with asyncio.timeout(5):
            while True:
                value, _ = self.line.receive()
                if value is not None:
                    return value
                await asyncio.sleep(0)

    async def leave(self) -> None:
        self.line.send("leave")
        async with asyncio.timeout(5):
            await self.task


async def test_orders(caplog: pytest.LogCaptureFixture) -> None:
    play = Play()
    assert await play.heard() == ("ready", ["here"])
    one, other = socket.socketpair()
    play.worker.env.dispatch.rcv_requests = 7
    play.line.send("peer", 1, files=[other.fileno()])
    play.line.send("dump")
    heard: list[int] = []
    play.worker.env.on_hang_up.append(lambda: heard.append(1))
    play.line.send("hang_up")
    play.line.send("drain", 3.0)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(5):
        while len(play.worker.stops) < 2:
            await asyncio.sleep(0)
    assert heard == [1] and list(play.worker.mesh.links) == [1] and "statistic core:rcv_requests=7" in caplog.text
    assert sorted(play.worker.stops) == [(True, 3.0), (True, 7.0)]
    os.kill(os.getpid(), signal.SIGINT)             # a terminal sends it to all: the master decides
    play.worker.env.shutdown(True)
    assert await play.heard() == ("shutdown", True)
    await play.leave()
    assert not play.worker.mesh.links
    for end in (one, other):
        end.close()


async def test_the_master_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    play = Play()
    await play.heard()
    play.line.close()
    async with asyncio.timeout(5):
        await play.task
    assert "the master is gone" in caplog.text


@pytest.mark.parametrize(("found", "code"), [((), []), ((BAD,), ["E101"]), (OsipError("no file"), ["E311"])])
async def test_preparing(found: Any, code: list[str]) -> None:
    play = Play(found)
    await play.heard()
    play.line.send("prepare", 4)
    word, number, answer = await play.heard()
    assert (word, number, [one.code for one in unpack(answer)]) == ("prepared", 4, code)
    play.line.send("abort")
    play.line.send("commit", 4, [])
    assert await play.heard() == ("swapped", 4, []) and play.reloader.swapped == 0, "nothing is left to swap"
    await play.leave()


async def test_swapping_with_new_sockets() -> None:
    play = Play()
    await play.heard()
    play.line.send("prepare", 1)
    await play.heard()
    pairs = socket.socketpair()
    play.line.send("commit", 1, [("udp:a:1", True, True)], files=[end.fileno() for end in pairs])
    word, _, found = await play.heard()
    assert word == "swapped" and [one.code for one in unpack(found)] == ["W1"] and play.reloader.swapped == 1
    group = play.worker.offered["udp:a:1"]
    assert group.strays is not None and group.is_steered and len(group.workers) == 2
    group.close()
    for end in pairs:
        end.close()
    await play.leave()


async def test_a_reload_is_asked_of_the_master() -> None:
    play = Play()
    await play.heard()
    asked = asyncio.create_task(play.worker.env.reload(True))
    assert await play.heard() == ("reload", 1, True)
    play.line.send("reloaded", 1, pack([BAD]))
    async with asyncio.timeout(5):
        assert await asked == [BAD]
    await play.leave()
