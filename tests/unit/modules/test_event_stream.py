"""Events over TCP, with and without answers."""
from __future__ import annotations

import asyncio
import contextlib
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


@pytest.mark.parametrize("address", ["tcp:host", "tcp:host:x", "tcp::5", "tcp:h:99999", "http:host", "http://", "http:///x",
                                     "http://h/ x", "http://user:hidden@host/", "https://host/#part",
                                     "http://host:99999/"])
def test_refused(address: str) -> None:
    env = make_worker((EventStream,))[0].env
    with pytest.raises(ValueError, match="is no address") as caught:
        env.events.connect(address)
    assert "hidden" not in str(caught.value)


def test_old_address() -> None:
    module = make_worker((EventStream,))[0].env.modules["event_stream"]
    module._connect("jsonrpc:127.0.0.1:7000:method")
    assert list(module._boxes) == [("127.0.0.1", 7000)]


class Web:
    """A web server that answers by `how`: a status, or the name of a fault."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.heads: list[str] = []
        self.connections = 0
        self.how: int | str = 200

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                found = json.loads(await reader.readexactly(int(head.lower().partition("content-length:")[2].split()[0])))
                self.heads.append(head)
                self.got.append(found)
                if self.how == "silent":
                    continue
                if self.how == "close":
                    break
                status = self.how if isinstance(self.how, int) else 200
                body = json.dumps({"jsonrpc": "2.0", "id": found.get("id"), "result": "OK"})
                body = {"error": body.replace("result", "error"), "junk": "[1]", "text": "no JSON", "long": "x" * 70_000,
                        204: ""}.get(self.how, body)
                writer.write(f"HTTP/1.1 {status} X\r\nLocation: /other\r\nContent-Length: {len(body)}\r\n\r\n{body[:5]}".encode())
                await writer.drain()
                writer.write(body[5:].encode())
        writer.close()


@pytest.fixture
async def web() -> AsyncIterator[tuple[Web, int]]:
    made = Web()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made, server.sockets[0].getsockname()[1]
    server.close()


def make_http(port: int, **params: Any) -> tuple[Any, Any, Any]:
    env = make_worker((EventStream,), {"event_stream": params})[0].env
    module: Any = env.modules["event_stream"]
    deliver = env.events.connect(f"http://127.0.0.1:{port}/told?key=hidden")
    (box, _), = module._sites.values()
    box._pause = 0
    return module, deliver, box


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_http(web: tuple[Web, int], status: int) -> None:
    site, port = web
    site.how = status
    module, deliver, box = make_http(port, event_param="event")
    deliver("E_X", {"a": "é"})
    deliver("E_Y", {"1": 5})
    await box.drained()
    await module.destroy()
    assert site.got == [{"jsonrpc": "2.0", "method": "E_X", "params": {"event": "E_X", "a": "é"}},
                        {"jsonrpc": "2.0", "method": "E_Y", "params": {"event": "E_Y", "1": 5}}]
    assert site.connections == 1 and box.sent == 2
    assert site.heads[0].startswith("POST /told?key=hidden HTTP/1.1") and "application/json" in site.heads[0]


@pytest.mark.parametrize(("how", "words"), [
    (404, "HTTP status 404"), (302, "HTTP status 302"), (503, "HTTP status 503"), ("silent", "no answer in time"),
    ("close", "not delivered"), ("error", "refused"), ("junk", "no answer to this"), ("text", "not delivered"),
    ("long", "too long"), (204, "not delivered")])
async def test_http_faults(web: tuple[Web, int], caplog: Any, how: int | str, words: str) -> None:
    site, port = web
    site.how = how
    module, deliver, box = make_http(port, reliable_mode=1, timeout=100)
    deliver("E_X", {})
    await box.drained()
    assert box.lost == 1 and words in caplog.text and "hidden" not in caplog.text
    site.how, module.timeout = 200, 5000
    deliver("E_X", {})
    await box.drained()
    assert box.sent == 1 and site.got[-1]["id"] == 2
    await module.destroy()
