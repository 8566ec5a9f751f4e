"""Names of fields, comments, legs from AVPs."""
from __future__ import annotations

from typing import Any

import pytest

from osip.modules.acc.field import comment_of, expanded, legs_of, old_pairs, pairs


class Program:
    """Expands `$avp(a)` and `$(avp(a)[1])` from lists."""

    def __init__(self, **values: list[str]) -> None:
        self.values = values

    def expand(self, ctx: Any, text: str) -> str:
        for name, values in self.values.items():
            for number, value in enumerate(values):
                text = text.replace(f"$(avp({name})[{number}])", value)
            text = text.replace(f"$avp({name})", values[0])
        return "<null>" if text.startswith("$") else text


class Env:
    def __init__(self, program: Any) -> None:
        self.program = program


def test_pairs() -> None:
    texts = ["log: a->b; c ;", "db: x", "log:d->e"]
    assert pairs(texts, "log") == [("a", "b"), ("c", "c"), ("d", "e")] and pairs(texts, "evi") == []
    assert old_pairs("a=$b; c = d;;=x") == [("a", "$b"), ("c", "d")]


@pytest.mark.parametrize(("text", "parts"), [("404 Not here", ("404", "Not here")), ("words", ("", "words"))])
def test_comments(text: str, parts: tuple[str, str]) -> None:
    assert comment_of(text) == parts


def test_legs() -> None:
    env: Any = Env(Program(src=["a", "b"], dst=["x"]))
    assert legs_of(env, None, [("s", "$avp(src)"), ("d", "$avp(dst)")]) == [{"s": "a", "d": "x"}, {"s": "b", "d": ""}]
    assert legs_of(env, None, [("s", "fixed")]) == [{"s": "fixed"}] and legs_of(env, None, []) == []
    assert legs_of(env, None, [("s", "$avp(none)")]) == [] and expanded(env, None, [("n", "$none"), ("s", "$avp(src)")]) \
        == {"n": "", "s": "a"}
