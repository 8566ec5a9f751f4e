"""`osip lint`: forms, exit codes and `--fix`; the rules are tested with the script package."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from osip.cli.main import osip

HEAD = 'socket = udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\nloadmodule "sl.so"\n'
CLEAN = HEAD + "route {\n\texit;\n}\n"
WARNED = HEAD + "route {\n\tif (1)\n\t\texit;\n}\n"
OLD = HEAD.replace("socket", "listen") + "route {\n\tif (method == ACK)\n\t\texit;\n\trewritehost(\"a\");\n}\n"
WRONG = HEAD + "route {\n\tnothing();\n}\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "a.cfg"


def lint(script: Path, text: str, *words: str) -> Result:
    script.write_text(text)
    return CliRunner().invoke(osip, ["lint", str(script), *words])


@pytest.mark.parametrize(("text", "words", "status"), [
    (CLEAN, (), 0), (CLEAN, ("--strict",), 0), (WARNED, (), 0), (WARNED, ("--strict",), 6), (OLD, ("--strict",), 0),
    (WRONG, (), 5), (WRONG, ("--strict",), 5), (WRONG, ("--format", "json"), 5)])
def test_exit_codes(script: Path, text: str, words: tuple[str, ...], status: int) -> None:
    assert lint(script, text, *words).exit_code == status


def test_text_points_at_the_place_and_counts(script: Path) -> None:
    out = lint(script, WARNED).stdout
    assert f"{script}:5:6: warning[W638]: this condition is always true\n" in out
    assert out.endswith(f"{script}: 1 warning\n")


def test_json(script: Path) -> None:
    found = json.loads(lint(script, WARNED, "--format", "json").stdout)
    assert [(one["code"], one["line"], one["severity"]) for one in found] == [("W638", 5, "warning")]


def test_sarif(script: Path) -> None:
    log = json.loads(lint(script, WARNED + "route[a] { ; }\n", "--format", "sarif").stdout)
    run = log["runs"][0]
    assert log["version"] == "2.1.0" and run["tool"]["driver"]["name"] == "osip"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["W603", "W638"]
    assert all(rule["fullDescription"]["text"] for rule in run["tool"]["driver"]["rules"])
    first = run["results"][0]
    assert rules[first["ruleIndex"]] == first["ruleId"] == "W638" and first["level"] == "warning"
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == str(script)
    assert place["region"] == {"startLine": 5, "startColumn": 6, "endLine": 5, "endColumn": 7}


def test_fix_rewrites_and_a_second_time_finds_nothing(script: Path) -> None:
    done = lint(script, OLD, "--fix")
    assert done.exit_code == 0 and "old spellings replaced" in done.stderr and done.stdout == f"{script}: ok\n"
    want = HEAD + "route {\n\tif ($rm == \"ACK\")\n\t\texit;\n\tsethost(\"a\");\n}\n"
    assert script.read_text() == want


def test_fix_leaves_a_faulty_script_alone(script: Path) -> None:
    text = WRONG.replace("nothing()", 'rewritehost("a"); nothing()')
    assert lint(script, text, "--fix").exit_code == 5
    assert script.read_text() == text
