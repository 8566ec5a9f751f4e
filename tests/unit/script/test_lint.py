"""Lint as a whole: the checker's findings come along, each rule has a story, sound scripts are left alone."""
from __future__ import annotations

from pathlib import Path

import pytest
from kit.findings import findings

from osip.core.exports.diagnostic import Severity
from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.catalogue import CATALOGUE
from osip.script.lint import STYLE_RULES, lint

ROOT = Path(__file__).resolve().parents[3]


def test_findings_of_the_checker_and_of_the_rules_stand_in_order() -> None:
    text = "route {\n\texit;\n\tif (1)\n\t\texit;\n}\nroute[a] {\n\texit;\n}\n"
    assert findings(text) == [("W602", 3), ("W638", 3), ("W603", 6)]


def test_each_rule_has_a_story() -> None:
    assert len(STYLE_RULES) == 11
    for number in range(630, 644):
        assert f"W{number}" in CATALOGUE


@pytest.mark.parametrize("path", sorted([*(ROOT / "cfg").glob("*.cfg"), *(ROOT / "tests/script/sound").glob("*.cfg")]),
                         ids=lambda path: path.stem)
def test_nothing_is_wrong_with_sound_scripts(path: Path) -> None:
    registry = Registry(BUILTINS)
    result = compile_script(path, registry, Config())
    shown = [f"{one.span.line}: {one.code} {one.message}" for one in lint(result, registry)
             if one.severity is not Severity.INFO]
    assert shown == []
