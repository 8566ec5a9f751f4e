"""Management commands from the script: words, named parameters, results and codes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from kit.message import request
from kit.passage import Box
from kit.playbook import make_worker

from osip.api import Ctx, MIError, Module, OsipError, Source, mi, parse
from osip.core.run.management import CoreCommands
from osip.modules.mi_script import MiScript


class Pot(Module):
    """Some commands."""

    name = "pot"

    @mi("stir")
    def stir(self, how: str, times: int = 1) -> dict[str, Any]:
        """Stir."""
        if how == "never":
            raise MIError(404, "No spoon", "buy one")
        if how == "broken":
            raise OsipError("the pot is broken")
        return {"how": how, "times": times}

    @mi("wait")
    async def wait(self) -> None:
        """Wait a moment."""
        await asyncio.sleep(0)


class Avp(Box):
    """An AVP by reference."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def make(**params: Any) -> tuple[Any, Ctx]:
    worker, _, _ = make_worker((CoreCommands, Pot, MiScript), {"mi_script": params})
    return worker.env.modules["mi_script"], Ctx(
        worker.env, parse(request()), Source(worker.env.sockets[0], "10.0.0.1", 5060)
    )


@pytest.mark.parametrize(
    ("command", "code", "result"),
    [
        ("stir fast", 1, {"how": "fast", "times": 1}),
        ("pot:stir 'very fast' 3", 1, {"how": "very fast", "times": 3}),
        ("wait", 1, "OK"),
        ("  stir   a\t2 ", 1, {"how": "a", "times": 2}),
        ("stir never", -404, {"code": 404, "message": "No spoon", "data": "buy one"}),
        ("none", -32601, {"code": -32601, "message": "Method not found", "data": None}),
        ("stir", -32602, {"code": -32602, "message": "Invalid params", "data": "Too few or too many parameters"}),
        ("stir broken", -32000, {"code": -32000, "message": "Server error", "data": "the pot is broken"}),
        ("stir it's", 1, {"how": "it's", "times": 1}),
    ],
)
async def test_commands(command: str, code: int, result: Any) -> None:
    module, ctx = make()
    ret = Box()
    assert await module.mi(ctx, command, ret) == code
    text = ret.values[-1]
    assert (text if isinstance(result, str) else json.loads(text)) == result
    assert await module.mi(ctx, command) == code, "nobody has to want the result"


async def test_no_command() -> None:
    module, ctx = make()
    assert await module.mi(ctx, "  ") == -1


async def test_named_parameters() -> None:
    module, ctx = make()
    ret, names, values = Box(), Avp("$avp(n)"), Avp("$avp(v)")
    ctx.avp("n").extend(["how", "times"])
    ctx.avp("v").extend(["slowly", 7])
    assert await module.mi(ctx, "stir", ret, names, values) == 1
    assert json.loads(ret.values[-1]) == {"how": "slowly", "times": 7}
    ctx.avp("v").pop()
    assert await module.mi(ctx, "stir", ret, names, values) == -32602
    assert json.loads(ret.values[-1])["data"] == "2 names in params and 1 values in vals"


async def test_pretty_printing() -> None:
    module, ctx = make(pretty_printing=1)
    ret = Box()
    await module.mi(ctx, "stir a", ret)
    assert ret.values[-1] == '{\n  "how": "a",\n  "times": 1\n}'
