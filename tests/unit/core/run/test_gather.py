"""Management commands over several workers: where they run, and how one answer comes of many."""
from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from kit.crew import mesh
from osip.core.errors import MIError, OsipError
from osip.core.exports.declare import mi
from osip.core.exports.module import Module
from osip.core.exports.registry import Registry
from osip.core.exports.spec import Scope
from osip.core.run.bus import MeshBus
from osip.core.run.gather import GatheredCommands, combine


class Shop(Module):
    """Commands of every scope."""
    name = "shop"

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.runs: list[str] = []

    def _ran(self, name: str) -> None:
        self.runs.append(name)

    @mi()
    def any(self) -> int:
        """Say where."""
        self._ran("any")
        return self.number

    @mi(scope=Scope.LEADER)
    def leader(self) -> int:
        """Say where."""
        self._ran("leader")
        return self.number

    @mi(scope=Scope.EACH)
    async def each(self) -> dict[str, Any]:
        """Say where."""
        self._ran("each")
        return {"workers": [self.number], "same": "x", f"only{self.number}": 1}

    @mi(scope=Scope.EACH, combine="sum")
    def counted(self) -> dict[str, int]:
        """Count."""
        return {"n": self.number + 1}

    @mi(scope=Scope.EACH)
    def silent(self) -> None:
        """Do something."""
        self._ran("silent")

    @mi(scope=Scope.OWNER)
    def find(self, number: int) -> str:
        """Find a thing."""
        if number != self.number:
            raise MIError(404, "not here")
        return f"in {self.number}"

    @mi(scope=Scope.EACH)
    def broken(self) -> None:
        """Fail in one."""
        if self.number == 1:
            raise ValueError("oops")


class Team:
    def __init__(self, count: int = 3) -> None:
        self.shops: list[Shop] = []
        self.commands: list[GatheredCommands] = []
        self.buses: list[MeshBus] = mesh(count)
        for number, bus in enumerate(self.buses):
            registry = Registry()
            registry.add(Shop)
            registry.create()
            shop = registry.instances["shop"]
            shop.number = number
            self.shops.append(shop)
            self.commands.append(GatheredCommands(registry, bus))

    async def run(self, at: int, name: str, params: Any = None) -> Any:
        result = self.commands[at].run(name, params)
        return await result if inspect.isawaitable(result) else result


async def test_where_commands_run() -> None:
    team = Team()
    assert await team.run(1, "any") == 1 and await team.run(0, "leader") == 0 and await team.run(2, "shop:leader") == 0
    assert await team.run(1, "each") == {"workers": [1, 0, 2], "same": "x", "only0": 1, "only1": 1, "only2": 1}
    assert await team.run(0, "counted") == {"n": 6} and await team.run(0, "silent") == "OK"
    assert [shop.runs for shop in team.shops] == [["leader", "leader", "each", "silent"], ["any", "each", "silent"],
                                                  ["each", "silent"]]


async def test_a_worker_that_starts_does_what_others_ask_once_it_is_open() -> None:
    team = Team()
    team.commands[2].opened = asyncio.Event()
    asked = asyncio.ensure_future(team.run(0, "each"))
    while not team.shops[1].runs:
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert team.shops[2].runs == [] and not asked.done()
    team.commands[2].opened.set()
    assert (await asked)["workers"] == [0, 1, 2]


async def test_the_owner_answers() -> None:
    team = Team()
    assert await team.run(0, "find", [2]) == "in 2" and await team.run(2, "find", {"number": "2"}) == "in 2"
    with pytest.raises(MIError, match="not here"):
        await team.run(0, "find", [9])
    with pytest.raises(MIError, match="Invalid params"):
        await team.run(0, "find", [])
    with pytest.raises(MIError, match="not found"):
        await team.run(0, "nothing")


async def test_a_worker_that_fails() -> None:
    team = Team()
    assert await team.run(0, "broken") == "OK", "the others did it; the log has the reason"
    with pytest.raises(ValueError, match="oops"):
        await team.run(1, "broken")


async def test_alone_it_is_a_plain_call() -> None:
    team = Team(1)
    assert team.commands[0].run("find", [0]) == "in 0" and team.commands[0].run("leader") == 0


async def test_a_leader_that_is_away() -> None:
    team = Team(2)
    team.buses[0].close()
    with pytest.raises(OsipError, match="went away"):
        await team.run(1, "leader")


@pytest.mark.parametrize(("answers", "sums", "wanted"), [
    ([1], False, 1), (["a", "b"], False, "a"), ([[1], [2]], False, [1, 2]), ([1, 2], True, 3), ([1.5, 2], True, 3.5),
    ([True, True], True, True), (["a", "b"], True, "a"),
    ([{"a": [1], "b": {"c": 1}}, {"a": [2], "b": {"c": 2, "d": 5}}], False, {"a": [1, 2], "b": {"c": 1, "d": 5}}),
    ([{"a": {"b": 2}}, {"a": {"b": 3}}, {"c": 1}], True, {"a": {"b": 5}, "c": 1}), ([{"a": 1}, "OK"], False, {"a": 1}),
])
def test_combining(answers: list[Any], sums: bool, wanted: Any) -> None:
    assert combine(answers, sums) == wanted


class Tries(Module):
    """A command that fails in its own way in each worker."""
    name = "tries"
    number = 0

    @mi(scope=Scope.OWNER)
    def wait(self) -> None:
        """Fail."""
        raise MIError(500 if self.number == 1 else 404, f"from {self.number}")


async def test_the_error_that_says_most() -> None:
    commands = []
    for number, bus in enumerate(mesh(3)):
        registry = Registry()
        registry.add(Tries)
        registry.create()
        registry.instances["tries"].number = number
        commands.append(GatheredCommands(registry, bus))
    with pytest.raises(MIError, match="from 1"):
        await commands[0].run("wait")
