"""Management commands by name, reload, statistics and logs."""
from __future__ import annotations

import json
from typing import Any

import click
import pytest

from osip.cli.client import NoAnswer, Unreachable
from osip.cli.ctl.command import complete_command
from osip.cli.ctl.root import osipctl
from osip.cli.ctl.site import Site
from osip.core.errors import MIError


@pytest.mark.parametrize(("words", "asked"), [
    (("mi", "log_level", "4"), ("log_level", ["4"])), (("fifo", "log_level", "-1"), ("log_level", ["-1"])),
    (("mi", "x", "a=1", "b=2"), ("x", {"a": "1", "b": "2"})), (("unixsock", "x", '["a"]'), ("x", [["a"]])),
    (("reload",), ("reload_routes", [])), (("reload", "--dry-run"), ("reload_routes", ["1"])),
    (("get_statistics",), ("get_statistics", {"statistics": ["all"]})),
    (("get_statistics", "tm:", "x"), ("get_statistics", {"statistics": ["tm:", "x"]})),
    (("log", "level", "debug"), ("log_level", [4])), (("log", "level", "-2"), ("log_level", [-2])),
    (("log", "level", "3", "--pid", "7"), ("log_level", [3, 7])), (("log", "xlog"), ("xlog_level", [])),
    (("log", "xlog", "info"), ("xlog_level", [3])), (("log", "filter", "syslog"), ("log_level_filter", ["syslog"])),
    (("log", "filter", "stderror", "-1"), ("log_level_filter", ["stderror", -1])),
    (("log", "mute", "event"), ("log_mute_state", ["event"])), (("log", "mute", "stderror", "on"), ("log_mute_state", ["stderror", 1]))])
def test_what_is_asked(words: tuple[str, ...], asked: tuple[str, Any], ctl: Any, played: Any) -> None:
    played.answers = {asked[0]: {}}
    assert ctl(*words).exit_code == 0 and played.asked == [asked]


@pytest.mark.parametrize("words", [("log", "level", "loud"), ("log", "level", "9"), ("log", "level", "0"), ("log", "filter", "x"),
                                   ("mi",), ("nonsense",), ("log", "mute", "event", "maybe")])
def test_usage(words: tuple[str, ...], ctl: Any, played: Any) -> None:
    assert ctl(*words).exit_code == 2 and played.asked == []


def test_answers(ctl: Any, rows: Any, played: Any) -> None:
    played.answers = {"get_statistics": {"c:d": 2, "a:b": 1}, "x": {"a": [1]}, "log_level": {"Processes": [
        {"PID": 7, "Log level": 3, "Type": "worker"}, {"PID": 8, "Log level": 4, "Type": "worker"}]}}
    assert rows("get_statistics") == [{"statistic": "a:b", "value": 1}, {"statistic": "c:d", "value": 2}]
    assert rows("log", "level", "--pid", 8) == [{"pid": 8, "level": 4, "type": "worker"}]
    assert len(rows("log", "level")) == 2 and rows("mi", "x") == {"a": [1]}
    assert ctl("-o", "yaml", "mi", "x").stdout == ctl("mi", "x", "-o", "yaml").stdout == "a:\n- 1\n"


def test_reload_tells_warnings(ctl: Any, played: Any) -> None:
    played.answers = {"reload_routes": {"Status": "OK", "Warnings": ["W1 be careful"]}}
    done = ctl("reload", "--dry-run")
    assert "nothing was changed" in done.stdout and "warning: W1 be careful" in done.stderr
    assert json.loads(ctl("-o", "json", "reload").stdout)["Status"] == "OK"


@pytest.mark.parametrize(("error", "code", "told"), [
    (MIError(-32601, "Method not found"), 4, "Is the module that has it loaded?"), (MIError(500, "bad", "why"), 4, "500 bad (why)"),
    (Unreachable("no osip answers"), 3, "no osip answers"), (NoAnswer("too slow"), 124, "too slow")])
def test_errors(error: Exception, code: int, told: str, ctl: Any, played: Any) -> None:
    played.answers = {"x": error}
    done = ctl("mi", "x")
    assert done.exit_code == code and told in done.stderr and done.stdout == ""


def test_completion_of_commands(played: Any) -> None:
    played.answers = {"which": ["ul_dump", "ul_rm", "uptime"]}
    with click.Context(osipctl, obj=Site()) as ctx:
        assert [item.value for item in complete_command(ctx, None, "ul")] == ["ul_dump", "ul_rm"]     # type: ignore[arg-type]
        played.answers = {"which": Unreachable("nobody")}
        assert complete_command(ctx, None, "ul") == []       # type: ignore[arg-type]
