"""Sums, and what is no sum."""
from __future__ import annotations

from typing import Any

import pytest

from kit.passage import Box
from kit.playbook import make_worker
from osip.modules.mathops import Mathops

EVAL = [("1 + 2 * 3", "7"), ("(1+2)*3", "9"), ("2^3^2", "64"), ("-2^2", "-4"), ("2^-1", "0.5"), ("7 % 4", "3"),
        ("10/4", "2.5"), ("sqrt(16) + abs(-3)", "7"), ("ln(e)", "1"), ("log(1000)", "3"), ("floor(2.7)+ceil(2.1)", "5"),
        ("sin(0)", "0"), ("1/3", "0.333333"), ("1e3", "1000"), (".5+.5", "1"), ("--3", "3")]
BAD = ["", "1 +", "1 2", "(1", "foo(1)", "1/0", "sqrt(-1)", "sqrt 4", "1 & 2", "(" * 200 + "1" + ")" * 200, "9^9^9^9",
       "1" * 5000]
RPN = [("1 2 +", "3"), ("5 3 -", "2"), ("2 3 pow", "8"), ("7 4 mod", "3"), ("2 dup *", "4"), ("1 2 swap -", "1"),
       ("1 2 drop", "1"), ("pi floor", "3"), ("2.5 round", "3"), ("-2.5 round", "-3"), ("27 cbrt", "3"), ("3 neg", "-3"),
       ("2.5 nearbyint", "2"), ("2.7 trunc", "2")]


def run(word: str, *args: Any, **params: Any) -> tuple[int, Any]:
    worker, _, _ = make_worker((Mathops,), {"mathops": params})
    box = Box()
    module: Any = worker.env.modules["mathops"]
    places = 2 if word == "math_compare" else 1
    result = getattr(module, word)(None, *args[:places], box, *args[places:])
    return result, box.get(None)       # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "value"), EVAL)
def test_eval(text: str, value: str) -> None:
    assert run("math_eval", text) == (1, value)


@pytest.mark.parametrize("text", BAD)
def test_no_expression(text: str) -> None:
    assert run("math_eval", text) == (-1, None)


@pytest.mark.parametrize(("text", "value"), RPN)
def test_rpn(text: str, value: str) -> None:
    assert run("math_rpn", text) == (1, value)


@pytest.mark.parametrize("text", ["", "+", "1 2", "1 x +", "swap", "1 swap", "1 0 /", "0 ln"])
def test_no_rpn(text: str) -> None:
    assert run("math_rpn", text) == (-1, None)


@pytest.mark.parametrize(("word", "args", "value"), [
    ("math_floor", ("-2.5",), "-3"), ("math_ceil", ("-2.5",), "-2"), ("math_trunc", ("-2.5",), "-2"),
    ("math_round", ("2.5",), "3"), ("math_round", ("-2.5",), "-3"), ("math_round", ("2.345", 2), "2.35"),
    ("math_round_sf", ("12345", 2), "12000"), ("math_round_sf", ("0.0012345", 2), "0.0012"), ("math_round_sf", ("17",), "20"),
    ("math_round_sf", ("0", 3), "0")])
def test_rounding(word: str, args: tuple[Any, ...], value: str) -> None:
    assert run(word, *args) == (1, value)


@pytest.mark.parametrize("word", ["math_floor", "math_ceil", "math_trunc", "math_round", "math_round_sf"])
@pytest.mark.parametrize("text", ["x", "", "nan", "inf"])
def test_no_number(word: str, text: str) -> None:
    assert run(word, text) == (-1, None)


@pytest.mark.parametrize(("first", "second", "value"), [("1", "2", -1), ("2.0", "2", 0), ("3", "-3", 1)])
def test_compare(first: str, second: str, value: int) -> None:
    assert run("math_compare", first, second) == (1, value)
    assert run("math_compare", first, "x") == (-1, None)


def test_digits() -> None:
    assert run("math_eval", "2/3", decimal_digits=2) == (1, "0.67")
    assert run("math_eval", "2/3", decimal_digits=0) == (1, "1")
