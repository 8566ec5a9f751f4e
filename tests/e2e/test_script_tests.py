"""Run the tests of the shipped scripts as an operator does, and a simulation of one of them."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from kit.server import CHECKOUT

MESSAGE = ("OPTIONS sip:localhost SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\n"
           "To: <sip:localhost>\nCall-ID: 1\nCSeq: 1 OPTIONS\n")


def osip(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "osip", *map(str, words)], cwd=CHECKOUT, capture_output=True, text=True,
                          timeout=100, check=False)


def test_the_shipped_scripts_are_covered(tmp_path: Path) -> None:
    done = osip("test", "cfg/tests", "--cov-fail-under", "90", "--cov-json", tmp_path / "cov.json")
    assert done.returncode == 0, done.stdout + done.stderr
    files = json.loads((tmp_path / "cov.json").read_text())["files"]
    assert set(files) == {f"cfg/{path.name}" for path in (CHECKOUT / "cfg").glob("*.cfg")}
    for name, covered in files.items():
        assert len(covered["missed"]) <= 0.1 * len(covered["lines"]), f"{name}: {covered['missed']} never ran"
        assert all(covered["routes"].values()), name


def test_a_simulation(tmp_path: Path) -> None:
    (tmp_path / "options.sip").write_text(MESSAGE)
    done = osip("sim", "cfg/residential.cfg", tmp_path / "options.sip")
    assert done.returncode == 0, done.stderr
    assert "options_reply();" in done.stdout and "    SIP/2.0 200 OK" in done.stdout
