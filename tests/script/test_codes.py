"""Every code of the catalogue: a script that earns it, what is printed then, and the same script without the fault.

`CODE.expect` beside `codes/CODE.cfg` is what `osip lint` prints; OSIP_WRITE_EXPECT=1 writes it anew. The codes that
`broken` shows are not shown again.
"""
from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.catalogue import CATALOGUE
from osip.script.lint import lint
from osip.script.report import render

HERE = Path(__file__).parent
FOLDER = HERE / "codes"
CODES = sorted(path.stem for path in FOLDER.glob("*.cfg"))
ELSEWHERE = {
    "E023": "a preprocessor: tests/unit/script/test_source.py",
    "E025": "a depth that no file of a test should have: tests/unit/script/check/test_depth.py",
    "E308": "only on reload: tests/unit/core/run", "E311": "only on reload: tests/unit/core/run",
    "W641": "only on reload: tests/unit/core/run/test_reload.py",
}


def printed(path: Path) -> tuple[str, list[str]]:
    registry = Registry(BUILTINS)
    result = compile_script(path, registry, Config())
    found = lint(result, registry)
    return render(found, result.script.files), [one.code for one in found]


@pytest.mark.parametrize("code", CODES)
def test_the_code_is_earned_alone(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    text, codes = printed(Path(f"{code}.cfg"))
    text = text.replace(str(FOLDER) + os.sep, "")
    expect = FOLDER / f"{code}.expect"
    if os.environ.get("OSIP_WRITE_EXPECT"):
        expect.write_text(text)
    assert text == expect.read_text()
    assert set(codes) == {code}, "one cause, one finding"


def test_every_code_has_its_golden() -> None:
    shown = {code for path in HERE.glob("*/*.expect") for code in re.findall(r"\[([EWN]\d{3})\]", path.read_text())}
    assert sorted(set(CATALOGUE) - shown - set(ELSEWHERE)) == []
    assert sorted((shown | set(ELSEWHERE)) - set(CATALOGUE)) == []


def test_every_code_has_a_story() -> None:
    for code, entry in CATALOGUE.items():
        assert entry.title and len(entry.explanation) > 30, code
