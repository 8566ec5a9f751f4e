"""Scripts that need modules of a later day: those are named, each once, and nothing else is found.

When the last module of a script is there, the script must check clean like those in `sound`.
"""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from osip.core.exports import loader
from osip.core.exports.diagnostic import Severity
from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.lint import lint

SCRIPTS = sorted((Path(__file__).parent / "ahead").glob("*.cfg"))
LOAD = re.compile(r'^loadmodule "(\w+)\.so"', re.MULTILINE)


def test_there_are_some() -> None:
    assert len(SCRIPTS) >= 8


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_only_the_missing_modules_are_named(path: Path) -> None:
    missing = [name for name in LOAD.findall(path.read_text()) if name not in loader.available()]
    registry = Registry(BUILTINS)
    result = compile_script(path, registry, Config())
    found = [one for one in lint(result, registry) if one.severity is not Severity.INFO]
    assert [f"{one.span.line}: {one.code} {one.message}" for one in found if one.code != "E301"] == []
    assert [one.message for one in found] == [f'module "{name}" is not part of this osip' for name in missing]
