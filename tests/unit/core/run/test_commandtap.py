"""What a capture server is told of management commands: which, what they answered, and no secrets."""
from __future__ import annotations

import json
from typing import Any

import pytest
from kit.playbook import make_worker

from osip.api import MIError, Module, TracedCommands, mi, rpc
from osip.core.mi.access import Caller
from osip.core.net.hep import HepPacket, encode_hep
from osip.core.run.commandtap import HEP_MI, parse_bwlist


class Pot(Module):
    """Some commands."""
    name = "pot"

    @mi("stir")
    def stir(self, how: str, times: int = 1) -> dict[str, Any]:
        """Stir."""
        if how == "never":
            raise MIError(404, "No spoon", "buy one")
        if how == "bug":
            raise RuntimeError("bug")
        return {"how": how, "times": times}

    @mi("login")
    async def login(self, user: str, password: str) -> dict[str, Any]:
        """Log in."""
        return {"user": user, "ha1": "deadbeef", "more": [{"token": "abc"}, "Authorization: Digest response=ff"]}

    @mi("all")
    def everything(self) -> list[str]:
        """Tell a lot."""
        return ["x" * 100] * 100_000


class Door(TracedCommands, Module):
    """Takes commands from outside."""
    name = "door"


class Homer:
    """In place of proto_hep."""

    def __init__(self) -> None:
        self.got: list[HepPacket] = []

    def send(self, id: str, packet: HepPacket) -> bool:
        assert id == "dst" and encode_hep(packet)
        self.got.append(packet)
        return True

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(packet.payload) for packet in self.got]


def make(bwlist: str = "") -> tuple[Any, Homer]:
    door: Any = make_worker((Pot, Door))[0].env.modules["door"]
    door.trace_destination, door.proto_hep = "dst", Homer()
    door.trace_bwlist = parse_bwlist(bwlist) if bwlist else ""
    return door, door.proto_hep


async def test_request_and_answer_belong_together() -> None:
    door, homer = make()
    caller = Caller("desk", peer="192.0.2.7:5000")
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "stir", "params": ["slowly", 2]}'
    assert b"slowly" in (await rpc.answer(door.commands, body, caller=caller) or b"")
    asked, answered = homer.got
    assert asked.kind == answered.kind == HEP_MI and asked.correlation == answered.correlation != ""
    assert (asked.source, asked.source_port, asked.dest) == ("192.0.2.7", 5000, "127.0.0.1")
    assert (answered.dest, answered.dest_port, answered.source) == ("192.0.2.7", 5000, "127.0.0.1")
    assert homer.told == [
        {"backend": "door", "command": "pot:stir", "who": "desk", "params": {"how": "slowly", "times": 2}},
        {"backend": "door", "command": "pot:stir", "code": 200, "reason": "OK", "reply": {"how": "slowly", "times": 2}}]
    await door.commands.run("pot:stir", ["again"])
    assert homer.told[2]["who"] == "script" and homer.got[2].correlation not in ("", asked.correlation)


@pytest.mark.parametrize(("name", "params", "code", "reason", "reply"), [
    ("stir", ["never"], 404, "No spoon", "buy one"), ("stir", ["bug"], -32000, "Server error", None),
    ("none", {"a": 1}, -32601, "Method not found", None), ("stir", [], -32602, "Invalid params", "Too few or too many parameters")])
async def test_failures(name: str, params: Any, code: int, reason: str, reply: Any) -> None:
    door, homer = make()
    with pytest.raises((MIError, RuntimeError)):
        await door.commands.perform(name, params)
    assert [homer.told[1][key] for key in ("code", "reason", "reply")] == [code, reason, reply]


@pytest.mark.parametrize("params", [["bob", "hidden"], {"user": "bob", "password": "hidden"}, {"password": "hidden"}, ["hidden"]])
async def test_secrets_stay(params: Any) -> None:
    door, homer = make()
    try:
        await door.commands.perform("login", params)
    except MIError:
        pass
    else:
        assert homer.told[1]["reply"] == {"user": "bob", "ha1": "***", "more": [{"token": "***"}, "Authorization: ***"]}
    assert len(homer.got) == 2
    for packet in homer.got:
        assert b"hidden" not in packet.payload and b"deadbeef" not in packet.payload


async def test_a_long_result_is_cut() -> None:
    door, homer = make()
    assert len(await door.commands.perform("pot:all")) == 100_000
    assert homer.told[1]["reply"][-1].endswith(" more") and len(homer.got[1].payload) < 40_000
    with pytest.raises(MIError):
        await door.commands.perform("none", {f"key{number}": "x" * 150 for number in range(5000)})
    assert len(homer.got) == 4 and len(homer.got[2].payload) < 40_000


@pytest.mark.parametrize(("text", "told"), [
    ("w: stir, pot:all", ["pot:stir"]), ("B:stir", ["pot:login", "none"]), ("b: none", ["pot:stir", "pot:login"]), ("w:", [])])
async def test_lists(text: str, told: list[str]) -> None:
    door, homer = make(text)
    await door.commands.perform("pot:stir", ["x"])
    await door.commands.perform("login", ["a", "b"])
    with pytest.raises(MIError):
        await door.commands.perform("none")
    assert [one["command"] for one in homer.told[::2]] == told


@pytest.mark.parametrize("text", ["stir", "x: stir", ": stir", "wb: stir"])
def test_bad_lists(text: str) -> None:
    with pytest.raises(ValueError, match="is no list"):
        parse_bwlist(text)


def test_without_a_destination_nothing_stands_between() -> None:
    door, _ = make()
    door.trace_destination = ""
    assert door.commands is door.env.mi
