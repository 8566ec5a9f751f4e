"""Check `osip test`: what it runs, what it prints, how it exits."""
from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from osip.cli.test import test as command

PLAIN = "script s.cfg\ntest good\nsend OPTIONS sip:x@y\nexpect reply 200\n"
PYTHON = 'def test_it(script):\n    script("s.cfg").send("OPTIONS sip:no@y").expect_nothing()\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.cfg").write_text('loadmodule "proto_udp.so"\nloadmodule "sl.so"\nroute {\n\tif ($rU == "no")\n'
                                    '\t\texit;\n\tsl_send_reply(200, "OK");\n}\n')
    (tmp_path / "a.osiptest").write_text(PLAIN)
    return tmp_path


def test_all_pass(folder: Path, run: Callable[..., Any]) -> None:
    result = run(command, folder, "--cov", "-v")
    assert result.exit_code == 0, result.output
    assert "a.osiptest: good" in result.stdout and "1 tests, 0 failed" in result.stdout
    assert "66.7%" in result.stdout and "5, 4:then" in result.stdout


def test_a_failure(folder: Path, run: Callable[..., Any]) -> None:
    (folder / "b.osiptest").write_text(PLAIN.replace("200", "404"))
    result = run(command, folder)
    assert result.exit_code == 1
    assert "b.osiptest:4: good" in result.stdout and "expected a reply 404" in result.stdout
    assert json.loads(run(command, folder, "-o", "json").stdout)["failed"] == 1
    tree = ET.fromstring(run(command, folder, "-o", "junit").stdout)
    assert [len(case) for case in tree.iter("testcase")] == [0, 1]


def test_too_little_covered(folder: Path, run: Callable[..., Any]) -> None:
    result = run(command, folder, "--cov-fail-under", "70", "--cov-lcov", folder / "l", "--cov-json", folder / "j",
                 "--cov-html", folder / "h" / "i")
    assert len(list((folder / "h" / "i").iterdir())) == 2 and "index.html" in result.stderr
    blocked = run(command, folder, "--cov-html", folder / "l" / "x")
    assert blocked.exit_code == 1 and "cannot write" in blocked.stderr
    assert result.exit_code == 1 and "66.7% of the lines ran, 70% are wanted" in result.stderr
    assert "DA:5,0" in (folder / "l").read_text()
    assert json.loads((folder / "j").read_text())["lines"] == 66.67
    assert run(command, folder, "--cov-fail-under", "60").exit_code == 0


def test_python_tests_count_too(folder: Path, run: Callable[..., Any]) -> None:
    (folder / "test_s.py").write_text(PYTHON)
    result = run(command, folder, "--cov-fail-under", "100")
    assert result.exit_code == 0, result.output
    assert "2 tests, 0 failed" in result.stdout
    (folder / "test_t.py").write_text(PYTHON.replace("nothing", "relay"))
    result = run(command, folder / "test_t.py")
    assert result.exit_code == 1 and "expected OPTIONS to be relayed" in result.stdout


def test_nothing_to_run(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "test_other.py").write_text("def test_x(): pass\n")
    for path in (tmp_path, tmp_path / "nope"):
        result = run(command, path)
        assert result.exit_code == 2 and "osip: " in result.stderr
