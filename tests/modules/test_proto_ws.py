"""WebSockets through real sockets on loopback: our transport against the websockets library and against itself."""
from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from kit.playbook import make_worker
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from osip.core.errors import MIError
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run.env import Env
from osip.core.run.stats import Stats
from osip.modules.proto_ws import ProtoWs

SIP = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/WS h;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\n\r\n"


class Side:
    """A WebSocket transport with one listening socket and what it received; it answers with what it got."""

    def __init__(self, echo: bool = False, params: dict[str, Any] | None = None, host: str = "127.0.0.1",
                 **settings: Any) -> None:
        self.env = Env()
        self.env.stats = Stats()
        self.env.timers.reset(time.monotonic())
        for name, value in settings.items():
            self.env.config.set(name, value)
        module = ProtoWs()
        for name, value in (params or {}).items():
            setattr(module, name, value)
        self.transport = module.make_transport(self.env)
        self.local = LocalSocket("ws", host, 0)
        self.transport.open(self.local, asyncio.get_running_loop(), self)
        self.got: list[tuple[bytes, Source]] = []
        self.unsent: list[bytes] = []
        self._echo = echo
        self._changed = asyncio.Event()

    def batch_start(self) -> None: ...

    def batch_end(self) -> None: ...

    def receive(self, raw: bytes, source: Source) -> None:
        self.got.append((raw, source))
        if self._echo:
            assert self.transport.send(raw, Dest("ws", source.host, source.port, source.socket, source.conn))
        self._changed.set()

    def on_unsent(self, data: bytes, dest: Dest) -> None:
        self.unsent.append(data)
        self._changed.set()

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(5):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    def url(self, path: str = "/") -> str:
        return f"ws://127.0.0.1:{self.local.port}{path}"


def test_tracing_needs_a_running_server_and_a_destination() -> None:
    module = ProtoWs()
    with pytest.raises(MIError, match="not started"):
        module.mi_trace()
    module.tap(make_worker(())[0].env, SimpleNamespace(connections=SimpleNamespace()))
    assert module.mi_trace() == {"State": "off"}
    with pytest.raises(MIError, match="No destination"):
        module.mi_trace("on")


async def test_a_client_is_served() -> None:
    side = Side(echo=True)
    async with connect(side.url(), subprotocols=["sip"], origin="http://x", compression="deflate") as client:
        assert client.subprotocol == "sip"
        await client.send(SIP.decode())
        assert await client.recv() == SIP.decode()
        await client.send(SIP)
        assert await client.recv() == SIP.decode()
        await client.send([SIP[:10].decode(), SIP[10:].decode()])
        assert await client.recv() == SIP.decode()
        await client.send("\r\n\r\n")
        assert await client.recv() == "\r\n"
        await (await client.ping())
        big = SIP + b"x" * 300_000
        await client.send(big)
        assert await client.recv() == big.decode()
        assert len(side.transport.connections) == 1
        side.transport.close()
        with pytest.raises(ConnectionClosed) as raised:
            await client.recv()
        assert raised.value.rcvd is not None and raised.value.rcvd.code == 1001


@pytest.mark.parametrize(("path", "protocols", "origin", "status"), [
    ("/other", ["sip"], "http://x", 404), ("/ws", None, "http://x", 400), ("/ws", ["sip"], None, 403)])
async def test_bad_handshakes(path: str, protocols: Any, origin: Any, status: int) -> None:
    side = Side(params={"ws_resource": "/ws"})
    with pytest.raises(InvalidStatus) as raised:
        await connect(side.url(path), subprotocols=protocols, origin=origin)
    assert raised.value.response.status_code == status
    side.transport.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_two_servers_connect_to_each_other(host: str) -> None:
    near, far = Side(host=host, tcp_connect_timeout=2000), Side(echo=True, host=host)
    assert near.transport.send(SIP, Dest("ws", host, far.local.port, near.local))
    await near.until(lambda: near.got)
    assert near.got[0][0] == far.got[0][0] == SIP
    assert near.transport.send(SIP, Dest("ws", host, far.local.port, near.local))
    await near.until(lambda: len(near.got) == 2)
    assert len(near.transport.connections) == len(far.transport.connections) == 1
    near.transport.close()
    far.transport.close()


async def test_a_connection_that_is_gone_is_not_made_anew() -> None:
    near, far = Side(), Side()
    assert not near.transport.send(SIP, Dest("ws", "127.0.0.1", far.local.port, near.local, 999))
    near.transport.close()
    far.transport.close()


async def test_a_server_that_is_none_gives_the_message_back() -> None:
    near, deaf = Side(tcp_connect_timeout=2000), Side(params={"ws_resource": "/elsewhere"})
    assert near.transport.send(SIP, Dest("ws", "127.0.0.1", deaf.local.port, near.local))
    await near.until(lambda: near.unsent)
    assert near.unsent == [SIP] and not near.got
    near.transport.close()
    deaf.transport.close()


async def test_a_frame_of_two_gigabytes_costs_nothing() -> None:
    side = Side()
    async with connect(side.url(), subprotocols=["sip"], origin="http://x") as client:
        client.transport.write(b"\x81\xff" + (2 << 30).to_bytes(8, "big") + b"\0" * 4 + b"a" * 100_000)
        with pytest.raises(ConnectionClosed) as raised:
            await client.recv()
        assert raised.value.rcvd is not None and raised.value.rcvd.code == 1009
    assert len(side.transport.connections) == 0 and side.transport.waiting == 0
    side.transport.close()


async def test_frames_that_never_end_are_given_up() -> None:
    side = Side(tcp_max_msg_time=1)
    wheel = asyncio.get_running_loop().create_task(_turn(side))
    async with connect(side.url(), subprotocols=["sip"], origin="http://x") as client:
        client.transport.write(b"\x01\xfe\xff\xff" + b"\0" * 4 + b"a" * 10)
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(5):
                await client.recv()
    wheel.cancel()
    assert len(side.transport.connections) == 0
    side.transport.close()


async def _turn(side: Side) -> None:
    while True:
        side.env.timers.run(time.monotonic())
        await asyncio.sleep(0.05)
