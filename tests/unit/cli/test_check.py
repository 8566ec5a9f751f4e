"""`osip check` and `osip explain`."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from osip.cli.check import check, explain


def test_a_good_script(run, script: Path) -> None:       # type: ignore[no-untyped-def]
    for words in ((script,), ("-f", script)):
        found = run(check, *words)
        assert (found.exit_code, found.stdout, found.stderr) == (0, f"{script}: ok\n", "")
    assert json.loads(run(check, "--json", script).stdout) == []


def test_a_broken_script_as_text(run, broken: Path) -> None:     # type: ignore[no-untyped-def]
    found = run(check, broken)
    assert found.exit_code == 1
    assert f"{broken}:10:2: error[E101]" in found.stdout and 'did you mean "sl_send_reply"?' in found.stdout
    assert "^^^^^^^^^^^^" in found.stdout and f"{broken}: 1 error(s), 0 other finding(s)" in found.stdout


def test_a_broken_script_as_json(run, broken: Path) -> None:     # type: ignore[no-untyped-def]
    found = run(check, "--json", "-f", broken)
    one, = json.loads(found.stdout)
    assert found.exit_code == 1
    assert (one["code"], one["severity"], one["file"], one["line"], one["col"]) == ("E101", "error", str(broken), 10,
        2)


def test_sarif_and_a_folder(run, broken: Path) -> None:     # type: ignore[no-untyped-def]
    found = run(check, "--format", "sarif", broken)
    log, = json.loads(found.stdout)["runs"]
    assert found.exit_code == 1 and [one["ruleId"] for one in log["results"]] == ["E101"]
    assert [rule["id"] for rule in log["tool"]["driver"]["rules"]] == ["E101"]
    folder = broken.parent / "folder"
    folder.mkdir()
    assert "directory" in run(check, folder).stdout, "a folder without a script is no script"
    (folder / "osip.cfg").write_text(broken.read_text())
    assert f"{folder / 'osip.cfg'}:10:2: error[E101]" in run(check, folder).stdout


def test_a_script_that_is_not_there(run, tmp_path: Path) -> None:        # type: ignore[no-untyped-def]
    found = run(check, tmp_path / "none.cfg")
    assert found.exit_code == 1 and "none.cfg" in found.stdout and "error" in found.stdout


def test_defines_and_preprocessor(run, tmp_path: Path, script: Path) -> None:        # type: ignore[no-untyped-def]
    path = tmp_path / "define.cfg"
    path.write_text(script.read_text().replace("sl_send_reply", "ANSWER"))
    assert run(check, path).exit_code == 1
    assert run(check, "--define", "ANSWER=sl_send_reply", path).exit_code == 0
    assert run(check, "-p", "sed s/ANSWER/sl_send_reply/", path).exit_code == 0
    assert run(check, "-p", "false", path).exit_code == 1


@pytest.mark.parametrize("words", [("--define", "nothing"), ("--define", "=x"), ("--no-such-option",)])
def test_usage(words: tuple[str, ...], run, script: Path) -> None:       # type: ignore[no-untyped-def]
    assert run(check, *words, script).exit_code == 2


def test_a_script_must_be_named(run, monkeypatch: pytest.MonkeyPatch) -> None:       # type: ignore[no-untyped-def]
    monkeypatch.setattr("osip.cli.start.DEFAULT_CFG", "no/such/file.cfg")
    found = run(check)
    assert found.exit_code == 2 and "-f" in found.stderr


def test_the_index_of_codes(run) -> None:       # type: ignore[no-untyped-def]
    lines = run(explain).stdout.splitlines()
    assert "E101  unknown function" in lines and "W643  answered twice" in lines


@pytest.mark.parametrize(("code", "status"), [("E101", 0), ("e101", 0), ("E999", 1), ("", 1)])
def test_explain(code: str, status: int, run) -> None:       # type: ignore[no-untyped-def]
    found = run(explain, code)
    assert found.exit_code == status
    if status == 0:
        assert found.stdout.startswith("E101: ") and len(found.stdout) > 60
    else:
        assert "no diagnostic" in found.stderr
