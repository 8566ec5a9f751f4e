"""Forms of answers: tables, JSON, CSV; complaints and their exit codes."""
from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from osip.cli import output

ROWS = [("a", 1), ("b, c", 22)]


@pytest.mark.parametrize(("form", "expected"), [
    ("table", "name  n\na     1\nb, c  22\n"), ("csv", 'name,n\r\na,1\r\n"b, c",22\r\n'),
    ("json", json.dumps([{"name": "a", "n": 1}, {"name": "b, c", "n": 22}], indent=2) + "\n")])
def test_rows(form: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows(("name", "n"), ROWS, form)
    assert capsys.readouterr().out == expected


def test_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows(("name", "n"), [], "table")
    assert capsys.readouterr().out == "name  n\n"


@pytest.mark.parametrize(("value", "text"), [
    ("OK", "OK\n"), (5, "5\n"), ({"a": 1, "b": {"c": 2}, "d": [], "e": {}}, "a: 1\nb:\n  c: 2\nd: -\ne: -\n"),
    (["x", "y"], "x\ny\n"), ({"L": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
        "L:\n  - a: 1\n    b: 2\n  - a: 3\n    b: 4\n"),
    ([{"a": 1}, {"b": 2}], "a  b\n1\n   2\n"), ([], "")])
def test_values(value: Any, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.show_value(value)
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("value", ["OK", {"a": [1, 2]}, [{"a": 1}], None, "\u00e4"])
def test_values_as_json(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    output.show_value(value, "json")
    assert json.loads(capsys.readouterr().out) == value


@pytest.mark.parametrize(("value", "rows"), [
    ([{"a": 1, "b": "x,y"}, {"a": 2}], [["a", "b"], ["1", "x,y"], ["2", ""]]), ({"b": 2, "a": 1}, [["name", "value"],
        ["b", "2"], ["a", "1"]]),
    ("OK", [["value"], ["OK"]]), (["x", "y"], [["value"], ["x"], ["y"]])])
def test_values_as_csv(value: Any, rows: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    output.show_value(value, "csv")
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == rows


@pytest.mark.parametrize("code", [1, 3, 4, 5])
def test_fail(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        output.fail("went wrong", code)
    assert caught.value.code == code
    assert capsys.readouterr() == ("", "osip: went wrong\n")


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", type("Tty", (io.StringIO,), {"isatty": lambda self: True})())
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.colour()
    monkeypatch.setenv("NO_COLOR", "")
    assert not output.colour()
