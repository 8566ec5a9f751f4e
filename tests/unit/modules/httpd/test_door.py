"""How many may come in, and who is put out."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from kit.certificates import Authority
from kit.peer import HOST, free_port
from osip.api import Complaint
from osip.modules.httpd import door as door_module
from osip.modules.httpd.door import Door


class Echo(asyncio.Protocol):
    """Stands for aiohttp's handler of a connection."""

    def __init__(self) -> None:
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None


class Clock:
    """Seconds that tests set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def opened(limit: int = 3, idle: float = 30.0) -> AsyncIterator[tuple[Door, Clock, Callable[[], Any]]]:
    """Open a door on a free port; the third value connects to it."""
    clock, port = Clock(), free_port()
    made: list[socket.socket] = []
    door = Door(Echo, Complaint(logging.getLogger("osip.test")), limit=limit, idle=idle, clock=clock)
    await door.open(HOST, port)

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(HOST, port)
        made.append(writer.get_extra_info("socket"))
        return reader, writer

    try:
        yield door, clock, connect
    finally:
        door.close()


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.001)


async def answers(pair: Any) -> bool:
    """Say whether a connection is served."""
    reader, writer = pair
    try:
        writer.write(b"x")
        async with asyncio.timeout(5):
            return await reader.read(1) == b"x"
    except ConnectionError:
        return False


async def test_a_limited_number_comes_in() -> None:
    async with opened() as (door, _, connect):
        guests = [await connect() for _ in range(3)]
        assert [await answers(pair) for pair in guests] == [True] * 3 and len(door) == 3
        assert not await answers(await connect()) and door.refused == 1
        guests[0][1].close()
        await until(lambda: any(guest.is_gone() for guest in door._guests))
        assert await answers(await connect()) and len(door) == 3


async def test_the_silent_one_gives_way() -> None:
    async with opened() as (door, clock, connect):
        guests = []
        for _ in range(3):
            guests.append(await connect())
            await until(lambda: len(door._by_http) == len(guests))
            clock.now += 2
        door.begin(door.note(door._guests[0].http))
        assert await answers(await connect())
        assert await guests[1][0].read() == b"" and door.put_out == 1, "the first is being served"
        assert await answers(guests[0]) and await answers(guests[2])


async def test_those_who_are_served_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(limit=1) as (door, clock, connect):
        first = await connect()
        await until(lambda: len(door._by_http) == 1)
        guest = door.note(door._guests[0].http)
        door.begin(guest)
        clock.now += 1000
        door._sweep()
        assert not await answers(await connect()) and await answers(first)
        door.end(guest)
        assert guest is not None and guest.since == clock.now and guest.asked == 1


async def test_who_asks_nothing_is_put_out() -> None:
    async with opened() as (door, clock, connect):
        silent, asked = await connect(), await connect()
        await until(lambda: len(door._by_http) == 2)
        door.end(door.note(door._guests[1].http))
        clock.now += door_module.HEAD_SECONDS
        door._sweep()
        assert await silent[0].read() == b"" and await answers(asked)
        clock.now += 30
        door._sweep()
        assert await asked[0].read() == b"" and len(door) == 0 and not door._by_http


async def test_a_taken_port() -> None:
    with socket.create_server((HOST, 0)) as taken:
        door = Door(Echo, Complaint(logging.getLogger("osip.test")), limit=1, idle=1)
        with pytest.raises(OSError, match="in use"):
            await door.open(HOST, taken.getsockname()[1])


async def test_files_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "PAUSE", 0.05)
    async with opened() as (door, _, connect):

        class Short:
            fails = 1

            def __init__(self, sock: socket.socket) -> None:
                self.sock = sock

            def accept(self) -> Any:
                if self.fails:
                    self.fails -= 1
                    raise OSError(24, "Too many open files")
                return self.sock.accept()

            def fileno(self) -> int:
                return self.sock.fileno()

            def close(self) -> None:
                self.sock.close()

        short: Any = Short(door._sockets[0])
        door._sockets[0] = short
        asyncio.get_running_loop().add_reader(short.fileno(), door._on_readable, short)
        assert await answers(await connect()) and not short.fails


async def test_localhost_is_all_its_addresses() -> None:
    door = Door(Echo, Complaint(logging.getLogger("osip.test")), limit=2, idle=1)
    port = free_port()
    await door.open("localhost", port)
    reader, writer = await asyncio.open_connection(HOST, port)
    assert await answers((reader, writer))
    door.close()


def test_silent_handshakes_give_way_and_leave_nothing(tmp_path: Path) -> None:
    """As the server runs it, on uvloop: connections that begin no TLS are put out, also by those that come later."""
    files = Authority(tmp_path).issue("localhost", hosts=("localhost",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)

    async def run() -> None:
        clock, port = Clock(), free_port()
        complain = Complaint(logging.getLogger("osip.test"))
        door = Door(Echo, complain, limit=3, idle=30, context=context, clock=clock)
        await door.open(HOST, port)
        before = len(os.listdir("/proc/self/fd"))
        clients = [socket.create_connection((HOST, port)) for _ in range(3)]
        await until(lambda: len(door) == 3)
        clock.now += 2
        trusting = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
        pair = await asyncio.open_connection(HOST, port, ssl=trusting, server_hostname="localhost")
        assert await answers(pair) and door.put_out == 1 and len(door) == 3
        clock.now += door_module.HEAD_SECONDS
        door._sweep()
        pair[1].transport.abort()
        for one in clients:
            one.close()
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before + 1)  # uvloop keeps one in reserve
        door.close()
        assert not door._by_http

    uvloop.run(run())
