"""`osipctl trap`: stacks of processes that answer, that hang, that are no osip, that are gone."""
from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osip.cli.ctl import trap
from osip.cli.ctl.trap import children, stacks_of

HANGS = """
import asyncio, sys
from osip.core.run import trap
async def main():
    trap.set_up(asyncio.get_running_loop())
    hang_here()
def hang_here():
    print(1, flush=True)
    while True:
        pass
asyncio.run(main())
"""
WAITS = HANGS.replace("    hang_here()\n", "    await wait_here()\n", 1).replace(
    "def hang_here():\n    print(1, flush=True)\n    while True:\n        pass",
    "async def wait_here():\n    asyncio.get_running_loop().call_soon(print, 1)\n    asyncio.get_running_loop().call_soon("
    "sys.stdout.flush)\n    await asyncio.Event().wait()")
MASTER = "from osip.core.run import trap\ntrap.set_up()\nprint(1, flush=True)\nimport sys\nsys.stdin.read()\n"
STRANGER = "print(1, flush=True)\nimport sys\nsys.stdin.read()\n"


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[int]:
    child = subprocess.Popen([sys.executable, "-c", request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline()
    yield child.pid
    child.kill()
    child.communicate()


@pytest.mark.parametrize(("started", "found", "seconds"), [
    (HANGS, ("in hang_here", "its loop did not turn"), 0.3), (WAITS, ("tasks: 1", "in wait_here", "-- end of tasks --"), 10),
    (MASTER, ("most recent call first", "<string>"), 10), (STRANGER, ("no osip",), 1)], indirect=["started"])
def test_stacks(started: int, found: tuple[str, ...], seconds: float) -> None:
    for _ in range(2):
        text = stacks_of(started, seconds)
        assert [words for words in found if words not in text] == [], text
        assert "\0" not in text and text.count("most recent call first") <= 1
    os.kill(started, 0)


def test_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert stacks_of(child.pid) == "(no osip, or none that can be asked on this system)\n" and children(child.pid) == []


@pytest.mark.parametrize("started", [WAITS], indirect=True)
def test_the_file(started: int, ctl: Any, here: Path) -> None:
    done = ctl("trap", "--pid", started)
    path, = here.glob("osip-trap-*.txt")
    assert done.exit_code == 0 and path.name in done.stdout and "in wait_here" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "what it shows is for the operator"
    (here / "osip.pid").write_text(str(started))
    assert ctl("trap", "--to", "mine.txt").exit_code == 0 and f"pid {started}" in Path("mine.txt").read_text()
    bad = ctl("trap", "--to", "no/such/folder")
    assert bad.exit_code == 1 and "--to names another file" in bad.stderr


@pytest.mark.parametrize("started", [WAITS], indirect=True)
def test_processes_as_the_server_lists_them(started: int, ctl: Any, played: Any) -> None:
    played.answers = {"ps": {"Processes": [{"PID": started}]}}
    assert "in wait_here" in ctl("trap", "--to", "-").stdout


@pytest.mark.parametrize("started", [WAITS], indirect=True)
def test_the_heading_shows_no_password(started: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.match(rf"---- pid {started}, [RS] \((running|sleeping)\): .*python", trap.title(started))
    assert len(trap.title(started).splitlines()) == 1
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda self, **named: "osip\0-o\0password=secret\0mysql://u:pw@h/d\0" if
                        self.name == "cmdline" else read(self, **named))
    assert "secret" not in trap.title(started) and "u:pw@" not in trap.title(started)
    assert "gone" in trap.title(2 ** 22 + 1)


def test_nobody_to_ask(ctl: Any, played: Any) -> None:
    done = ctl("trap")
    assert done.exit_code == 3 and "osipctl trap --pid PID" in done.stderr


def test_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)
    monkeypatch.setattr(trap.os, "listdir", refuse)
    assert "as root" in stacks_of(1)
