"""The rules for values (dsl.md sections 9.2 and 9.3)."""

from __future__ import annotations

import operator
import re
from typing import Any

import pytest

from osip.script import runtime
from osip.script.runtime import BARE, DUAL, ERR, OPERATIONS

ADD: list[tuple[Any, Any, int, Any]] = [
    (1, 2, 0, 3), (1, None, 0, 1), (1, "2", 0, ERR), (1, "2", DUAL, 3), (2147483647, 1, 0, -2147483648),
    ("a", "b", 0, "ab"), ("a", 1, 0, "a1"), ("a", 1, BARE, ERR), ("a", None, 0, "a"), (None, "b", 0, "b"),
    (None, None, 0, ""), (None, 5, 0, "5"), (None, 5, BARE, ERR), (ERR, 1, 0, ERR), (1, ERR, 0, ERR),
    ("a", ERR, 0, ERR),
]


@pytest.mark.parametrize(("left", "right", "form", "value"), ADD)
def test_add(left: Any, right: Any, form: int, value: Any) -> None:
    assert runtime.add(left, right, form) == value


INTEGER = [
    ("-", 1, 2, -1), ("*", 65536, 65536, 0), ("/", -7, 2, -3), ("/", 7, -2, -3), ("%", -7, 3, -1), ("%", 7, -3, 1),
    ("/", 1, 0, ERR), ("%", 1, 0, ERR), ("<<", 1, 31, -2147483648), (">>", -8, 1, -4), ("&", 6, 3, 2), ("|", 6, 1, 7),
    ("^", 6, 3, 5), ("-", "a", 1, ERR), ("-", None, 1, ERR), ("-", 5, None, 5), ("*", 5, "x", ERR),
    ("&", "ab", "AB", "AB"),
    ("|", "a", "bc", ERR), ("&", "a", 1, ERR), ("-", ERR, 1, ERR), ("/", -2147483648, -1, -2147483648),
]


@pytest.mark.parametrize(("op", "left", "right", "value"), INTEGER)
def test_integer_operations(op: str, left: Any, right: Any, value: Any) -> None:
    assert OPERATIONS[op](left, right) == value


BOTH: list[tuple[Any, Any, Any, int, int, Any]] = [
    (operator.eq, None, None, 0, 0, True), (operator.ne, None, None, 0, 0, False),
    (operator.lt, None, None, 0, 0, False),
    (operator.eq, None, 1, 0, 0, False), (operator.ne, "a", None, 0, 0, True), (operator.gt, "a", None, 0, 0, False),
    (operator.eq, "A", "a", 0, 0, True), (operator.lt, "a", "B", 0, 0, True), (operator.eq, 5, 5, 0, 0, True),
    (operator.eq, 5, "5", 0, 0, True), (operator.eq, 5, "5", BARE, 0, -1), (operator.lt, "10", 9, DUAL, 0, False),
    (operator.lt, "10", "9", 0, 0, True), (operator.lt, "10", "9", DUAL, DUAL, False),
]


@pytest.mark.parametrize(("op", "left", "right", "lform", "rform", "value"), BOTH)
def test_comparing_variables(op: Any, left: Any, right: Any, lform: int, rform: int, value: Any) -> None:
    assert runtime.both(op, left, right, lform, rform) is value or runtime.both(op, left, right, lform, rform) == value


def test_patterns_keep_few_and_report_bad(caplog: pytest.LogCaptureFixture) -> None:
    patterns = runtime.Patterns(re.compile)
    assert patterns.match("abc", "b") is True
    assert patterns.get("b") is patterns.get("b")
    assert (patterns.match("abc", "("), patterns.differ("abc", "(")) == (-1, -1)
    assert "bad regular expression" in caplog.text
    for number in range(200):
        patterns.match("x", f"a{number}")
    assert len(patterns._known) <= 64


PARSED = [("5", 5), ("-5", -5), ("0x1F", 31), ("010", 8), (" 7 ", 7), ("", None), ("x", None), ("08", None),
    (None, None),
          ("1.5", None)]


@pytest.mark.parametrize(("text", "value"), PARSED)
def test_integers_in_text(text: str | None, value: int | None) -> None:
    assert runtime.parsed_int(text) == value


def test_bounds_count_bytes() -> None:
    assert runtime.bounded(4, "äö") == "äö"
    assert runtime.bounded(4, "äöü") is None
    assert runtime.bounded(4, "abcd") == "abcd"


def test_transform() -> None:
    assert runtime.transform(str.upper, None) is None
    assert runtime.transform(len, 123) == 3
    assert runtime.transform(int, "x") is None


def test_where_names_the_script() -> None:
    space = {"where": runtime.where}
    exec(compile("\n\ndef f():\n    return where()\n", "edge.cfg", "exec"), space)  # noqa: S102
    assert space["f"]() == "edge.cfg:4"
