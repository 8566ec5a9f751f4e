"""Run scripts/test on small suites: what passes alone is told apart from what is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kit.server import CHECKOUT

DISTURBED = """
def test_once():
    import pathlib
    mark = pathlib.Path("mark")
    seen = mark.exists()
    mark.touch()
    assert seen
"""
BROKEN = "def test_never():\n    assert False\n"
MANY = "import pytest\n" + DISTURBED.replace("test_once()", "test_once(n)").replace("mark\"", "mark%d\" % n").replace(
    "\ndef", "\n@pytest.mark.parametrize('n', range(4))\ndef")
GOOD = "def test_good():\n    pass\n"
PURE = ("tests/unit/core/sip", "tests/unit/core/net", "tests/unit/core/run", "tests/unit/modules/tm", "tests/unit/modules/rr",
        "tests/unit/modules/registrar", "tests/unit/modules/usrloc", "tests/unit/modules/dispatcher", "tests/script/rules",
        "tests/flow", "tests/torture")


def suite(folder: Path, text: str) -> tuple[int, str]:
    """Run scripts/test on a suite of one good test for each folder and `text`."""
    (folder / "scripts").mkdir()
    shutil.copy(CHECKOUT / "scripts/test", folder / "scripts")
    (folder / "scripts/venv").write_text("#!/bin/sh\n")
    (folder / "scripts/venv").chmod(0o755)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / ".venv/bin/python").chmod(0o755)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\ntestpaths = tests\n")
    for name in PURE:
        (folder / name).mkdir(parents=True)
        (folder / name / "test_it.py").write_text(GOOD)
    (folder / "tests/property").mkdir()
    for name in ("behaviour", "sip"):
        (folder / f"tests/property/test_{name}.py").write_text(GOOD)
    (folder / "tests/test_all.py").write_text(text)
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("PYTEST_XDIST", "PYTEST_ADDOPTS", "OSIP_"))}
    done = subprocess.run([folder / "scripts/test"], capture_output=True, text=True, check=False, env=env, timeout=120)
    return done.returncode, done.stdout


@pytest.mark.parametrize("text, code, second, disturbed", [
    (DISTURBED, 0, True, True), (DISTURBED + BROKEN, 1, True, False), (MANY, 1, False, False),
], ids=["disturbed", "broken", "many"])
def test_only_what_passes_alone_is_forgiven(text: str, code: int, second: bool, disturbed: bool, tmp_path: Path) -> None:
    found, out = suite(tmp_path, text)
    assert found == code, out
    assert ("a second look" in out, "DISTURBED" in out) == (second, disturbed)
    assert out.count(f"= {len(PURE) + 2} passed") == 1        # the run in pure Python is made in any case
