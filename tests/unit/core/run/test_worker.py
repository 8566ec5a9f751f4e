"""One worker: its life, its sockets, its timers, and who it thinks it is."""
from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from kit.message import request
from kit.playbook import FakeProgram, make_worker
from osip.api import Env, Hook, Module, hook, needs, param, timer
from osip.core.errors import OsipError
from osip.core.exports.registry import Registry
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run.config import Config
from osip.core.run.program import TimerRoute
from osip.core.run.worker import WOKEN, Worker, seconds

UDP, TCP = LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("tcp", "10.0.0.9", 5060)
OTHER, SIX = LocalSocket("udp", "10.0.1.9", 5080, "edge.example.com", 5099), LocalSocket("udp", "2001:db8::9", 5060)


class Wire:
    """A transport that remembers."""

    def __init__(self, log: list[str]) -> None:
        self.log, self.sent, self.fails = log, [], False

    def open(self, socket: LocalSocket, loop: Any, worker: Any) -> None:
        if self.fails:
            raise OSError(98, "Address already in use")
        self.log.append(f"open {socket.text}")

    def send(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((data, dest))
        return True

    def shut(self, socket: LocalSocket) -> None:
        self.log.append(f"shut {socket.text}")

    async def close(self) -> None:
        self.log.append("close transport")


class ProtoUdp(Module):
    """A protocol."""
    name = "proto_udp"
    transport = "udp"

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.wire = Wire(self.log)

    def make_transport(self, env: Env) -> Wire:
        return self.wire

    def mod_init(self) -> None:
        self.log.append("mod_init proto")

    async def child_init(self, env: Env) -> None:
        self.log.append("child_init proto")

    async def destroy(self) -> None:
        self.log.append("destroy proto")


class Busy(Module):
    """Has work, timers and hooks."""
    name = "busy"
    every = param(0, doc="Seconds.")
    proto = needs("proto_udp")
    left = 0
    ticks = 0
    broken = False

    def mod_init(self) -> None:
        self.proto.log.append("mod_init busy")

    async def child_init(self, env: Env) -> None:
        self.proto.log.append("child_init busy")
        if self.broken:
            raise OsipError("cannot start")

    async def destroy(self) -> None:
        self.proto.log.append("destroy busy")
        raise RuntimeError("untidy")

    @timer("every")
    def sometimes(self) -> None:
        """Count by the parameter."""
        self.ticks += 1

    @timer(2)
    async def often(self) -> None:
        """Count and fail."""
        self.ticks += 100

    @timer(1)
    def failing(self) -> None:
        """Fail."""
        raise RuntimeError("bug")

    @hook(Hook.DRAIN)
    def drain(self) -> int:
        return self.left

    @hook(Hook.IN_USE)
    def in_use(self, socket: LocalSocket) -> int:
        return self.left

    @hook(Hook.KNOWN)
    def known(self, msg: Any) -> bool:
        return bool(msg.call_id == "known")

    @hook(Hook.UNSENT)
    def unsent(self, data: bytes, dest: Dest) -> None:
        self.proto.log.append(f"unsent {data!r} {dest}")


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Give the garbage collector back as it was."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def real(**program: Any) -> tuple[Worker, Any, Any]:
    """Return a worker on a fake transport, with its two modules."""
    registry = Registry((Busy, ProtoUdp))
    registry.create()
    worker = Worker(Env(Config(), registry), registry, [LocalSocket("udp", "10.0.0.9", 5060)])
    worker.init_modules()
    worker.set_program(FakeProgram(**program))
    return worker, registry.instances["busy"], registry.instances["proto_udp"]


async def started(worker: Worker) -> asyncio.Task[None]:
    ready = asyncio.Event()
    task = asyncio.create_task(worker.run(ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return task


async def test_a_life(caplog: pytest.LogCaptureFixture) -> None:
    worker, busy, proto = real()
    async with asyncio.timeout(5):
        task = await started(worker)
        worker.stop()
        await task
    assert proto.log == ["mod_init proto", "mod_init busy", "child_init proto", "child_init busy",
        "open udp:10.0.0.9:5060",
                         "close transport", "destroy busy", "destroy proto"]
    assert "did not close cleanly module=busy" in caplog.text


async def test_a_busy_port_says_what_to_do() -> None:
    worker, busy, proto = real()
    proto.wire.fails = True
    with pytest.raises(OsipError, match=r"udp:10.0.0.9:5060: Address already in use.*-l udp:10.0.0.9:PORT"):
        await worker.run()
    assert "destroy proto" in proto.log


async def test_a_module_that_cannot_start_ends_those_before_it() -> None:
    worker, busy, proto = real()
    busy.broken = True
    with pytest.raises(OsipError, match="cannot start"):
        await worker.run()
    assert proto.log[-2:] == ["close transport", "destroy proto"] and "destroy busy" not in proto.log


async def test_no_transport_for_a_socket() -> None:
    registry = Registry()
    registry.create()
    worker = Worker(Env(Config(), registry), registry, [LocalSocket("tcp", "10.0.0.9", 5060)])
    with pytest.raises(OsipError, match='loadmodule "proto_tcp.so"'):
        await worker.run()


async def test_a_failing_startup_route_refuses_the_start() -> None:
    def bad(ctx: Any) -> int:
        raise RuntimeError("bug")
    worker, _, proto = real()
    worker.env.program.startup = bad            # type: ignore[union-attr]
    with pytest.raises(OsipError, match="startup_route failed"):
        await worker.run()
    assert not any(line.startswith("open") for line in proto.log)


async def test_draining_waits_for_what_is_in_flight() -> None:
    worker, busy, _ = real(request=lambda ctx: 1)
    async with asyncio.timeout(5):
        task = await started(worker)
        sent: list[bytes] = []
        worker.env.send = lambda data, dest: not sent.append(data)
        busy.left = 1
        worker.stop(drain=True)
        source = Source(worker.env.sockets[0], "10.0.0.1", 5060)
        worker.receive(request("INVITE"), source)
        worker.receive(request("INVITE", to_tag="x"), source)
        worker.receive(request("BYE", to_tag="x"), source)
        assert [data.partition(b"\r\n")[0] for data in sent] == [b"SIP/2.0 503 Server Shutting Down"]
        assert not task.done()
        busy.left = 0
        await task


async def test_a_second_stop_does_not_wait() -> None:
    worker, busy, _ = real()
    async with asyncio.timeout(5):
        task = await started(worker)
        busy.left = 1
        worker.stop(drain=True)
        worker.stop(drain=True)
        await task


async def test_draining_gives_up_after_its_grace(caplog: pytest.LogCaptureFixture) -> None:
    worker, busy, _ = real()
    async with asyncio.timeout(5):
        task = await started(worker)
        busy.left = 3
        worker.stop(drain=True, grace=0)
        await task
    assert "pieces=3" in caplog.text


async def test_a_socket_that_is_dropped_takes_nothing_new_and_closes_when_idle() -> None:
    runs: list[str] = []
    worker, busy, proto = real(request=lambda ctx: runs.append(ctx.msg.call_id) or 1)
    kept, left = LocalSocket("udp", "10.0.0.9", 5099), worker.env.sockets[0]
    async with asyncio.timeout(5):
        task = await started(worker)
        worker.add_socket(kept)
        sent: list[bytes] = []
        worker.env.send = lambda data, dest: not sent.append(data)
        busy.left = 1
        assert worker.drop_socket(left) and left not in worker.env.sockets
        assert not worker.is_myself(left.host, left.port)
        for call_id, method, tag, socket in (("new", "INVITE", "", left), ("new", "OPTIONS", "", left),
                                             ("known", "INVITE", "", left), ("old", "BYE", "x", left),
                                             ("ack", "ACK", "", left), ("stop", "CANCEL", "", left),
                                             ("other", "INVITE", "", kept)):
            worker.receive(request(method, to_tag=tag, call_id=call_id), Source(socket, "10.0.0.1", 5060))
        assert [data.partition(b"\r\n")[0] for data in sent] == [b"SIP/2.0 503 Socket Closing"] * 2
        assert all(b"Retry-After: 10\r\n" in data for data in sent)
        assert runs == ["known", "old", "ack", "stop", "other"] and not [x for x in proto.log if x.startswith("shut")]
        busy.left = 0
        worker.env.now += 1.2
        worker.env.timers.run(worker.env.now)
        assert proto.log[-1] == f"shut {left.text}" and not worker.dispatch.leaving
        assert worker.env.known_sockets[left.index] is left and worker.env.known_sockets[kept.index] is kept
        worker.stop()
        await task


async def test_a_socket_that_comes_back_is_opened_anew() -> None:
    worker, busy, proto = real()
    old = worker.env.sockets[0]
    async with asyncio.timeout(5):
        task = await started(worker)
        busy.left = 1
        assert worker.drop_socket(old)
        new = LocalSocket(old.proto, old.host, old.port)
        new.transport = "port"
        worker.add_socket(new)
        assert proto.log[-2:] == [f"shut {old.text}", f"open {old.text}"] and old.transport == "port"
        worker.env.now += 400
        worker.env.timers.run(worker.env.now)
        assert proto.log[-1] == f"open {old.text}", "its timer has nothing more to close"
        worker.stop()
        await task


async def test_a_socket_in_use_is_closed_in_the_end() -> None:
    worker, busy, proto = real()
    async with asyncio.timeout(5):
        task = await started(worker)
        busy.left = 1
        worker.drop_socket(worker.env.sockets[0])
        for _ in range(302):
            worker.env.now += 1
            worker.env.timers.run(worker.env.now)
        assert proto.log[-1].startswith("shut ")
        worker.stop()
        await task


def test_a_socket_whose_transport_cannot_close_it_stays() -> None:
    worker, _, _ = make_worker(())
    assert not worker.drop_socket(worker.env.sockets[0]) and len(worker.env.sockets) == 2


async def test_unsent_messages_are_told() -> None:
    worker, _, proto = real()
    worker.on_unsent(b"data", Dest("udp", "10.0.0.2", 5060))
    assert proto.log[-1] == "unsent b'data' udp:10.0.0.2:5060"


# --- time -----------------------------------------------------------------------------------------------

async def test_timers_of_modules_and_routes(caplog: pytest.LogCaptureFixture) -> None:
    worker, net, clock = make_worker((ProtoUdp, Busy), {"busy": {"every": 5}})
    worker.set_clock(clock.now)
    busy, ran = worker.registry.instances["busy"], []
    program = FakeProgram()
    program.timers = [TimerRoute("t", 3, lambda ctx: ran.append(ctx.kind) or 1)]
    worker.set_program(program)
    worker.start_timers()
    with caplog.at_level(logging.ERROR, "osip"):
        for _ in range(11):
            clock.advance(1)
            await asyncio.sleep(0)
        clock.advance(0.5)          # each is a tick late at most, and the delays do not add up
    assert busy.ticks == 2 + 500 and ran == [128] * 3
    assert caplog.text.count("timer failed error=RuntimeError") == 11, "one that fails goes on"


async def test_a_new_program_ends_the_timers_of_the_old_one() -> None:
    worker, _, clock = make_worker(())
    worker._stop = asyncio.Event()
    ran: list[str] = []
    for name in ("old", "new"):
        program = FakeProgram()
        program.timers = [TimerRoute("t", 2, lambda ctx, name=name: ran.append(name) or 1)]
        worker.set_program(program)
        clock.advance(4.5)
    assert ran == ["old", "old", "new", "new"]


@pytest.mark.parametrize(("every", "expected"), [
    (5, 5.0), ("5", 5.0), ("500ms", 0.5), ("30s", 30.0), ("2m", 120.0), ("1h", 3600.0), (0, 0.0), ("", 0.0), (0.5,
        0.5)])
def test_seconds(every: float | str, expected: float) -> None:
    assert seconds(every) == expected


# --- sockets --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("words", "expected"), [
    (("10.0.0.9",), True), (("10.0.0.9", 5060), True), (("10.0.0.9", 5061), False), (("10.0.0.9", 5060, "tcp"), True),
    (("10.0.1.9", 5080, "tcp"), False), (("edge.example.com",), True), (("EDGE.example.com", 5099), True),
    (("edge.example.com", 5080), True), (("2001:db8::9",), True), (("[2001:db8::9]", 5060), True), (("10.9.9.9",),
        False),
    (("home.example.com",), True), (("home.example.com", 7000), False), (("home.example.com", 6000, "udp"), True),
    (("home.example.com", 6000, "tcp"), False), (("any.example.com", 1), True), (("a.wide.example.com",), True),
    (("wide.example.com",), True), (("xwide.example.com",), False), (("a.any.example.com",), False), (("",), False)])
def test_is_myself(words: tuple[Any, ...], expected: bool) -> None:
    worker, _, _ = make_worker((), None, [UDP, TCP, OTHER, SIX], aliases=[
        ("udp", "home.example.com", 6000, False), (None, "any.example.com", None, False), (None, "wide.example.com",
            None, True)])
    assert worker.is_myself(*words) == expected


@pytest.mark.parametrize(("words", "expected"), [
    (("udp", False), UDP), (("udp", False, OTHER), OTHER), (("udp", False, TCP), UDP), (("udp", True), SIX), (("tcp",
        False, OTHER), TCP),
    (("tcp", True), None), (("tls", False), None)])
def test_pick_socket(words: tuple[Any, ...], expected: LocalSocket | None) -> None:
    assert make_worker((), None, [UDP, TCP, OTHER, SIX])[0].pick_socket(*words) is expected


@pytest.mark.parametrize(("words", "expected"), [
    (("udp", "10.0.0.9", 5060), UDP), (("tcp", "10.0.0.9"), TCP), (("", "10.0.1.9", 5080), OTHER), (("",
        "edge.example.com", 5099), OTHER),
    (("udp", "10.0.0.9", 1), None), (("tls", "10.0.0.9"), None)])
def test_find_socket(words: tuple[Any, ...], expected: LocalSocket | None) -> None:
    assert make_worker((), None, [UDP, TCP, OTHER, SIX])[0].find_socket(*words) is expected


def test_which_connections_are_there() -> None:
    worker, _, _ = make_worker((), None, [UDP, TCP])
    worker.transports["tcp"] = SimpleNamespace(connections={7: object()})
    assert worker.is_connected("tcp", "10.0.0.7", 1, 7) and worker.env.is_connected("tcp", "10.0.0.7", 1, 7)
    assert not worker.is_connected("tcp", "10.0.0.7", 1, 8) and not worker.is_connected("ws", "10.0.0.7", 1, 7)


def test_sending_finds_a_socket() -> None:
    worker, _, _ = make_worker((ProtoUdp,), None, [UDP, TCP, OTHER, SIX])
    proto = worker.registry.instances["proto_udp"]
    worker.transports["udp"] = proto.wire
    assert worker.send(b"1", Dest("udp", "10.0.0.2", 5060)) and proto.wire.sent[-1][1].socket is UDP
    assert worker.send(b"1", Dest("udp", "2001:db8::2", 5060)) and proto.wire.sent[-1][1].socket is SIX
    assert worker.send(b"1", Dest("udp", "10.0.0.2", 5060, OTHER)) and proto.wire.sent[-1][1].socket is OTHER
    assert not worker.send(b"1", Dest("tcp", "10.0.0.2", 5060)), "no such transport"


def test_other_workers_hear_before_the_answer_leaves() -> None:
    worker, _, _ = make_worker(())
    order: list[str] = []
    worker.env.bus = SimpleNamespace(flush=lambda: order.append("bus"))     # type: ignore[assignment]
    worker.batch_start()
    worker.batch_end()
    assert order == [], "a single worker has nobody to tell"
    worker.env.workers = 2
    worker.batch_start()
    assert worker.env.hold.is_open
    worker.batch_end()
    assert order == ["bus"] and not worker.env.hold.is_open


async def test_messages_have_their_turn_between_many_timers() -> None:
    worker, _, _ = make_worker(())
    worker.set_clock(time.monotonic() - 1)
    calls: list[str] = []
    for _ in range(2 * WOKEN):
        worker.env.timers.call_at(worker.env.now, calls.append, "timer")
    asyncio.get_running_loop().call_soon(calls.append, "message")
    worker._tick()
    try:
        while worker.env.timers.count:
            await asyncio.sleep(0)
        assert calls.index("message") == WOKEN and len(calls) == 2 * WOKEN + 1
    finally:
        worker._ticker.cancel()                         # type: ignore[union-attr]
