"""Events over TCP, with and without answers."""
from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kit.peer import free_port
from kit.playbook import make_worker
from osip.modules.event_stream import EventStream


class Listener:
    """A server that answers each request by `how`."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.connections = 0
        self.how = "ok"
        self.port = free_port()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        text = ""
        while part := await reader.read(65536):
            text += part.decode()
            while text:
                found, end = json.JSONDecoder().raw_decode(text)
                text = text[end:]
                self.got.append(found)
                if "id" in found and self.how == "ok":
                    answer = json.dumps({"jsonrpc": "2.0", "id": found["id"], "result": "OK"}).encode()
                    writer.write(answer[:9])
                    await writer.drain()
                    writer.write(answer[9:])
                elif "id" in found and self.how == "error":
                    writer.write(json.dumps({"jsonrpc": "2.0", "id": found["id"], "error": {"code": 1}}).encode())
                elif self.how == "close":
                    writer.close()
                    return
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    made = Listener()
    server = await asyncio.start_server(made.serve, "127.0.0.1", made.port)
    yield made
    server.close()


def make(listener: Listener, **params: Any) -> tuple[Any, Any]:
    env = make_worker((EventStream,), {"event_stream": params})[0].env
    module: Any = env.modules["event_stream"]
    return module, module._connect(f"tcp:127.0.0.1:{listener.port}/told")


async def drained(module: Any) -> Any:
    (box, _), = module._boxes.values()
    box._pause = 0
    await box.drained()
    return box


async def test_notifications(listener: Listener) -> None:
    module, deliver = make(listener, event_param="event")
    deliver("E_X", {"a": 1})
    deliver("E_Y", {})
    await drained(module)
    await module.destroy()
    while len(listener.got) < 2:
        await asyncio.sleep(0.01)
    assert listener.got == [{"jsonrpc": "2.0", "method": "told", "params": {"event": "E_X", "a": 1}},
                            {"jsonrpc": "2.0", "method": "told", "params": {"event": "E_Y"}}]
    assert listener.connections == 1


async def test_answers(listener: Listener) -> None:
    module, deliver = make(listener, reliable_mode=1)
    deliver("E_X", {"a": 1})
    deliver("E_X", {"a": 2})
    box = await drained(module)
    assert [one["id"] for one in listener.got] == [1, 2] and box.sent == 2
    await module.destroy()


@pytest.mark.parametrize(("how", "words"), [("error", "refused"), ("silent", "no answer in time"), ("close", "closed")])
async def test_no_good_answer(listener: Listener, caplog: Any, how: str, words: str) -> None:
    module, deliver = make(listener, reliable_mode=1, timeout=100)
    listener.how = how
    deliver("E_X", {})
    assert (await drained(module)).lost == 1 and words in caplog.text
    listener.how = "ok"
    module.timeout = 5000
    deliver("E_X", {})
    assert (await drained(module)).sent == 1
    await module.destroy()


@pytest.mark.parametrize("address", ["tcp:host", "tcp:host:x", "tcp::5", "tcp:h:99999"])
def test_refused(address: str) -> None:
    module = make_worker((EventStream,))[0].env.modules["event_stream"]
    with pytest.raises(ValueError):
        module._connect(address)


def test_old_address() -> None:
    module = make_worker((EventStream,))[0].env.modules["event_stream"]
    module._connect("jsonrpc:127.0.0.1:7000:method")
    assert list(module._boxes) == [("127.0.0.1", 7000)]
