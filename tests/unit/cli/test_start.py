"""Starting: options, what is said when ready, what is said when it cannot be, signals, reload."""
from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

from kit.message import request
from kit.peer import HOST, Child, child, free_port
from osip.cli.start import pairs, path_or_default, start
from osip.core.sip.message import parse

SCRIPT = """\
log_level = 3
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
route {
	sl_send_reply(200, "$argv(word)");
}
"""


@pytest.mark.parametrize(("words", "expected"), [((), {}), (("a=1", "b=2=3", "c="), {"a": "1", "b": "2=3", "c": ""})])
def test_pairs(words: tuple[str, ...], expected: dict[str, str]) -> None:
    assert pairs(words, "-o") == expected


@pytest.mark.parametrize("word", ["a", "=b", ""])
def test_bad_pairs(word: str) -> None:
    with pytest.raises(click.UsageError, match="name=value"):
        pairs((word,), "-o")


def test_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("osip.cli.start.DEFAULT_CFG", str(tmp_path / "d.cfg"))
    assert path_or_default("x.cfg") == "x.cfg"
    with pytest.raises(click.UsageError):
        path_or_default(None)
    (tmp_path / "d.cfg").write_text("")
    assert path_or_default(None) == str(tmp_path / "d.cfg")


@contextmanager
def running(folder: Path, port: int, *words: str | Path, text: str = SCRIPT, short: bool = False) -> Iterator[Child]:
    """Run a server in the foreground until it is ready."""
    path = folder / "s.cfg"
    path.write_text(text.replace("5060", str(port)))
    head = ["-F", "-f", path] if short else ["start", "-f", path]
    with child("osip", [sys.executable, "-m", "osip", *head, *words], folder, {"PYTHONUNBUFFERED": "1"}) as server:
        server.wait_for(r"^ready, pid \d+$", 20)
        yield server


def ask(port: int, **more: Any) -> Any:
    """Send OPTIONS and return the parsed answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        sock.settimeout(5)
        own = sock.getsockname()[1]
        sock.sendto(request("OPTIONS", f"sip:{HOST}:{port}", via=f"{HOST}:{own}", call_id=f"c{own}",
            branch=f"z9hG4bK{own}", **more),
                    (HOST, port))
        return parse(sock.recv(65535))


def test_what_a_start_says(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port, "-o", "word=hello", "-P", tmp_path / "pid") as server:
        assert server.lines[:2] == [f"listening on udp:{HOST}:{port}", f"{tmp_path}/s.cfg: 2 modules, 1 routes"]
        assert server.lines[-1] == f"ready, pid {server.pid}" and (tmp_path / "pid").read_text() == f"{server.pid}\n"
        assert ask(port).reason == "hello"
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0 and not (tmp_path / "pid").exists()


@pytest.mark.parametrize(("words", "settings", "is_json"), [
    ((), "", False), (("--log-format", "json"), "", True), (("--log-format", "text"), 'stderror_log_format="json"', False)])
def test_the_form_of_the_log(words: tuple[str, ...], settings: str, is_json: bool, tmp_path: Path) -> None:
    with running(tmp_path, free_port(), *words, text=f"{settings}\n{SCRIPT}") as server:
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
        line = next(line for line in server.lines if "stopping" in line)
        assert (json.loads(line)["level"] == "INFO") if is_json else " INFO " in line


@pytest.mark.parametrize(("words", "sign"), [((), signal.SIGINT), (("-D",), signal.SIGTERM), (("-E",), signal.SIGINT)])
def test_the_short_form_in_the_foreground(words: tuple[str, ...], sign: int, tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    with running(tmp_path, port, *words, "-l", f"udp:{HOST}:{other}", "-o", "word=x", short=True) as server:
        assert ask(other).status == 200
        server.send_signal(sign)
        assert server.wait(10) == 0


def test_a_busy_port_is_told(tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        port = sock.getsockname()[1]
        path = tmp_path / "s.cfg"
        path.write_text(SCRIPT.replace("5060", str(port)))
        found = run(start, "-f", path)
    assert found.exit_code == 1 and re.search(rf"udp:{HOST}:{port}: Address already in use.*-l udp:{HOST}:PORT",
        found.stderr)


def test_reload_by_signal(tmp_path: Path) -> None:
    """A bad file keeps the old program; a later good one works; a missing one changes nothing."""
    port = free_port()
    with running(tmp_path, port, "-o", "word=old") as server:
        path = tmp_path / "s.cfg"

        def reload(text: str | None, said: str) -> None:
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_text(text.replace("5060", str(port)))
            server.lines.clear()
            server.send_signal(signal.SIGHUP)
            server.wait_for(said)
        reload(SCRIPT.replace("sl_send_reply", "sl_send_rply"), "reload refused errors=1 .*s.cfg:6:2 E101")
        assert ask(port).reason == "old"
        reload(SCRIPT.replace("}", ""), "reload refused")
        assert ask(port).reason == "old"
        reload(None, "reload refused")
        assert ask(port).reason == "old"
        reload(SCRIPT.replace("$argv(word)", "new"), "script reloaded")
        assert ask(port).reason == "new"
        assert server.alive


def test_flags_of_scripts_that_are_gone(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port, "-o", "word=old") as server:
        for number in range(3):
            names = "".join(f'setflag("f{number}_{one}"); ' for one in range(20))
            text = SCRIPT.replace("\tsl_send", f"\t{names}\n\tsl_send").replace("$argv(word)", f"flags{number}")
            (tmp_path / "s.cfg").write_text(text.replace("5060", str(port)))
            server.lines.clear()
            server.send_signal(signal.SIGHUP)
            server.wait_for("script reloaded|reload refused")
            assert ask(port).reason in (f"flags{number}", "old")


def test_a_call_in_flight_outlives_the_drain(tmp_path: Path) -> None:
    text = SCRIPT.replace("route {", "loadmodule \"tm.so\"\nroute {\n\tif ($rm == \"INVITE\") { t_relay(); exit; }")
    port = free_port()
    with running(tmp_path, port, "-o", "word=x", text=text) as server, socket.socket(socket.AF_INET,
            socket.SOCK_DGRAM) as bob, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alice:
        for sock in (alice, bob):
            sock.bind((HOST, 0))
            sock.settimeout(5)
        invite = request("INVITE", f"sip:bob@{HOST}:{bob.getsockname()[1]}", via=f"{HOST}:{alice.getsockname()[1]}")
        alice.sendto(invite, (HOST, port))
        relayed = bob.recv(65535)
        assert parse(alice.recv(65535)).status == 100
        server.send_signal(signal.SIGTERM)
        server.wait_for("stopping: finishing what is in flight")
        assert ask(port).status == 200 and server.alive
        vias = "".join(f"Via: {via}\r\n" for via in parse(relayed).get_all("Via"))
        bob.sendto((f"SIP/2.0 200 OK\r\n{vias}From: <sip:alice@example.com>;tag=a1\r\n"
                    "To: <sip:bob@example.com>;tag=b\r\nCall-ID: call-1\r\nCSeq: 1 INVITE\r\n"
                    "Content-Length: 0\r\n\r\n").encode(), (HOST, port))
        assert parse(alice.recv(65535)).status == 200
        assert server.wait(10) == 0


def test_in_the_background(tmp_path: Path) -> None:
    """Without -F the command returns once the server is ready, and with its exit code when it is not."""
    import subprocess

    port, pid_file = free_port(), tmp_path / "pid"
    path = tmp_path / "s.cfg"
    path.write_text(SCRIPT.replace("5060", str(port)))
    argv = [sys.executable, "-m", "osip", "-f", path, "-P", pid_file, "-o", "word=back"]
    found = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    pid = int(pid_file.read_text())
    try:
        assert found.returncode == 0 and f"ready, pid {pid}" in found.stdout and ask(port).reason == "back"
        second = subprocess.run([*argv[:-4], "-P", tmp_path / "pid2"], cwd=tmp_path, capture_output=True, text=True,
            timeout=30)
        assert second.returncode == 1 and "Address already in use" in second.stderr
        assert pid_file.read_text() == f"{pid}\n"
    finally:
        os.kill(pid, signal.SIGINT)
