"""Commands by every accepted name, and the recipes of their parameters (MI section 1)."""
from __future__ import annotations

from typing import Any

import pytest

from osip.api import MIError, Module, mi
from osip.core.exports.registry import Registry
from osip.core.mi.commands import AMBIGUOUS, BAD_PARAMS, NOT_FOUND, Commands


class One(Module):
    """Has commands."""
    name = "one"

    @mi("show", aliases=("one_show",))
    def show(self, aor: str, full: int | None = None) -> Any:
        """Show."""
        return [aor, full]

    @mi("list", aliases=("ls",))
    def list_(self) -> Any:
        """List."""
        return []

    @mi("check", recipes=(("a", "ip"), ("ip", "port"), ("a", "ip", "port")))
    def check(self, ip: str, a: str = "", port: int = 0) -> Any:
        """Check."""
        return [ip, a, port]

    @mi("named", named_only=True)
    def named(self, a: str, b: int = 0) -> Any:
        """Named only."""
        return [a, b]

    @mi("gather")
    def gather(self, names: list[str]) -> Any:
        """Gather."""
        return names

    @mi("raw")
    def raw(self, what: Any) -> Any:
        """Take anything."""
        return what


class Two(Module):
    """Has a command of the same bare name."""
    name = "two"

    @mi("list", aliases=("two_list",))
    async def list_(self) -> None:
        """List."""

    @mi("get", group="statistics")
    def get(self) -> str:
        """Another group."""
        return "got"


@pytest.fixture
def commands() -> Commands:
    registry = Registry((One, Two))
    registry.create()
    return Commands(registry)


@pytest.mark.parametrize(("name", "canonical"), [
    ("one:show", "one:show"), ("one_show", "one:show"), ("show", "one:show"), ("ls", "one:list"), ("two_list",
        "two:list"),
    ("statistics:get", "statistics:get"), ("get", "statistics:get")])
def test_names(name: str, canonical: str, commands: Commands) -> None:
    assert commands.find(name).canonical == canonical


@pytest.mark.parametrize(("name", "code", "told"), [
    ("none", NOT_FOUND, None), ("two:show", NOT_FOUND, None), ("two:get", NOT_FOUND, None), ("", NOT_FOUND, None),
    ("list", AMBIGUOUS, "one:list, two:list")])
def test_no_such_command(name: str, code: int, told: str | None, commands: Commands) -> None:
    with pytest.raises(MIError) as caught:
        commands.run(name)
    assert (caught.value.code, caught.value.data) == (code, told)


@pytest.mark.parametrize(("prefix", "names"), [
    ("one:", ["one:check", "one:gather", "one:list", "one:named", "one:raw", "one:show"]), ("two:l", ["two:list"]),
    ("x", [])])
def test_listing(prefix: str, names: list[str], commands: Commands) -> None:
    assert commands.names(prefix) == names


@pytest.mark.parametrize(("name", "params", "result"), [
    ("show", ["a"], ["a", None]), ("show", ["a", 1], ["a", 1]), ("show", ["a", "0x10"], ["a", 16]), ("show", [5], ["5",
        None]),
    ("show", {"aor": "a"}, ["a", None]), ("show", {"full": "2", "aor": "a"}, ["a", 2]),
    ("check", ["a", "ip", "5"], ["ip", "a", 5]), ("check", {"ip": "i", "port": 5}, ["i", "", 5]), ("check", {"a": "x",
        "ip": "i"}, ["i", "x", 0]),
    ("named", {"a": "x"}, ["x", 0]), ("gather", ["a", "b"], ["a", "b"]), ("gather", [["a", "b"]], ["a", "b"]),
    ("gather", {"names": "a"}, ["a"]),
    ("gather", ["a"], ["a"]), ("raw", [{"x": [1]}], {"x": [1]}), ("one:list", None, [])])
def test_parameters(name: str, params: Any, result: Any, commands: Commands) -> None:
    assert commands.run(name, params) == result


@pytest.mark.parametrize(("name", "params", "told"), [
    ("show", [], "Too few or too many parameters"), ("show", ["a", 1, 2], "Too few or too many parameters"),
    ("show", {}, "Named parameters do not match"), ("show", {"aor": "a", "x": 1}, "Named parameters do not match"),
    ("show", {"full": 1}, "Named parameters do not match"), ("check", ["a", "b"],
        "Ambiguous call, use named parameters instead"),
    ("named", ["a"], "Command only supports named parameters"), ("show", ["a", "x"],
        'parameter "full" must be a number'),
    ("show", ["a", True], 'parameter "full" must be a number'), ("show", ["a", 1.5],
        'parameter "full" must be a number'),
    ("show", [["a"]], 'parameter "aor" must be a string'), ("show", [None], 'parameter "aor" must be a string'),
    ("gather", [], "Too few or too many parameters"), ("one:list", ["x"], "Too few or too many parameters")])
def test_bad_parameters(name: str, params: Any, told: str, commands: Commands) -> None:
    with pytest.raises(MIError) as caught:
        commands.run(name, params)
    assert (caught.value.code, caught.value.data) == (BAD_PARAMS, told)


async def test_nothing_is_ok(commands: Commands) -> None:
    assert await commands.run("two:list") == "OK"
