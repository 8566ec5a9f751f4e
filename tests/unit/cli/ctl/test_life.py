"""Start, status, stop, restart, with a pid file; and the verbs that look at a running server."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.peer import eventually, free_port
from osip.cli.client import Unreachable
from osip.cli.ctl import life
from osip.cli.ctl.life import pid_of

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
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(("text", "alive"), [
    ("{own}\n", True), ("", False), ("nonsense", False), ("999999999", False), (None, False), ("-1", False), ("0", False),
    ("9" * 40, False)])
def test_pid_of(text: str | None, alive: bool, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    if text is not None:
        path.write_text(text.format(own=os.getpid()))
    assert pid_of(str(path)) == (os.getpid() if alive else 0)


@pytest.mark.parametrize("source", ["option", "environment", "rc"])
def test_where_the_pid_file_is(source: str, ctl: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words: tuple[str, ...] = ("stop",)
    if source == "option":
        words = ("stop", "-P", f"{here}/mine")
    elif source == "environment":
        monkeypatch.setenv("OSIP_PID_FILE", f"{here}/mine")
    else:
        (here / "opensipsctlrc").write_text(f"PID_FILE={here}/mine\n")
    done = ctl(*words)
    assert done.exit_code == 1 and f"no server runs ({here}/mine)" in done.stderr


def test_a_server_that_does_not_stop(ctl: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = subprocess.Popen([sys.executable, "-c", "import signal,sys\nsignal.signal(15, signal.SIG_IGN)\n"
                             "print(1, flush=True)\nsys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert deaf.stdout is not None and deaf.stdout.readline()
        (here / "pid").write_text(str(deaf.pid))
        monkeypatch.setattr(life, "STOP_SECONDS", 0.1)
        done = ctl("stop", "-P", here / "pid")
        assert done.exit_code == 1 and f"kill -INT {deaf.pid}" in done.stderr
    finally:
        deaf.kill()
        deaf.communicate()


def test_nobody_there(ctl: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}/mi"
    done = ctl("--url", url, "ps")
    assert done.exit_code == 3 and "Is it running" in done.stderr
    lost = ctl("--url", url, "-o", "json", "status")
    found = json.loads(lost.stdout)
    assert lost.exit_code == 3 and not found["Running"] and "no osip answers" in found["Management"]


def test_status_by_the_pid_file_alone(ctl: Any, here: Path, played: Any) -> None:
    (here / "osip.pid").write_text(str(os.getpid()))
    played.answers = {"uptime": Unreachable("busy")}
    done = ctl("-o", "json", "status")
    assert done.exit_code == 0 and json.loads(done.stdout) == {
        "Running": True, "PID": os.getpid(), "PID file": "osip.pid", "Management": "busy"}


def test_tables(rows: Any, played: Any) -> None:
    played.answers = {"ps": {"Processes": [{"ID": 0, "PID": 7, "Type": "worker", "Load": 3}]}}
    assert rows("ps") == [{"id": 0, "pid": 7, "type": "worker", "load": 3, "messages": ""}]


def test_the_script_of_etcdir(here: Path, ctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "opensips.cfg").write_text("route { }")
    (here / "opensipsctlrc").write_text(f"ETCDIR={here}\nSTARTOPTIONS='-n 2 -E'\n")
    asked: list[list[str]] = []
    monkeypatch.setattr("subprocess.call", lambda argv: asked.append(argv) or 7)
    assert ctl("start").exit_code == 7
    assert asked[0][3:] == ["-f", f"{here}/opensips.cfg", "-P", f"{here}/osip.pid", "-n", "2", "-E"]
    (here / "opensipsctlrc").write_text("STARTOPTIONS=\"'\"\n")
    assert ctl("start", "-f", "x").exit_code == 1


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """Run osipctl in a folder with a script; end what is left running."""
    mi = free_port()
    (tmp_path / "s.cfg").write_text(SCRIPT.format(port=free_port(), mi=mi))
    env = {**os.environ, "OSIP_MI": f"http://127.0.0.1:{mi}/mi", "HOME": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*CTL, *words], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    yield run
    pid = pid_of(str(tmp_path / "pid"))
    if pid:
        os.kill(pid, signal.SIGKILL)


def test_a_whole_life(command: Command, tmp_path: Path) -> None:
    named = ("-f", "s.cfg", "-P", "pid")
    started = command("start", *named)
    assert started.returncode == 0, started.stderr
    pid = pid_of(str(tmp_path / "pid"))
    assert pid and f"ready, pid {pid}" in started.stdout
    again = command("start", *named)
    assert again.returncode == 1 and f"a server runs already, pid {pid}" in again.stderr
    status = json.loads(command("status", "-P", "pid", "-o", "json").stdout)
    assert status["Running"] and status["PID"] == pid and status["Management"] == "answers" and status["Processes"] == 1
    assert json.loads(command("-o", "json", "ps").stdout)[0]["pid"] == pid
    assert re.search(r"Up time: \d+ \[sec\]", command("uptime").stdout) and "osip" in command("version").stdout
    trapped = command("trap", "-P", "pid", "--to", "-")
    assert trapped.returncode == 0 and f"pid {pid}" in trapped.stdout and "-- end of tasks --" in trapped.stdout
    restarted = command("restart", *named)
    other = pid_of(str(tmp_path / "pid"))
    assert restarted.returncode == 0 and other and other != pid, restarted.stderr
    stopped = command("stop", "-P", "pid")
    assert (stopped.returncode, stopped.stdout) == (0, f"stopped, pid {other}\n") and not (tmp_path / "pid").exists()
    assert command("ps").returncode == 3 and command("status", "-P", "pid").returncode == 3
    eventually(lambda: not os.path.exists(f"/proc/{other}"), "its end")


def test_a_start_that_fails(command: Command, tmp_path: Path) -> None:
    (tmp_path / "s.cfg").write_text("route { nonsense(); }")
    found = command("start", "-f", "s.cfg", "-P", "pid")
    assert found.returncode == 5 and "E101" in found.stderr and not (tmp_path / "pid").exists()
