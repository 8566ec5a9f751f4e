"""Forms of answers: tables, JSON, CSV; complaints and their exit codes."""
from __future__ import annotations

import csv
import io
import json
import re
import time
from typing import Any

import pytest

from osip.cli import output

ROWS = [("a", 1), ("b, c", 22)]


@pytest.mark.parametrize(("form", "expected"), [
    ("table", "name  n\na     1\nb, c  22\n"), ("csv", 'name,n\r\na,1\r\n"b, c",22\r\n'),
    ("json", json.dumps([{"name": "a", "n": 1}, {"name": "b, c", "n": 22}], indent=2) + "\n"),
    ("yaml", '- name: a\n  "n": 1\n- name: "b, c"\n  "n": 22\n')])
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


class Tty(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Tty()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    output.show_rows(("name", "n"), [("[bold]a", 1), ("sip:" + "x" * 40, 22), ("\x1b[2Jevil", 3)])
    text = screen.getvalue()
    assert "[bold]a" in text, "what looks like markup is text"
    assert text.count("x") >= 40, "nothing is cut off"
    assert "\x1b[2J" not in text and "\\x1b[2Jevil" in text
    assert max(map(len, re.sub(r"\x1b\[\d*m", "", text).splitlines())) <= 30


def test_a_long_table_is_printed_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Tty()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setattr(output, "MOST_FRAMED", 1)
    output.show_rows(("name", "n"), ROWS)
    assert "\u2500" not in screen.getvalue() and "b, c  22" in screen.getvalue()


@pytest.mark.parametrize("show", [lambda text: output.show_rows(("a",), [(text,)]), lambda text: output.show_value(text),
                                  lambda text: output.show_value({text: text}), lambda text: output.show_yaml({text: [text]})])
def test_nothing_moves_the_cursor(show: Any, capsys: pytest.CaptureFixture[str]) -> None:
    show("a\x1b[2J\x07\x9b\u202eb\U000e0001")
    printed = capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in printed) and "\\x1b[2J\\x07\\x9b\\u202eb" in printed


@pytest.mark.parametrize(("value", "text"), [
    ("OK", "OK\n"), ({}, "{}\n"), ([], "[]\n"), (None, "null\n"), (True, "true\n"), (1.5, "1.5\n"), ("yes", '"yes"\n'),
    ("1", '"1"\n'), ("", '""\n'), ("a: b", '"a: b"\n'), ("# x", '"# x"\n'), ("two words", "two words\n"), ("<<", '"<<"\n'),
    ('q"\\\n', '"q\\"\\\\\\n"\n'), ("sip:a@b", '"sip:a@b"\n'), ("\u00e4", '"\u00e4"\n'), (" a", '" a"\n'),
    ({"a": {"b": 1}, "c": []}, "a:\n  b: 1\nc: []\n"), ({"a": [1, {"b": 2, "c": 3}]}, "a:\n- 1\n- b: 2\n  c: 3\n"),
    ([[1, 2], [3]], "- - 1\n  - 2\n- - 3\n"), ([{"a": {"b": 1}}, {}], "- a:\n    b: 1\n- {}\n"),
    ({"no": 1, "1": 2}, '"no": 1\n"1": 2\n')])
def test_yaml(value: Any, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.show_value(value, "yaml")
    assert capsys.readouterr().out == text


def test_patience_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with output.patience("waiting", 5) as behind:
        behind(1)
    assert capsys.readouterr() == ("", "")


def test_patience_shows_after_a_while_and_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Tty()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with output.patience("waiting for [it]", 5) as behind:
        behind(1)
    assert screen.getvalue() == "", "what is quick says nothing"
    monkeypatch.setattr(output, "PATIENCE", 0.0)
    with output.patience("waiting for [it]", 5) as behind:
        until = time.monotonic() + 10
        while "waiting for [it]" not in screen.getvalue() and time.monotonic() < until:
            behind(2)
            time.sleep(0.01)
    assert "waiting for [it]" in screen.getvalue()
