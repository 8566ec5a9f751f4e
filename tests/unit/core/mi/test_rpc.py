"""JSON-RPC in, JSON-RPC out: shapes of section 1 of the MI reference."""
from __future__ import annotations

import json

import pytest

from osip.api import MIError, Module, mi
from osip.core.exports.registry import Registry
from osip.core.mi.commands import Commands
from osip.core.mi.rpc import answer, encode


class Store(Module):
    """Has commands."""
    name = "store"

    @mi("show", aliases=("st_show",))
    def show(self, aor: str, full: int | None = None):
        """Show one."""
        if aor == "nobody":
            raise MIError(404, "AOR not found", "no such user")
        if aor == "bug":
            raise RuntimeError("bug")
        return {"aor": aor, "full": full}

    @mi("list")
    async def list_(self):
        """List all."""
        return [1, 2]

    @mi("touch", named_only=True)
    def touch(self, code: int):
        """Touch."""

    @mi("get")
    def get(self, names: list[str]):
        """Get some."""
        return names


class Other(Module):
    """Has a command of the same bare name."""
    name = "other"

    @mi("list")
    def list_(self):
        """List others."""
        return []


@pytest.fixture
def commands() -> Commands:
    registry = Registry()
    registry.add(Store)
    registry.add(Other)
    registry.create()
    return Commands(registry)


async def ask(commands: Commands, method: str, params=None, **more):
    request = {"jsonrpc": "2.0", "id": 7, "method": method, **({"params": params} if params is not None else {}), **more}
    return json.loads(await answer(commands, json.dumps(request).encode()))


@pytest.mark.parametrize(("method", "params", "expected"), [
    ("store:show", ["a"], {"aor": "a", "full": None}), ("st_show", ["a", "4"], {"aor": "a", "full": 4}),
    ("show", {"aor": "a", "full": 1}, {"aor": "a", "full": 1}), ("store:list", None, [1, 2]),
    ("store:list", [], [1, 2]), ("touch", {"code": "3"}, "OK"), ("get", ["a", "b"], ["a", "b"]),
    ("get", [["a"]], ["a"]), ("get", {"names": ["x"]}, ["x"])])
async def test_results(commands, method, params, expected) -> None:
    assert await ask(commands, method, params) == {"jsonrpc": "2.0", "result": expected, "id": 7}


@pytest.mark.parametrize(("method", "params", "code", "data"), [
    ("nothing", None, -32601, None), ("list", None, -32001, "other:list, store:list"),
    ("show", [], -32602, "Too few or too many parameters"), ("show", ["a", 1, 2], -32602, None),
    ("show", {"who": 1}, -32602, "Named parameters do not match"), ("show", ["a", "x"], -32602, None),
    ("touch", [3], -32602, "Command only supports named parameters"), ("show", ["nobody"], 404, "no such user"),
    ("show", ["bug"], -32000, "see the log"), ("show", [{}], -32602, None)])
async def test_errors(commands, method, params, code, data) -> None:
    error = (await ask(commands, method, params))["error"]
    assert error["code"] == code
    if data:
        assert error["data"] == data


@pytest.mark.parametrize(("body", "code"), [
    (b"{", -32700), (b"", -32700), (b"\xff", -32700), (b"1", -32600), (b"[]", -32600), (b'{"method":1}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"show","params":3}', -32600), (b'{"id":1,"method":"show"}', -32600)])
async def test_bad_requests(commands, body, code) -> None:
    assert json.loads(await answer(commands, body))["error"]["code"] == code


async def test_notifications_and_batches(commands) -> None:
    silent = {"jsonrpc": "2.0", "method": "store:list"}
    assert await answer(commands, json.dumps(silent).encode()) is None
    batch = [silent, {**silent, "id": 1}, {**silent, "id": 2, "method": "x"}]
    replies = json.loads(await answer(commands, json.dumps(batch).encode()))
    assert [r["id"] for r in replies] == [1, 2] and "error" in replies[1]
    assert await answer(commands, json.dumps([silent]).encode()) is None


def test_results_that_are_not_utf8_are_encoded_all_the_same() -> None:
    assert json.loads(encode({"ua": "x\udcff"}))["ua"].startswith("x")
    assert json.loads(encode({1: {"a"}}))
