"""The commands of the core, with the shapes of section 2 of the MI reference."""
from __future__ import annotations

import logging
import os
from typing import Any

import pytest

from kit.playbook import FakeProgram, make_worker
from osip.api import Diagnostic, MIError, Module, event, stat
from osip.core.exports.diagnostic import Span
from osip.core.run.management import CoreCommands, describe
from osip.core.run.stats import Stats, total


class Pot(Module):
    """Has a statistic and an event."""
    name = "pot"
    stirs = stat("Stirs.")
    boiled = event("E_BOILED", "It boiled.", degrees=int)


@pytest.fixture
def env() -> Any:
    worker, _, _ = make_worker((CoreCommands, Pot))
    worker.set_program(FakeProgram())
    level = worker.env.log.level
    yield worker.env
    worker.env.log.setLevel(level)


@pytest.mark.parametrize(("command", "old", "result"), [
    ("core:pwd", "pwd", {"WD": os.getcwd()}),
    ("core:xlog_level", "xlog_level", {"xLog Level": 2}),
    ("core:log_level", "log_level", {"Processes": [{"PID": os.getpid(), "Log level": 2, "Type": "worker"}]}),
    ("evi:list", "events_list", {"Events": [
        {"name": "E_CORE_THRESHOLD", "id": 0}, {"name": "E_CORE_LOG", "id": 1}, {"name": "E_BOILED", "id": 2}]}),
    ("evi:subscribers", "subscribers_list", {"Events": []}),
])
def test_shapes(command: str, old: str, result: Any, env: Any) -> None:
    assert env.mi.run(command) == result == env.mi.run(old)


def test_more_shapes(env: Any) -> None:
    assert env.mi.run("version")["Server"].startswith("OpenSIPS (4.1.0 (osip ")
    up = env.mi.run("uptime")
    assert set(up) == {"Now", "Up since", "Up time"} and up["Up time"].endswith(" [sec]")
    assert isinstance(env.mi.run("arg"), list)
    assert env.mi.run("which", ["evi:s"]) == ["evi:subscribe", "evi:subscribers"]
    listed = env.mi.run("which")
    assert {*env.mi.names(), "ul_dump" if "usrloc" in env.modules else "get_statistics"} <= set(listed)
    assert env.mi.run("which", ["log_level"]) == [[], ["level"], ["level", "pid"]]
    assert env.mi.run("which", {"command": "pwd"}) == [[]] and env.mi.run("which", ["nothing"]) == []
    told = env.mi.run("help", ["get_statistics"])
    assert told["Exported by"] == "core" and "statistics by name" in told["Help"]
    assert told["Role"] == "read" and env.mi.run("help", ["kill"])["Role"] == "admin"
    assert env.mi.run("help").startswith("usage")
    with pytest.raises(MIError) as caught:
        env.mi.run("help", ["none"])
    assert caught.value.code == 404


def test_levels_are_set(env: Any) -> None:
    assert env.mi.run("log_level", ["4"]) == {"New global log level": 4}
    assert logging.getLogger("osip").level == logging.DEBUG and env.config.log_level == 4
    assert env.mi.run("log_level", [1, os.getpid()]) == {"Log level": 1}
    assert env.mi.run("xlog_level", [-1]) == {"New xLog level": -1} and env.config.xlog_level == -1


@pytest.mark.parametrize(("command", "params"), [
    ("log_level", [5]), ("log_level", [0]), ("log_level", [-4]), ("log_level", ["x"]), ("log_level", [2, 1]),
    ("xlog_level", [9])])
def test_bad_levels(command: str, params: list[Any], env: Any) -> None:
    with pytest.raises(MIError) as caught:
        env.mi.run(command, params)
    assert caught.value.code == -32602 and env.config.log_level == 2


@pytest.fixture
def own_log() -> Any:
    """Leave the logger as it was: setting a consumer builds its handlers anew."""
    logger = logging.getLogger("osip")
    before = logger.handlers[:], logger.propagate, logger.level
    logger.handlers.clear()
    yield logger
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.propagate, logger.level = before


@pytest.mark.usefixtures("own_log")
@pytest.mark.parametrize("consumer", ["stderror", "syslog", "event"])
def test_consumers_of_log_lines(consumer: str, env: Any) -> None:
    muted = 0 if consumer == "stderror" else 1
    assert env.mi.run("core:log_mute_state", [consumer]) == {"mute state": muted}
    assert env.mi.run("log_level_filter", [consumer]) == {"Log level filter": 0}
    assert env.mi.run("log_level_filter", {"consumer": consumer, "level_filter": -1}) == "OK"
    assert env.mi.run("core:log_level_filter", [consumer]) == {"Log level filter": -1}
    assert env.mi.run("log_level_filter", [consumer, 0]) == "OK"
    for state in (1, 0):
        assert env.mi.run("log_mute_state", [consumer, state]) == "OK"
        assert env.mi.run("log_mute_state", [consumer]) == {"mute state": state}


@pytest.mark.parametrize(("filtered", "muted", "heard"), [(0, 0, ["seen", "warned"]), (1, 0, ["warned"]), (0, 1, [])])
def test_a_muted_consumer_hears_nothing(filtered: int, muted: int, heard: list[str], env: Any, own_log: Any) -> None:
    told: list[str] = []
    env.events.subscribe("E_CORE_LOG", "t:", lambda _, values: told.append(values["message"]))
    env.mi.run("log_level_filter", ["event", filtered])
    env.mi.run("log_mute_state", ["event", muted])
    env.mi.run("log_mute_state", ["stderror", 1])
    env.log.log(25, "seen")
    env.log.warning("warned")
    assert told == heard


@pytest.mark.parametrize(("command", "params"), [
    ("log_level_filter", []), ("log_level_filter", ["file"]), ("log_level_filter", ["syslog", 7]),
    ("log_mute_state", ["stdout"]), ("log_mute_state", ["event", 2])])
def test_bad_consumers(command: str, params: list[Any], env: Any) -> None:
    with pytest.raises(MIError) as caught:
        env.mi.run(command, params)
    assert caught.value.code == -32602


def test_statistics(env: Any) -> None:
    env.modules["pot"].stirs = 4
    assert env.mi.run("get_statistics", {"statistics": ["pot:", "none"]}) == {"pot:stirs": 4}
    assert env.mi.run("get_statistics", ["pot:stirs", "core:rcv_requests"]) == {"pot:stirs": 4, "core:rcv_requests": 0}
    assert env.mi.run("statistics:list", [["pot:"]]) == {"pot:stirs": "counter"}
    assert "core:rcv_requests" in env.mi.run("list_statistics")
    for command in ("get_statistics", "reset_statistics"):
        with pytest.raises(MIError) as caught:
            env.mi.run(command, ["none"])
        assert caught.value.code == 404
    assert env.mi.run("reset_statistics", ["pot:stirs"]) == "OK" and env.modules["pot"].stirs == 0
    env.modules["pot"].stirs, env.dispatch.rcv_requests = 4, 5
    assert env.mi.run("reset_all_statistics") == "OK" and (env.modules["pot"].stirs, env.dispatch.rcv_requests) == (0,
        0)


def test_events(env: Any) -> None:
    told: list[Any] = []
    env.events.transports["test"] = lambda address: lambda name, params: told.append((address, name, params))
    assert env.mi.run("event_subscribe", ["E_BOILED", "test:1"]) == "OK"
    assert env.mi.run("evi:subscribe", ["E_BOILED", "test:2", 5]) == "OK"
    assert env.mi.run("subscribers_list", ["E_BOILED"]) == {"Event": {"name": "E_BOILED", "id": 2, "Subscribers": [
        {"socket": "test:1", "expire": 3600, "ttl": 3600}, {"socket": "test:2", "expire": 5, "ttl": 5}]}}
    assert len(env.mi.run("subscribers_list", ["E_BOILED", "test:2"])["Event"]["Subscribers"]) == 1
    env.modules["pot"].boiled(degrees=99)
    env.mi.run("raise_event", {"event": "E_BOILED", "params": ["a", "b"]})
    env.mi.run("raise_event", {"event": "E_BOILED", "params": {"degrees": 3}})
    assert [params for address, _, params in told if address == "test:1"] == [{"degrees": 99}, {"1": "a", "2": "b"},
        {"degrees": 3}]
    assert env.mi.run("event_subscribe", ["E_BOILED", "test:1", 0]) == "OK"
    env.now += 6
    told.clear()
    env.mi.run("raise_event", ["E_BOILED"])
    assert not told


@pytest.mark.parametrize("address", ["test:me:%s@host/x", "test:http://me:%s@host/x"])
def test_passwords_of_subscribers_are_not_shown(address: str, env: Any) -> None:
    env.events.transports["test"] = lambda address: lambda name, params: None
    env.mi.run("event_subscribe", ["E_BOILED", address % "secret"])
    shown = env.mi.run("subscribers_list", ["E_BOILED"])["Event"]["Subscribers"]
    assert [row["socket"] for row in shown] == [address % "***"]


@pytest.mark.parametrize(("command", "params", "code"), [
    ("event_subscribe", ["E_NONE", "test:1"], 404), ("event_subscribe", ["E_BOILED", "none:1"], 400),
    ("subscribers_list", ["E_NONE"], 404)])
def test_event_errors(command: str, params: list[str], code: int, env: Any) -> None:
    with pytest.raises(MIError) as caught:
        env.mi.run(command, params)
    assert caught.value.code == code


def test_kill_drains(env: Any) -> None:
    asked: list[bool] = []
    env.shutdown = asked.append
    assert env.mi.run("kill") == "OK" and asked == [True]


async def test_reload_tells_the_first_error(env: Any) -> None:
    found: list[Diagnostic] = []

    async def reload(dry_run: bool = False) -> list[Diagnostic]:
        return found
    env.reload = reload
    assert await env.mi.run("reload_routes") == "OK"
    found.append(Diagnostic("E101", "unknown function", Span("x.cfg", 4, 2, 4, 5)))
    with pytest.raises(MIError) as caught:
        await env.mi.run("reload_routes")
    assert (caught.value.code, caught.value.data) == (500, "x.cfg:4:2: E101 unknown function")


def test_describe() -> None:
    spec = next(m for m in CoreCommands.spec.mi if m.name == "log_level")
    assert describe(spec)["params"] == [{"name": "level", "type": "int", "optional": True},
                                        {"name": "pid", "type": "int", "optional": True}]


def test_processes() -> None:
    env = make_worker((CoreCommands, Pot))[0].env
    env.dispatch.number = 5
    (worker,) = env.mi.run("ps")["Processes"]
    load = worker.pop("Load")
    assert worker == {"ID": 0, "PID": os.getpid(), "Type": "worker", "Messages": 5} and load >= 0
    env.workers = 3
    assert [(p["ID"], p["Type"]) for p in env.mi.run("ps")["Processes"]] == [(0, "master"), (1, "worker")]
    env.number = 2
    assert [(p["ID"], p["Type"]) for p in env.mi.run("ps")["Processes"]] == [(3, "worker")]


async def test_statistics_of_all_workers() -> None:
    env = make_worker((CoreCommands, Pot))[0].env

    async def gather() -> Stats:
        return total([[("pot", "stirs", "counter", 40, False, None), ("series", "there", "gauge", 3, False, (9, 3))]])
    env.workers, env.gather_stats = 2, gather
    assert await env.mi.run("get_statistics", ["pot:", "there"]) == {"pot:stirs": 40, "series:there": 3}
    assert await env.mi.run("list_statistics") == {"pot:stirs": "counter", "series:there": "non-counter"}
    with pytest.raises(MIError, match="Not Found"):
        await env.mi.run("get_statistics", ["core:rcv_requests"])
