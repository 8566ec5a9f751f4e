"""Commands and statistics about connections, memory, load and profiles."""
from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from kit.playbook import FakeProgram, make_worker
from osip.api import MIError
from osip.core.net.endpoint import Dest
from osip.core.run.management import CoreCommands
from osip.core.run.upkeep import CoreUpkeep, Load, Memory


class FakeConnection:
    """A connection that can be closed."""

    def __init__(self, id: int, peer: tuple[str, int]) -> None:
        self.id, self.peer, self.is_closed = id, peer, False

    def close(self) -> None:
        self.is_closed = True


class FakeTransport:
    """A stream transport with its table."""

    def __init__(self, proto: str, *connections: FakeConnection) -> None:
        self.proto, self.rows = proto, connections
        self.connections = self

    def listing(self) -> list[dict[str, Any]]:
        return [{"ID": one.id, "Type": self.proto} for one in self.rows]

    def get(self, id: int) -> FakeConnection | None:
        return next((one for one in self.rows if one.id == id), None)

    def find(self, dest: Dest) -> FakeConnection | None:
        return next((one for one in self.rows if one.peer == (dest.host, dest.port)), None)


@pytest.fixture
def env() -> Iterator[Any]:
    worker, _, _ = make_worker((CoreCommands, CoreUpkeep))
    worker.set_program(FakeProgram())
    yield worker.env


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())
    logger, keep = logging.getLogger("osip.core"), Keep()
    logger.addHandler(keep)
    logger.setLevel(logging.DEBUG)
    yield found
    logger.removeHandler(keep)
    logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("name", ["tcp:list", "list_tcp_conns"])
def test_connections_are_listed(name: str, env: Any) -> None:
    env.transports.update(udp=object(), tcp=FakeTransport("tcp", FakeConnection(1, ("192.0.2.1", 5))),
                          ws=FakeTransport("ws", FakeConnection(2, ("::1", 6))))
    assert env.mi.run(name) == {"Connections": [{"ID": 1, "Type": "tcp"}, {"ID": 2, "Type": "ws"}]}
    assert env.mi.run(name, ["ws"]) == {"Connections": [{"ID": 2, "Type": "ws"}]}
    assert env.mi.run(name, ["sctp"]) == {"Connections": []}


@pytest.mark.parametrize(("params", "closed"), [
    ({"id": 2}, 2), ({"id": "1"}, 1), ({"ipport": "192.0.2.1:5"}, 1), ({"ipport": "[::1]:6"}, 2),
    ({"ipport": "ws:[::1]:6"}, 2), ({"ipport": "tcp:[::1]:6"}, 0), ({"id": 9}, 0), ({"ipport": "192.0.2.1:9"}, 0),
    ({"ipport": "192.0.2.1"}, 0)])
def test_a_connection_is_closed(params: dict[str, Any], closed: int, env: Any) -> None:
    both = FakeConnection(1, ("192.0.2.1", 5)), FakeConnection(2, ("::1", 6))
    env.transports.update(udp=object(), tcp=FakeTransport("tcp", both[0]), ws=FakeTransport("ws", both[1]))
    if closed:
        assert env.mi.run("tcp:close", params) == "OK"
    else:
        with pytest.raises(MIError) as caught:
            env.mi.run("tcp:close", params)
        assert caught.value.code == 404
    assert [one.id for one in both if one.is_closed] == ([closed] if closed else [])


@pytest.mark.parametrize(("command", "params", "data"), [
    ("tcp:close", {"ipport": "a:b:c"}, '"ipport" must be ip:port'), ("tcp:close", ["1"], "Ambiguous call"),
    ("mem:pkg_dump", [1], "no process 1"), ("profiling_proc", {"pid": 1}, "no process 1"),
    ("profiling_proc", {"id": 7}, "no process with ID 7"), ("profiling_proc", {"id": 0, "level": 2}, "is 0 or 1")])
def test_bad_parameters(command: str, params: Any, data: str, env: Any) -> None:
    env.transports.update(tcp=FakeTransport("tcp"))
    with pytest.raises(MIError) as caught:
        env.mi.run(command, params)
    assert caught.value.code == -32602 and data in caught.value.data


@pytest.mark.parametrize(("command", "params", "begin"), [
    ("mem:pkg_dump", [os.getpid()], "memory used="), ("mem_shm_dump", [], "memory used="),
    ("mem:shm_dump", {"log_level": 1}, "memory used="), ("mem_rpm_dump", [], "restart-persistent memory: none")])
def test_memory_dumps(command: str, params: Any, begin: str, env: Any, lines: list[str]) -> None:
    assert env.mi.run(command, params) == "OK"
    assert lines[0].startswith(begin)
    if begin == "memory used=":
        assert len(lines) == 21 and any(line.startswith("memory type=dict objects=") for line in lines)


def test_a_check_is_good(env: Any) -> None:
    assert env.mi.run("mem_shm_check") == env.mi.run("shm_check") == "OK"


async def test_a_profile(env: Any, lines: list[str]) -> None:
    shown = {"ID": 0, "PID": os.getpid(), "Type": "worker", "Profiling level": 0}
    assert env.mi.run("core:profiling_proc") == {"Processes": [shown]}
    assert env.mi.run("profiling_proc", {"id": 0, "level": 1}) == "OK"
    assert env.mi.run("profiling_proc", {"pid": os.getpid(), "level": 1}) == "OK"
    assert env.mi.run("profiling_proc", {"id": 0}) == {"Processes": [{**shown, "Profiling level": 1}]}
    sorted(str(number) for number in range(1000))
    assert env.mi.run("profiling_proc", {"id": 0, "level": 0}) == "OK"
    assert env.mi.run("profiling_proc", {"id": 0, "level": 0}) == "OK"
    assert lines[0].startswith("profile begun") and lines[1].startswith("profile ended")
    assert any("sorted" in line for line in lines)


async def test_a_profile_ends_with_the_server(env: Any, lines: list[str]) -> None:
    env.mi.run("profiling_proc", {"id": 0, "level": 1})
    await env.modules["core_upkeep"].destroy()
    assert lines[1].startswith("profile ended")


def test_load() -> None:
    load = Load()
    assert load.percent(1) == 0
    load._seen.extend([(0.0, 0.0), (1.0, 0.5), (2.0, 1.5)])
    assert (load.percent(1), load.percent(2), load.percent(600)) == (100, 75, 75)


def test_figures(env: Any) -> None:
    env.modules["core_upkeep"].look()
    names = {"load:load", "load:load1m-all", "load:load10m-proc-0", "load:processes_number", "shmem:total_size",
             "shmem:max_used_size", "shmem:fragments", "pkmem:0-used_size", "pkmem:0-free_size", "core:timestamp"}
    found = env.mi.run("get_statistics", ["load:", "shmem:", "pkmem:", "timestamp"])
    assert names <= set(found) and all(isinstance(value, int) for value in found.values())
    assert found["load:processes_number"] == 1
    assert 0 < found["shmem:used_size"] <= found["shmem:max_used_size"] < found["shmem:total_size"]
    assert found["pkmem:0-free_size"] > 0 and Memory().used()[0] > 1_000_000
