"""Several destinations behind one address."""
from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from kit.peer import free_port
from kit.playbook import make_worker
from osip.modules.event_datagram import EventDatagram
from osip.modules.event_rabbitmq import EventRabbitmq
from osip.modules.event_stream import EventStream
from osip.modules.event_virtual import EventVirtual
from osip.modules.event_xmlrpc import EventXmlrpc


class Ears:
    """Destinations `ear:N`; those in `deaf` raise."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.deaf: set[str] = set()

    def connect(self, address: str) -> Any:
        def deliver(name: str, params: dict[str, Any]) -> None:
            if address in self.deaf:
                raise OSError(f"{address} is deaf")
            self.heard.append(address[-1])
        return deliver


def make(policy: str) -> tuple[Any, Ears, Any]:
    worker, _, clock = make_worker((EventVirtual,))
    ears = Ears()
    worker.env.events.transports["ear"] = ears.connect
    module = worker.env.modules["event_virtual"]
    return module._connect(f"virtual:{policy} ear:1 ear:2 ear:3"), ears, clock


@pytest.mark.parametrize(("policy", "heard"), [("PARALLEL", "123123"), ("FAILOVER", "11"), ("ROUND-ROBIN", "12")])
def test_policies(policy: str, heard: str) -> None:
    deliver, ears, _ = make(policy)
    deliver("E", {})
    deliver("E", {})
    assert "".join(ears.heard) == heard


def test_failover_and_back() -> None:
    deliver, ears, clock = make("FAILOVER")
    ears.deaf = {"ear:1"}
    deliver("E", {})
    ears.deaf = set()
    deliver("E", {})            # left out for failover_timeout
    clock.advance(31)
    deliver("E", {})
    assert "".join(ears.heard) == "221"
    ears.deaf = {"ear:1", "ear:2", "ear:3"}
    with pytest.raises(Exception, match="ear:1 is deaf.*ear:3 is deaf"):
        deliver("E", {})


def test_parallel_tells_of_each_failure_but_serves_the_others() -> None:
    deliver, ears, _ = make("PARALLEL")
    ears.deaf = {"ear:2"}
    with pytest.raises(Exception, match="ear:2 is deaf"):
        deliver("E", {})
    assert ears.heard == ["1", "3"]


@pytest.mark.parametrize("address", ["virtual:", "virtual:ALL ear:1", "virtual:FAILOVER", "virtual:FAILOVER none:1",
                                     "virtual:FAILOVER virtual:x"])
def test_refused(address: str) -> None:
    module = make_worker((EventVirtual,))[0].env.modules["event_virtual"]
    with pytest.raises(ValueError):
        module._connect(address)


# --- destinations that fail later -------------------------------------------------------------------------------------

class Hall:
    """A worker with all kinds of destinations, and a listener on UDP that all fail over to."""

    def __init__(self, ear: socket.socket, **stream: Any) -> None:
        self.env = make_worker((EventDatagram, EventRabbitmq, EventStream, EventXmlrpc, EventVirtual), {"event_stream": stream})[0].env
        self.ear = ear
        self.last = f"udp:127.0.0.1:{ear.getsockname()[1]}"

    async def __aenter__(self) -> Hall:
        for module in self.env.modules.values():
            await module.child_init(self.env)
        return self

    async def __aexit__(self, *_: object) -> None:
        for module in self.env.modules.values():
            await module.destroy()

    async def heard(self, count: int) -> list[int]:
        """Return the numbers of the events that came, once there are so many."""
        found: list[int] = []
        async with asyncio.timeout(5):
            while len(found) < count:
                data = await asyncio.get_running_loop().sock_recv(self.ear, 9999)
                found.append(json.loads(data)["params"]["n"])
        return found


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        yield made


@pytest.mark.parametrize("policy", ["FAILOVER", "ROUND-ROBIN"])
@pytest.mark.parametrize("kind", ["tcp:127.0.0.1:{}", "xmlrpc:127.0.0.1:{}:told", "udp:127.0.0.1:{}", "http://127.0.0.1:{}/told",
                                  "rabbitmq:127.0.0.1:{}/key"])
async def test_nobody_listens(policy: str, kind: str, ear: socket.socket) -> None:
    async with Hall(ear) as hall:
        deliver = hall.env.events.connect(f"virtual:{policy} {kind.format(free_port())} {hall.last}")
        for number in range(6):                 # at once, before it is known that the first one fails
            deliver("E", {"n": number})
        assert sorted(await hall.heard(6)) == [0, 1, 2, 3, 4, 5]
        for number in range(6, 12):
            deliver("E", {"n": number})
        assert await hall.heard(6) == [6, 7, 8, 9, 10, 11]


async def test_a_server_that_dies(ear: socket.socket) -> None:
    got: list[int] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while data := await reader.read(9999):
            found = json.loads(data)
            got.append(found["params"]["n"])
            if len(got) == 3:                   # taken, but not answered
                writer.close()
                return
            writer.write(json.dumps({"jsonrpc": "2.0", "id": found["id"], "result": "OK"}).encode())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Hall(ear, reliable_mode=1) as hall:
        deliver = hall.env.events.connect(f"virtual:FAILOVER tcp:127.0.0.1:{port} {hall.last}")
        for number in range(6):
            deliver("E", {"n": number})
        assert await hall.heard(4) == [2, 3, 4, 5] and got == [0, 1, 2]
        server.close()
    for writer in writers:
        writer.close()


async def test_it_is_used_again_after_the_time(ear: socket.socket) -> None:
    port, got = free_port(), asyncio.Queue[int]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.put_nowait(json.loads(await reader.read(9999))["params"]["n"])
        writer.close()

    async with Hall(ear) as hall:
        deliver = hall.env.events.connect(f"virtual:FAILOVER tcp:127.0.0.1:{port} {hall.last}")
        box, = (box for box, _ in hall.env.modules["event_stream"]._boxes.values())
        box._pause = 0
        deliver("E", {"n": 1})
        assert await hall.heard(1) == [1]
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        deliver("E", {"n": 2})                  # left out for failover_timeout
        assert await hall.heard(1) == [2]
        hall.env.now += 31
        deliver("E", {"n": 3})
        async with asyncio.timeout(5):
            assert await got.get() == 3
        server.close()


async def test_nobody_is_there_at_all(ear: socket.socket, caplog: Any) -> None:
    async with Hall(ear) as hall:
        deliver = hall.env.events.connect(f"virtual:FAILOVER tcp:127.0.0.1:{free_port()} tcp:127.0.0.1:{free_port()}")
        for number in range(50):
            deliver("E", {"n": number})
        boxes = [box for box, _ in hall.env.modules["event_stream"]._boxes.values()]
        async with asyncio.timeout(5):
            while any(box._items for box in boxes):
                await asyncio.sleep(0.01)
    assert caplog.text.count("nobody took event") == 1 and len(caplog.messages) < 6
