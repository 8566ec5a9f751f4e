"""The scripts that come with osip, and those in `sound`: nothing to find in them, not even a notice."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.report import render

HERE = Path(__file__).parent
SCRIPTS = sorted([*(HERE.parents[1] / "cfg").glob("*.cfg"), *(HERE / "sound").glob("*.cfg")])


def test_there_are_some():
    assert SCRIPTS


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_no_finding(path):
    result = compile_script(path, Registry(BUILTINS), Config())
    assert render(result.diagnostics, result.script.files) == ""


@pytest.mark.parametrize("path", sorted((HERE / "old").glob("*.cfg")), ids=lambda path: path.stem)
def test_what_old_tutorials_write_checks_without_an_error(path):
    result = compile_script(path, Registry(BUILTINS), Config())
    assert result.ok, render(result.errors, result.script.files)
