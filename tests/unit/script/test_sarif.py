"""SARIF: levels, places and rules of findings."""
from __future__ import annotations

import json

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.script.report import render_json
from osip.script.sarif import render_sarif

PLACE = Span("a b.cfg", 3, 4, 5, 6)


def test_each_severity_has_its_level() -> None:
    found = [Diagnostic("E101", "one", PLACE), Diagnostic("W602", "two", PLACE, Severity.WARNING, "a hint", ("note",)),
             Diagnostic("N705", "three", Span("a b.cfg", 0, 0, 0, 0), Severity.INFO), Diagnostic("E101", "four")]
    run = json.loads(render_sarif(found, "1.2"))["runs"][0]
    results = run["results"]
    assert run["tool"]["driver"]["version"] == "1.2"
    assert [one["level"] for one in results] == ["error", "warning", "note", "error"]
    assert results[1]["message"]["text"] == "two; a hint\nnote"
    assert results[0]["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 3, "startColumn": 4, "endLine": 5, "endColumn": 6}
    assert results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.cfg"
    assert "region" not in results[2]["locations"][0]["physicalLocation"]
    assert "locations" not in results[3]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[one["ruleIndex"]]["id"] for one in results] == ["E101", "W602", "N705", "E101"]


def test_nothing_found_is_a_log_too() -> None:
    assert json.loads(render_sarif([], "1"))["runs"][0]["results"] == []


def test_a_long_word_is_not_repeated_whole() -> None:
    found = [Diagnostic("E101", "a" * 1_000_000, PLACE, Severity.ERROR, "b" * 1_000_000, ("c" * 1_000_000,))]
    assert len(render_sarif(found, "1")) < 6000 and len(render_json(found)) < 2000
