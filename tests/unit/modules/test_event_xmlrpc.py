"""Events as calls to a real XML-RPC server."""
from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any
from xmlrpc.server import SimpleXMLRPCServer

import pytest

from kit.peer import free_port
from kit.playbook import make_worker
from osip.modules.event_xmlrpc import EventXmlrpc


@pytest.fixture
def site() -> Iterator[tuple[int, list[Any]]]:
    port, calls = free_port(), []       # type: ignore[var-annotated]
    server = SimpleXMLRPCServer(("127.0.0.1", port), logRequests=False, allow_none=True)
    server.register_function(lambda *args: calls.append(args) or 0, "told")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield port, calls
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("struct", "expected"), [
    (0, ("E_X", "a<b", 5, "", str(2 ** 40))), (1, ("E_X", {"s": "a<b", "n": 5, "z": "", "big": str(2 ** 40)}))])
async def test_calls(site: tuple[int, list[Any]], struct: int, expected: Any) -> None:
    port, calls = site
    env = make_worker((EventXmlrpc,), {"event_xmlrpc": {"use_struct_param": struct}})[0].env
    module: Any = env.modules["event_xmlrpc"]
    await module.child_init(env)
    deliver = module._connect(f"xmlrpc:127.0.0.1:{port}:told")
    deliver("E_X", {"s": "a\x01<b", "n": 5, "z": None, "big": 2 ** 40})
    box, = module._boxes.values()
    await box.drained()
    assert calls == [expected] and box.sent == 1
    await module.destroy()


async def test_faults_are_told(site: tuple[int, list[Any]], caplog: Any) -> None:
    env = make_worker((EventXmlrpc,))[0].env
    module: Any = env.modules["event_xmlrpc"]
    await module.child_init(env)
    for place, method in ((f"127.0.0.1:{site[0]}", "unknown"), (f"127.0.0.1:{free_port()}", "told"),
                          (f"127.0.0.1:{site[0]}/elsewhere", "told")):
        module._connect(f"xmlrpc:{place}:{method}")("E", {})
    for box in module._boxes.values():
        box._pause = 0
        await box.drained()
        assert box.lost == 1
    assert caplog.text.count("not delivered") == 3
    await module.destroy()


@pytest.mark.parametrize("address", ["xmlrpc:host", "xmlrpc:host:5", "xmlrpc:host:5/path", "xmlrpc:host:x:m"])
def test_refused(address: str) -> None:
    module = make_worker((EventXmlrpc,))[0].env.modules["event_xmlrpc"]
    with pytest.raises(ValueError):
        module._connect(address)


@pytest.mark.parametrize(("rest", "words"), [(b"fault></methodResponse>", "with a fault"), (b"x" * 70_000, "too long")])
async def test_an_answer_in_parts(rest: bytes, words: str, caplog: Any) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"</methodCall>")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n<methodResponse><" % (17 + len(rest)))
        await writer.drain()
        await asyncio.sleep(0.05)           # a packet of its own
        writer.write(rest)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    env = make_worker((EventXmlrpc,))[0].env
    module: Any = env.modules["event_xmlrpc"]
    await module.child_init(env)
    module._connect(f"xmlrpc:127.0.0.1:{server.sockets[0].getsockname()[1]}:told")("E", {})
    box, = module._boxes.values()
    box._pause = 0
    await box.drained()
    assert box.lost == 1 and words in caplog.text
    await module.destroy()
    server.close()
