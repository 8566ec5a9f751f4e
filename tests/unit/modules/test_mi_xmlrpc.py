"""Management as XML-RPC."""
from __future__ import annotations

import xmlrpc.client
from typing import Any

import pytest

from kit.playbook import make_worker
from osip.api import Caller, MIError, Module, mi
from osip.core.mi.commands import Commands
from osip.modules.httpd import Httpd
from osip.modules.mi_xmlrpc import MiXmlrpc


class Pot(Module):
    """Some commands."""
    name = "pot"

    @mi("stir")
    async def stir(self, how: str = "slowly", times: int = 1) -> dict[str, Any]:
        """Stir."""
        if how == "never":
            raise MIError(404, "No spoon", "look again")
        return {"how": how, "times": times, "big": 2 ** 40, "bad": "a\x01b", "list": [None, True, 1.5]}

    @mi("break")
    def break_it(self) -> None:
        """Break."""
        raise RuntimeError("broken")


def make() -> Any:
    worker, _, _ = make_worker((Httpd, Pot, MiXmlrpc))
    worker.env.mi = Commands(worker.registry)
    return worker.env.modules["mi_xmlrpc"]


async def call(module: Any, method: str, *args: Any) -> Any:
    return xmlrpc.client.loads(await module.answer(xmlrpc.client.dumps(args, method).encode(), Caller()))[0][0]


@pytest.mark.parametrize("args", [("fast", 3), ("fast", "3"), ({"how": "fast", "times": 3},)])
async def test_calls(args: tuple[Any, ...]) -> None:
    assert await call(make(), "pot:stir", *args) == {"how": "fast", "times": 3, "big": str(2 ** 40), "bad": "ab",
                                                     "list": [None, True, 1.5]}


async def test_nothing_to_say_is_ok_and_faults(caplog: Any) -> None:
    module = make()
    for method, args, code, words in (("stir", ("never",), 404, "No spoon: look again"), ("none", (), -32601, "not found"),
                                      ("stir", (1, 2, 3), -32602, "Invalid params"), ("break", (), -32000, "see the log")):
        with pytest.raises(xmlrpc.client.Fault, match=words) as caught:
            await call(module, method, *args)
        assert caught.value.faultCode == code
    assert "broken" in caplog.text


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><methodCall><methodName>&b;</methodName></methodCall>'


@pytest.mark.parametrize("body", [b"", b"nonsense", b"<methodCall>", b"<methodResponse></methodResponse>", BOMB,
                                  b"<methodCall><methodName>stir</methodName><params><param><value><int>x</int></value>"
                                  b"</param></params></methodCall>", b"<a>" * 5000])
async def test_no_calls(body: bytes) -> None:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        xmlrpc.client.loads(await make().answer(body, Caller()))
    assert caught.value.faultCode in (-32700, -32600)
