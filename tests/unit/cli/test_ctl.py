"""`osipctl`: start, look, stop, with a pid file; and the verbs that ask a running server."""
from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.peer import free_port
from osip.cli import ctl
from osip.cli.ctl import osipctl, pid_of

SCRIPT = """\
socket = udp:127.0.0.1:{port}
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
modparam("httpd", "port", {mi})
route {{
	sl_send_reply(200, "OK");
}}
"""
CTL = [sys.executable, "-c", "from osip.cli.ctl import main; main()"]


@pytest.mark.parametrize(("text", "alive"), [("{own}\n", True), ("", False), ("nonsense", False), ("999999999", False),
    (None, False),
                                             ("-1", False), ("0", False), ("9" * 40, False)])
def test_pid_of(text: str | None, alive: bool, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    if text is not None:
        path.write_text(text.format(own=os.getpid()))
    assert pid_of(str(path)) == (os.getpid() if alive else 0)


def answers(monkeypatch: pytest.MonkeyPatch, **by_command: Any) -> list[tuple[str, Any]]:
    """Let commands be answered without a server; return what was asked."""
    asked: list[tuple[str, Any]] = []

    def call(command: str, params: Any = None, *, url: str = "", timeout: float = 10.0) -> Any:
        asked.append((command, params))
        return by_command[command]
    monkeypatch.setattr("osip.cli.mi.call", call)
    return asked


CONTACTS = {"Domains": [{"name": "location", "AORs": [
    {"AOR": "bob", "Contacts": [{"Contact": "sip:bob@1", "Expires": 60, "Q": "0.5"}, {"Contact": "sip:bob@2",
        "Expires": 30}]}, {"AOR": "eve"}]}]}
SETS = {"PARTITIONS": [{"name": "default", "SETS": [{"id": 1, "Destinations": [
    {"URI": "sip:a", "state": "Active", "weight": "1"}, {"URI": "sip:b", "state": "Inactive"}]}]}]}


@pytest.mark.parametrize(("words", "command", "params", "rows"), [
    (("ps",), "ps", [], [["id", "pid", "type", "load", "messages"], ["0", "7", "worker", "3", ""]]),
    (("get_statistics", "tm:", "x"), "get_statistics", ["tm:", "x"], [["statistic", "value"], ["a:b", "1"], ["c:d",
        "2"]]),
    (("get_statistics",), "get_statistics", ["all"], [["statistic", "value"], ["a:b", "1"], ["c:d", "2"]]),
    (("ul", "show"), "ul_dump", [], [["aor", "contact", "expires", "q", "user agent"], ["bob", "sip:bob@1", "60",
        "0.5", ""],
                                     ["bob", "sip:bob@2", "30", "", ""]]),
    (("dispatcher", "show"), "ds_list", [], [["partition", "set", "destination", "state", "weight", "priority",
        "attributes"],
                                             ["default", "1", "sip:a", "Active", "1", "", ""],
                                             ["default", "1", "sip:b", "Inactive", "", "", ""]]),
])
def test_tables(words: tuple[str, ...], command: str, params: list[str], rows: list[list[str]], run: Any,
                monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, ps={"Processes": [{"ID": 0, "PID": 7, "Type": "worker",
        "Load": 3}]}, get_statistics={"c:d": 2,
        "a:b": 1},
                    ul_dump=CONTACTS, ds_list=SETS)
    found = run(osipctl, "-o", "csv", *words)
    assert list(csv.reader(io.StringIO(found.stdout))) == rows and asked == [(command, params)]
    as_json = json.loads(run(osipctl, "-o", "json", *words).stdout)
    assert [list(map(str, row.values())) for row in as_json] == rows[1:]
    assert run(osipctl, *words).stdout.splitlines()[0].split() == " ".join(rows[0]).split()


@pytest.mark.parametrize(("words", "asked"), [
    (("reload",), ("reload_routes", [])), (("uptime",), ("uptime", [])), (("ul", "show", "bob"), ("ul_show_contact",
        ["location", "bob"])),
    (("ul", "rm", "bob"), ("ul_rm", ["location", "bob"])), (("ul", "rm", "bob", "sip:b@1", "--table", "t"),
        ("ul_rm_contact", ["t", "bob", "sip:b@1"])),
    (("dispatcher", "reload"), ("ds_reload", [])), (("fifo", "log_level", "4"), ("log_level", ["4"])), (("mi",
        "log_level", "-1"), ("log_level", ["-1"]))])
def test_verbs(words: tuple[str, ...], asked: tuple[str, Any], run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = answers(monkeypatch, **{asked[0]: "OK"})
    assert run(osipctl, *words).stdout == "OK\n" and seen == [asked]


def test_stop_without_a_server(run: Any, tmp_path: Path) -> None:
    found = run(osipctl, "stop", "-P", tmp_path / "pid")
    assert found.exit_code == 1 and "no server runs" in found.stderr


def test_the_pid_file_of_the_environment(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSIP_PID_FILE", str(tmp_path / "mine"))
    assert f"{tmp_path}/mine" in run(osipctl, "stop").stderr


def test_a_server_that_does_not_stop(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = subprocess.Popen([sys.executable, "-c",
        "import signal,sys\nsignal.signal(15, signal.SIG_IGN)\nprint(1, flush=True)\nsys.stdin.read()"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert deaf.stdout is not None and deaf.stdout.readline()
        (tmp_path / "pid").write_text(str(deaf.pid))
        monkeypatch.setattr(ctl, "STOP_SECONDS", 0.1)
        found = run(osipctl, "stop", "-P", tmp_path / "pid")
        assert found.exit_code == 1 and f"kill -INT {deaf.pid}" in found.stderr
    finally:
        deaf.kill()
        deaf.communicate()


def test_nobody_there(run: Any) -> None:
    assert run(osipctl, "--url", f"http://127.0.0.1:{free_port()}/mi", "ps").exit_code == 3


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Path, list[str], dict[str, str]]]:
    """Give a folder with a script, the words that name it, and the environment; end what is left running."""
    mi = free_port()
    (tmp_path / "s.cfg").write_text(SCRIPT.format(port=free_port(), mi=mi))
    yield tmp_path, ["-f", "s.cfg", "-P", "pid"], {**os.environ, "OSIP_MI": f"http://127.0.0.1:{mi}/mi"}
    pid = pid_of(str(tmp_path / "pid"))
    if pid:
        os.kill(pid, signal.SIGKILL)


def test_a_whole_life(place: tuple[Path, list[str], dict[str, str]]) -> None:
    folder, named, env = place

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*CTL, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=40)
    started = command("start", *named)
    assert started.returncode == 0, started.stderr
    pid = pid_of(str(folder / "pid"))
    assert pid and f"ready, pid {pid}" in started.stdout
    again = command("start", *named)
    assert again.returncode == 1 and f"a server runs already, pid {pid}" in again.stderr
    (worker,) = json.loads(command("-o", "json", "ps").stdout)
    assert (worker["id"], worker["pid"], worker["type"]) == (0, pid, "worker")
    assert re.search(r"Up time: \d+ \[sec\]", command("uptime").stdout)
    assert "core:rcv_requests" in command("get_statistics", "core:").stdout
    assert command("reload").stdout == "OK\n"
    restarted = command("restart", *named)
    other = pid_of(str(folder / "pid"))
    assert restarted.returncode == 0 and other and other != pid, restarted.stderr
    stopped = command("stop", "-P", "pid")
    assert (stopped.returncode, stopped.stdout) == (0, f"stopped, pid {other}\n") and not (folder / "pid").exists()
    assert command("ps").returncode == 3


def test_a_start_that_fails(place: tuple[Path, list[str], dict[str, str]]) -> None:
    folder, named, env = place
    (folder / "s.cfg").write_text("route { nonsense(); }")
    found = subprocess.run([*CTL, "start", *named], cwd=folder, env=env, capture_output=True, text=True, timeout=40)
    assert found.returncode == 5 and "E101" in found.stderr and not (folder / "pid").exists()
