"""What is told of connections: to whom, when, and that no filter or fault of a script costs a connection."""
from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from typing import Any, Self

import pytest
from kit.playbook import FakeProgram, make_worker

from osip.core.errors import MIError
from osip.core.net.connections import StreamLimits
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.hep import HepPacket
from osip.core.net.tcp import TcpTransport
from osip.core.run.config import Config
from osip.core.run.ctx import Ctx
from osip.core.run.timers import Timers
from osip.core.run.wiretap import GONE, HEP_NET, WireTap


class Homer:
    """In place of proto_hep."""

    def __init__(self) -> None:
        self.got: list[HepPacket] = []

    def send(self, id: str, packet: HepPacket) -> bool:
        assert id == "dst"
        self.got.append(packet)
        return True

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(packet.payload) for packet in self.got]


class FakeModule:
    name = "proto_tcp"
    trace_destination, trace_on, trace_filter_route = "dst", 1, ""

    def __init__(self) -> None:
        self.proto_hep = Homer()


class Stage:
    """A real TCP transport with a tap on it."""

    def __init__(self, **settings: Any) -> None:
        self.env = make_worker(())[0].env
        self.module = FakeModule()
        for name, value in settings.items():
            setattr(self.module, name, value)
        config = Config()
        config.tcp_connect_timeout = 2000           # type: ignore[attr-defined]
        self.transport = TcpTransport(config, Timers(time.monotonic()), StreamLimits(config))
        self.tap = WireTap(self.env, self.module, self.transport)
        self.local = LocalSocket("tcp", "127.0.0.1", 0)
        self.news = asyncio.Event()
        inner = self.transport.connections.watcher
        assert inner is not None

        def watcher(what: str, conn: Any, why: str) -> None:
            inner(what, conn, why)
            self.news.set()
        self.transport.connections.watcher = watcher

    async def __aenter__(self) -> Self:
        class Receiver:
            def batch_start(self) -> None: ...
            def batch_end(self) -> None: ...
            def receive(self, raw: bytes, source: Any) -> None: ...
        self.transport.open(self.local, asyncio.get_running_loop(), Receiver())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.transport.close()

    async def next(self) -> None:
        """Wait until something happens to a connection."""
        async with asyncio.timeout(5):
            await self.news.wait()
        self.news.clear()

    async def visit(self) -> int:
        """Come and go; return the port it was done from."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.local.port)
        port = writer.get_extra_info("sockname")[1]
        await self.next()
        writer.close()
        await self.next()
        return int(port)


async def test_an_accepted_connection() -> None:
    async with Stage() as stage:
        port = await stage.visit()
        first, last = stage.module.proto_hep.got
        assert [one["event"] for one in stage.module.proto_hep.told] == ["accepted", "closed"]
        assert stage.module.proto_hep.told[1] | {"id": 0} == {"event": "closed", "proto": "tcp", "id": 0, "received": 0, "sent": 0,
                                                               "reason": "by the peer"}
        assert (first.source_port, first.dest_port, first.kind, first.protocol) == (port, stage.local.port, HEP_NET, 6)
        assert first.correlation == last.correlation != "" and first.seconds > 1_600_000_000


async def test_connections_of_ours() -> None:
    async with Stage() as stage:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
            server.bind(("127.0.0.1", 0))
            where = Dest("tcp", "127.0.0.1", server.getsockname()[1], stage.local)
            assert stage.transport.send(b"x", where)
            await stage.next()                      # nobody listens
            server.listen(1)
            assert stage.transport.send(b"x", where)
            await stage.next()
            stage.transport.disconnect(next(iter(stage.transport.connections)).id)
            await stage.next()
        told = stage.module.proto_hep.told
        assert [one["event"] for one in told] == ["failed", "connected", "closed"]
        assert told[0]["reason"] and told[2]["reason"] == "by us" and told[2]["sent"] == 1
        assert stage.module.proto_hep.got[1].dest_port == where.port


@pytest.mark.parametrize(("settings", "mode", "count"), [
    ({"trace_on": 0}, None, 0), ({"trace_on": 0}, "on", 2), ({}, "off", 0), ({"trace_destination": ""}, None, 0)])
async def test_switching(settings: dict[str, Any], mode: str | None, count: int) -> None:
    async with Stage(**settings) as stage:
        if mode is not None:
            assert stage.tap.switch(mode) is None and stage.tap.switch(None) == {"State": mode}
        await stage.visit()
        assert len(stage.module.proto_hep.got) == count
        if not stage.module.trace_destination:
            with pytest.raises(MIError, match="No destination"):
                stage.tap.switch("on")
        with pytest.raises(MIError, match="Invalid"):
            stage.tap.switch("maybe")


async def test_one_that_was_open_before_is_not_told_of() -> None:
    async with Stage(trace_on=0) as stage:
        _, writer = await asyncio.open_connection("127.0.0.1", stage.local.port)
        await stage.next()
        stage.tap.switch("on")
        writer.close()
        await stage.next()
        assert not stage.module.proto_hep.got


def drops(ctx: Ctx) -> int:
    assert ctx.source is not None and ctx.source.host == "127.0.0.1" and ctx.source.port
    ctx.dropped = True
    return 0


def fails(ctx: Ctx) -> int:
    raise ValueError("no")


async def waits(ctx: Ctx) -> int:
    return 1


@pytest.mark.parametrize(("route", "count", "line"), [
    (lambda ctx: 1, 2, ""), (drops, 0, ""), (fails, 2, "failed"), (waits, 2, "waits"), (None, 2, "there is no route")])
async def test_filter_routes(route: Any, count: int, line: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Stage(trace_filter_route="F") as stage:
        stage.env.program = FakeProgram(**({"F": route} if route else {}))
        with caplog.at_level(logging.WARNING, "osip"):
            await stage.visit()
        assert len(stage.module.proto_hep.got) == count
        assert line in caplog.text and bool(line) == bool(caplog.messages)


async def test_the_event() -> None:
    told: list[Any] = []
    async with Stage(trace_on=0) as stage:
        await stage.visit()
        stage.env.events.subscribe(GONE, "x:1", lambda name, params: told.append(params))
        port = await stage.visit()
        assert told == [{"src_ip": "127.0.0.1", "src_port": port, "dst_ip": "127.0.0.1", "dst_port": stage.local.port,
                         "proto": "tcp"}]
