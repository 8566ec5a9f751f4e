"""Completion of osipctl in real shells: verbs, values, and the commands of a running server."""
from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.server import osip_server

pytestmark = pytest.mark.timeout(120)

SCRIPT = """\
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
route { sl_send_reply(200, "OK"); }
"""
LINES = [("osipctl dispa", "dispatcher"), ("osipctl dispatcher rm", "rmgw"), ("osipctl log level w", "warning"),
         ("osipctl mi uptim", "uptime")]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give an environment in which `osipctl` is the one under test, and its server runs."""
    folder = tmp_path_factory.mktemp("shells")
    program = folder / "osipctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from osip.cli.ctl import main; main()" "$@"\n')
    program.chmod(0o755)
    with osip_server(SCRIPT, folder / "server") as server:
        yield {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb",
               "OSIP_MI": f"http://127.0.0.1:{server.mi_port}/mi"}


@pytest.mark.parametrize(("line", "word"), LINES)
def test_bash(line: str, word: str, env: dict[str, str], tmp_path: Path) -> None:
    script = (f'eval "$(osipctl completion bash)"; COMP_WORDS=({line}); COMP_CWORD={len(line.split()) - 1}; '
              '_osipctl_completion osipctl; echo "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [word], done.stderr


@pytest.mark.peer("fish")
@pytest.mark.parametrize(("line", "word"), LINES)
def test_fish(line: str, word: str, env: dict[str, str], tmp_path: Path) -> None:
    script = f'osipctl completion fish | source; complete -C "{line}"'
    done = subprocess.run(["fish", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert [found.split("\t")[0] for found in done.stdout.splitlines()] == [word], done.stderr


@pytest.mark.peer("zsh")
def test_zsh(env: dict[str, str], tmp_path: Path) -> None:
    """Type into an interactive shell: its completion works nowhere else."""
    pid, fd = pty.fork()
    if not pid:
        os.chdir(tmp_path)
        os.execvpe("zsh", ["zsh", "-f", "-i"], env)
    try:
        type_in(fd, 'autoload -U compinit; compinit -u -D; eval "$(osipctl completion zsh)"; echo rea""dy\n', "ready")
        for line, word in LINES:
            type_in(fd, line + "\t", word)
            type_in(fd, "\x15echo cle\"\"ar\n", "clear")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def type_in(fd: int, text: str, expected: str) -> None:
    """Type, and wait for what must appear; what the shell shows of the keys themselves does not hold it."""
    os.write(fd, text.encode())
    seen, until = "", time.monotonic() + 30
    while expected not in seen:
        ready, _, _ = select.select([fd], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"{expected} did not appear: {seen!r}"
        seen += os.read(fd, 65536).decode(errors="replace")
