"""Completion: the text for each shell, and what a shell gets from it."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CTL = [sys.executable, "-c", "from osip.cli.ctl import main; main()"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_texts(shell: str, ctl: Any) -> None:
    done = ctl("completion", shell)
    assert done.exit_code == 0 and f"_OSIPCTL_COMPLETE={shell}_complete" in done.stdout and "osipctl" in done.stdout
    if shutil.which(shell) and shell != "fish":
        assert subprocess.run([shell, "-n"], input=done.stdout, text=True, check=False).returncode == 0


def test_an_unknown_shell(ctl: Any) -> None:
    assert ctl("completion", "tcsh").exit_code == 2


@pytest.mark.parametrize(("line", "offered"), [
    ("osipctl dispa", "dispatcher"), ("osipctl dispatcher add", "addgw"), ("osipctl log level w", "warning"),
    ("osipctl -o js", "json"), ("osipctl address add 1 10.0.0.1 32 0 sc", "sctp"), ("osipctl ul sh", "show")])
def test_what_bash_is_offered(line: str, offered: str, here: Path) -> None:
    words = line.split()
    env = {**os.environ, "_OSIPCTL_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(CTL, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert f"plain,{offered}" in done.stdout.splitlines(), done.stderr
