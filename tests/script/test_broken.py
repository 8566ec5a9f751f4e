"""Scripts with one fault each: exactly that fault is reported, word for word.

`NAME.expect` beside `NAME.cfg` is what `osip check` prints. After an intended change of words set
OSIP_WRITE_EXPECT=1 once, and read the difference.
"""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.report import CATALOGUE, render

FOLDER = Path(__file__).parent / "broken"
NAMES = sorted(path.stem for path in FOLDER.glob("*.cfg"))


def test_there_are_forty():
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_one_fault_is_one_finding(name, monkeypatch):
    monkeypatch.chdir(FOLDER)                           # paths in the report are then relative to it
    result = compile_script(Path(f"{name}.cfg"), Registry(BUILTINS), Config())
    text = render(result.diagnostics, result.script.files).replace(str(FOLDER) + os.sep, "")
    expect = FOLDER / f"{name}.expect"
    if os.environ.get("OSIP_WRITE_EXPECT"):
        expect.write_text(text)
    assert text == expect.read_text()
    assert [one.code for one in result.diagnostics] == [result.diagnostics[0].code], "one cause, one finding"
    assert result.diagnostics[0].code in CATALOGUE
