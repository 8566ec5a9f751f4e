"""`osipctl monitor`: samples, rates, forms, and a server that goes away and comes back."""
from __future__ import annotations

import io
import json
from typing import Any

import pytest

from osip.cli.client import Unreachable
from osip.cli.ctl import monitor
from osip.cli.ctl.monitor import Sample, span

NAMES = {"core:rcv_requests": 10, "tm:inuse_transactions": 2, "net:x": 5, "net:y": 6}


@pytest.fixture
def server(played: Any) -> Any:
    played.answers = {
        "get_statistics": NAMES, "list_statistics": {"core:rcv_requests": "counter", "tm:inuse_transactions": "non-counter"},
        "version": {"Server": "osip"}, "uptime": {"Up time": "90061 [sec]"},
        "ps": {"Processes": [{"ID": 0, "PID": 7, "Type": "worker", "Load": 3, "Messages": 4}, {"ID": 1, "PID": 8, "Type": "master"}]}}
    return played


@pytest.mark.parametrize(("seconds", "text"), [(0, "00:00:00"), (3661, "01:01:01"), (90061, "1 d 01:01:01")])
def test_spans(seconds: int, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("now", "then", "rate"), [
    (Sample(12, uptime=12, statistics={"a": 50}), Sample(10, uptime=10, statistics={"a": 10}), 20.0),
    (Sample(12, uptime=12, statistics={"a": 50}), None, None),
    (Sample(12, uptime=1, statistics={"a": 50}), Sample(10, uptime=10, statistics={"a": 10}), None),
    (Sample(12, uptime=12, statistics={"a": 5}), Sample(10, uptime=10, statistics={"a": 10}), None),
    (Sample(12, uptime=12, statistics={"a": 5}), Sample(10, uptime=10), 0.0),
    (Sample(12, uptime=12, statistics={"a": 50}, gauges=frozenset("a")), Sample(10, uptime=10, statistics={"a": 10}), None)])
def test_rates(now: Sample, then: Sample | None, rate: float | None) -> None:
    assert now.rate("a", then) == rate


def test_once(ctl: Any, server: Any) -> None:
    text = ctl("monitor", "--once").stdout
    assert text.startswith("osip, up 1 d 01:01:01, ") and "core:rcv_requests" in text and "3 %" in text and "net:x" not in text
    found = json.loads(ctl("-o", "json", "moni", "--once", "--stat", "net:").stdout)
    assert found["statistics"] == NAMES and found["uptime"] == 90061 and len(found["processes"]) == 2
    assert "net:x,5" in ctl("-o", "csv", "monitor", "--once", "--stat", "x").stdout


def test_once_without_a_server(ctl: Any, server: Any) -> None:
    server.answers["get_statistics"] = Unreachable("nobody there")
    done = ctl("monitor", "--once")
    assert done.exit_code == 3 and "nobody there" in done.stderr


def test_lines_for_machines(ctl: Any, server: Any) -> None:
    values = iter([10, 30, Unreachable("gone"), 50])

    def statistics(params: Any) -> Any:
        value = next(values)
        if isinstance(value, Unreachable):
            raise value
        return {"core:rcv_requests": value}
    server.answers["get_statistics"] = statistics
    done = ctl("-o", "json", "monitor", "0.1", "-n", 4)
    first, second, third = [json.loads(line) for line in done.stdout.splitlines()]
    assert first["per_second"] == {} and second["per_second"]["core:rcv_requests"] > 0 and "gone" in done.stderr
    assert third["statistics"]["core:rcv_requests"] == 50


def test_blocks_of_text(ctl: Any, server: Any) -> None:
    text = ctl("monitor", "0.1", "-n", 2).stdout
    assert text.count("core:rcv_requests") == 2 and text.count("statistic") == 2


def test_the_screen(ctl: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "60")
    monkeypatch.setenv("TERM", "xterm")
    from osip.cli.ctl.site import Site
    monitor.draw(Site(), 0.1, 2, ())
    server.answers["uptime"] = Unreachable("went away")
    monitor.draw(Site(), 0.1, 1, ())
    text = screen.getvalue()
    assert "core:rcv_requests" in text and "inuse_transactions" in text and "went away" in text and "Ctrl-C" in text
