"""One of several workers: what it hands over, what it takes over, whose connections it uses."""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from socket import socketpair
from typing import Any

import pytest

from kit.crew import link_all, settle
from kit.message import request, response
from osip.core.exports.registry import Registry
from osip.core.exports.spec import StatKind
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run import crew as crew_file
from osip.core.run.config import Config
from osip.core.run.crew import MASK, CrewWorker, Strays
from osip.core.run.env import Env
from osip.core.run.group import Group
from osip.core.run.line import Line
from osip.core.run.steer import owner
from osip.core.run.worker import Worker
from osip.modules.statistics import Profile, Statistics


class Table:
    """The connections of a stream transport, as far as a crew looks at them."""

    def __init__(self) -> None:
        self.worker, self.count = -1, 0
        self.by_peer: dict[tuple[str, int], int] = {}
        self.told: Any = None
        self.elsewhere: Any = None

    def begin(self, worker: int, count: int) -> None:
        self.worker, self.count = worker, count

    def find(self, dest: Dest) -> int | None:
        return self.by_peer.get((dest.host, dest.port))

    def get(self, number: int) -> int | None:
        return number if number in self.by_peer.values() else None

    def peers(self) -> list[tuple[str, int, int]]:
        return [(host, port, id) for (host, port), id in self.by_peer.items()]

    def add(self, host: str, port: int) -> int:
        id = self.by_peer[host, port] = 77 << 8 | self.worker
        self.told(True, host, port, id)
        return id

    def remove(self, host: str, port: int) -> None:
        self.told(False, host, port, self.by_peer.pop((host, port)))


class Wire:
    """A stream transport that remembers; with `fails` it cannot send."""

    def __init__(self) -> None:
        self.connections = Table()
        self.sent: list[tuple[bytes, Dest]] = []
        self.calls: list[Any] = []
        self.fails = False

    def send(self, data: bytes, dest: Dest) -> bool:
        if not self.fails:
            self.sent.append((data, dest))
        return not self.fails

    def alias(self, id: int, port: int) -> bool:
        self.calls.append(("alias", id, port))
        return True

    def flush(self) -> None:
        """Nothing waits."""


class Crew:
    """Workers that are linked; each writes down the messages it handles."""

    def __init__(self, count: int = 3) -> None:
        self.workers: list[CrewWorker] = []
        self.got: list[list[tuple[bytes, Source]]] = []
        for number in range(count):
            registry = Registry()
            registry.create()
            local = [LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("tcp", "10.0.0.9", 5060)]
            worker = CrewWorker(Env(Config(), registry), registry, local, count)
            groups = {local[0]: Group([None] * count, None, True),              # type: ignore[list-item]
                      local[1]: Group([None] * count)}                          # type: ignore[list-item]
            worker.take_seat(number, groups, True, Line.pair()[0])
            worker.unsteered.discard(local[1])
            worker.transports.update(tcp=Wire(), udp=Wire())
            del worker.transports["udp"].connections
            got: list[tuple[bytes, Source]] = []
            worker.dispatch.tap = lambda msg, source, got=got: got.append((msg.raw, source))
            self.workers.append(worker)
            self.got.append(got)
        link_all([worker.mesh for worker in self.workers])
        for worker in self.workers:
            worker._number_connections()

    def source(self, at: int, conn: int = 0) -> Source:
        return Source(self.workers[at].env.sockets[1 if conn else 0], "10.0.0.1", 5070, conn)

    async def settle(self) -> None:
        await settle(*[worker.mesh for worker in self.workers])


def call_of(number: int, workers: int = 3) -> bytes:
    """Return a request that belongs to a worker."""
    return next(raw for count in range(99) if owner(raw := request(call_id=f"c{count}"), workers) == number)


async def test_what_the_kernel_placed_is_not_looked_at() -> None:
    crew = Crew()
    for number in range(3):
        crew.workers[1].receive(call_of(number), crew.source(1))
    assert len(crew.got[1]) == 3 and crew.workers[1].handed == 0


@pytest.mark.parametrize("how", ["compact", "stream", "unsteered", "stray"])
async def test_a_message_of_another_worker(how: str) -> None:
    crew = Crew()
    here, raw, source = crew.workers[0], call_of(2), crew.source(0, conn=5 << 8 if how == "stream" else 0)
    if how == "compact":
        raw = raw.replace(b"INVITE", b"NOTIFY").replace(b"Call-ID:", b"i:") + b"\r\nCall-ID: c0\r\n"
    if how == "unsteered":
        here.unsteered.add(source.socket)
    (Strays(here) if how == "stray" else here).receive(raw, source)
    (Strays(here) if how == "stray" else here).receive(call_of(0), source)
    await crew.settle()
    assert [len(got) for got in crew.got] == [1, 0, 1]
    taken, where = crew.got[2][0]
    assert taken == raw and (where.host, where.port, where.conn) == ("10.0.0.1", 5070, source.conn)
    assert where.socket is crew.workers[2].env.sockets[source.socket.index]
    assert (here.handed, crew.workers[2].taken) == (1, 1)


async def test_an_owner_that_is_away() -> None:
    crew = Crew()
    crew.workers[2].mesh.close()
    async with asyncio.timeout(5):
        while 2 in crew.workers[0].mesh.links:
            await asyncio.sleep(0)
    crew.workers[0].inbox.steer(call_of(2), crew.source(0))
    assert len(crew.got[0]) == 1, "better here than nowhere"


async def test_a_response_goes_where_its_branch_says() -> None:
    crew = Crew()
    raw, source = response(request(), 200), crew.source(0)
    elsewhere = crew.workers[0].inbox.elsewhere
    assert not elsewhere("z9hG4bK.w0.abc", raw, source) and not elsewhere("z9hG4bKother", raw, source)
    assert not elsewhere("z9hG4bK.w7.abc", raw, source) and elsewhere("z9hG4bK.w1.abc", raw, source)
    await crew.settle()
    assert [len(got) for got in crew.got] == [0, 1, 0]


async def test_own_call_ids_lead_here() -> None:
    crew = Crew()
    for number, worker in enumerate(crew.workers):
        ids = [worker.env.ids.call_id() for _ in range(20)]
        assert {owner(request(call_id=id), 3) for id in ids} == {number} and len(set(ids)) == 20
        assert worker.env.ids.branch().startswith(f"z9hG4bK.w{number}.")
        assert worker.env.config.worker == f"w{number}" and worker.env.number == number


async def test_connections_of_others() -> None:
    crew = Crew()
    one, other = crew.workers[0].transports["tcp"], crew.workers[1].transports["tcp"]
    id = other.connections.add("10.0.0.7", 40000)
    assert id & MASK == 1 and one.connections.worker == 0
    await crew.settle()
    for worker in crew.workers:
        assert worker.is_connected("tcp", "10.0.0.7", 40000, id)
        assert not worker.is_connected("tcp", "10.0.0.7", 40000, id + (1 << 8))
    send = crew.workers[0].send
    assert send(b"by address", Dest("tcp", "10.0.0.7", 40000)) and send(b"by id", Dest("tcp", "x", 1, None, id))
    assert send(b"own", Dest("tcp", "10.0.0.8", 5060))
    await crew.settle()
    assert [data for data, _ in other.sent] == [b"by address", b"by id"] and [data for data, _ in one.sent] == [b"own"]
    one.connections.by_peer["10.0.0.7", 40000] = 9 << 8
    assert send(b"mine first", Dest("tcp", "10.0.0.7", 40000)) and one.sent[-1][0] == b"mine first"
    del one.connections.by_peer["10.0.0.7", 40000]
    assert one.connections.elsewhere("alias", id, 5060)
    assert not one.connections.elsewhere("alias", 3 << 8, 5060), "its own: gone"
    other.connections.remove("10.0.0.7", 40000)
    await crew.settle()
    assert other.calls == [("alias", id, 5060)]
    assert not any(worker.is_connected("tcp", "10.0.0.7", 40000, id) for worker in crew.workers)
    assert send(b"now own", Dest("tcp", "10.0.0.7", 40000)) and one.sent[-1][0] == b"now own"


async def test_what_another_worker_could_not_send_comes_back() -> None:
    crew = Crew()
    unsent: list[tuple[bytes, Dest]] = []
    crew.workers[0]._unsent_hooks = (lambda data, dest: unsent.append((data, dest)),)
    crew.workers[1].transports["tcp"].fails = True
    dest = Dest("tcp", "10.0.0.7", 40000, crew.workers[0].env.sockets[1], 8 << 8 | 1)
    dest.only_reuse = True
    assert crew.workers[0].send(b"x", dest)
    await crew.settle()
    await crew.settle()
    data, back = unsent[0]
    assert data == b"x" and back == dest and back.conn == dest.conn and back.only_reuse and back.socket is dest.socket


async def test_a_late_worker_knows_the_connections() -> None:
    crew = Crew()
    crew.workers[0].transports["tcp"].connections.by_peer["10.0.0.7", 1] = 1 << 8
    crew.workers[0]._streams["tcp", "10.0.0.8", 2] = 1 << 8 | 1
    await crew.workers[2].mesh.catch_up(0)
    assert crew.workers[2]._streams == {("tcp", "10.0.0.7", 1): 1 << 8, ("tcp", "10.0.0.8", 2): 1 << 8 | 1}
    crew.workers[2]._on_lost(1)
    assert crew.workers[2]._streams == {("tcp", "10.0.0.7", 1): 1 << 8}


async def test_statistics_of_all() -> None:
    crew = Crew()
    for number, worker in enumerate(crew.workers):
        worker.env.stats.register("g", "own", lambda number=number: number + 1, StatKind.COUNTER)
        worker.env.stats.register("g", "same", lambda: 5, shared=True)
    crew.workers[2].env.stats.register("g", "late", lambda: 9)
    stats = await crew.workers[0].env.gather_stats()
    assert [stats.get(f"g:{name}") for name in ("own", "same", "late")] == [6, 5, 9]
    assert stats.select("own")[0].kind is StatKind.COUNTER and stats.select("late")[0].kind is StatKind.GAUGE


@pytest.mark.parametrize(("algorithm", "values", "expected"), [
    ("accumulate", ([10, 20], [], [30]), 60), ("average", ([10, 20], [], [30]), 20),
    ("average", ([10] * 6, [10] * 6), 10),
    ("percentage", ([1, 0], [1, 1, 1, 0]), 66), ("average", ((), ()), None)])
async def test_series_of_all(algorithm: str, values: Any, expected: int | None) -> None:
    """A mean over workers is that of all values, however few of them one worker has seen."""
    crew = Crew()
    for worker, seen in zip(crew.workers, values, strict=False):
        series = Statistics()
        series.env, series.stat_series_profile = worker.env, [Profile(f"p: algorithm={algorithm} group=g")]
        series.mod_init()
        for value in seen:
            series.update_stat_series(None, "p", "acd", value)      # type: ignore[arg-type]
    stats = await crew.workers[1].env.gather_stats()
    assert stats.get("g:acd") == expected


class Door:
    """A transport that notes what it opens."""

    def __init__(self) -> None:
        self.opened: list[Any] = []

    def open(self, local: LocalSocket, loop: Any, receiver: Any, bound: Any = None) -> None:
        self.opened.append((local.text, bound))

    def listen_also(self, local: LocalSocket, loop: Any, receiver: Any, bound: Any) -> None:
        self.opened.append((local.text, bound, type(receiver).__name__))


async def test_sockets_of_the_right_worker() -> None:
    crew = Crew(2)
    for number, worker in enumerate(crew.workers):
        door, (udp, tcp) = Door(), worker.env.sockets
        worker.groups = {udp: Group(["u0", "u1"], "s", True), tcp: Group(["only"])}     # type: ignore
        for local in (udp, tcp):
            worker._listen(door, local, asyncio.get_running_loop())
        assert door.opened == ([(udp.text, "u0"), (udp.text, "s", "Strays"), (tcp.text, "only")] if number == 0
                               else [(udp.text, "u1")])


async def test_what_is_handed_over_waits_for_the_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that starts is on the bus before its sockets are open: nothing that it relays could leave."""
    crew = Crew(2)
    seen: list[str] = []
    raw = call_of(1, 2)

    async def start(self: Worker, ready: Callable[[], None]) -> None:
        for _ in range(2):
            crew.workers[0].receive(raw, crew.source(0, conn=7))
        await crew.settle()
        seen.append(f"before: {len(crew.got[1])}")
        ready()
        seen.append(f"ready: {len(crew.got[1])}")

    monkeypatch.setattr(Worker, "run", start)
    monkeypatch.setattr(crew_file, "EARLY", 1)          # bounded
    await crew.workers[1].run(lambda: seen.append(f"told: {len(crew.got[1])}"))
    assert seen == ["before: 0", "told: 0", "ready: 1"] and crew.got[1][0][0] == raw
    crew.workers[0].receive(raw, crew.source(0, conn=7))
    await crew.settle()
    assert len(crew.got[1]) == 2


async def test_a_socket_that_a_reload_brings() -> None:
    crew = Crew(2)
    template = crew.workers[0]
    fresh, group = LocalSocket("udp", "10.0.0.9", 5090), Group([], None, True)
    template.offered[fresh.text] = group
    template.add_socket(fresh)                  # it does not serve: it is only noted
    assert fresh.index == 2 and template.env.sockets[2] is fresh and template.groups[fresh] is group
    assert not template.offered and fresh not in template.unsteered


async def test_all_close_a_socket_together() -> None:
    crew, shut = Crew(), []
    for worker in crew.workers:
        worker._stop = asyncio.Event()
        worker.dispatch.leaving = set()
        worker.transports["udp"].shut = lambda socket, number=worker.number: shut.append(number)
        worker.groups[worker.env.sockets[0]] = Group([socketpair()[0] for _ in range(3)])
    busy = [False, True, False]
    for worker in crew.workers:
        worker._in_use_hooks = (lambda socket, number=worker.number: busy[number],)
        left = worker.env.sockets[0]
        assert worker.drop_socket(left) and left in worker.unsteered and left not in worker.env.sockets

    await crew.settle()

    now = crew.workers[0].env.now

    async def look() -> list[int]:
        nonlocal now
        now += 1.2
        for worker in crew.workers:
            worker.env.now = now
            worker.env.timers.run(now)
            await crew.settle()
        return sorted(shut)
    assert await look() == [], "worker 1 needs it"
    busy[1] = False
    await look()
    assert await look() == [0, 1, 2]
    assert not any(worker._busy or worker._told_in_use for worker in crew.workers)


async def test_a_worker_that_died_keeps_no_socket_open() -> None:
    worker = Crew(2).workers[0]
    worker._on_in_use(("udp:10.0.0.9:5060", 1, True))
    left = worker.env.sockets[0]
    worker._told_in_use[left.text] = False
    assert worker._is_in_use(left)
    worker._on_lost(1)
    assert not worker._is_in_use(left)


async def test_the_template_gives_up_its_copies_at_once() -> None:
    worker = Crew(2).workers[0]
    left, ends = worker.env.sockets[0], [socketpair()[0] for _ in range(2)]
    worker.groups[left] = Group(ends)
    assert worker.drop_socket(left) and left not in worker.groups and left not in worker.env.sockets
    assert [end.fileno() for end in ends] == [-1, -1]
    alone = worker.env.sockets[0]
    worker.groups[alone] = Group()
    assert not worker.drop_socket(alone), "worker 0 has it by itself"
