"""Names of globals in emitted code."""

from __future__ import annotations

import re

import pytest

from osip.script.emit.names import Namespace, literal


@pytest.mark.parametrize(("wanted", "name"), [("t_relay", "t_relay"), ("exec", "f_exec"), ("if", "f_if"),
    ("ctx", "f_ctx"),
                                              ("r", "f_r"), ("a1", "f_a1"), ("_x", "f__x"), ("9", "f_9"),
                                              ("err.rcode", "err_rcode"), ("é", "f__"), ("", "f_")])
def test_bind(wanted: str, name: str) -> None:
    assert Namespace({}).bind(wanted, object()) == name
    assert name.isidentifier()


def test_one_object_has_one_name() -> None:
    names = Namespace({"_ERR": 1})
    first, second = object(), object()
    assert names.bind("x", first) == names.bind("x", first) == "x"
    assert names.bind("x", second) == "x_2"
    assert names.bind("f", "a".upper) == "f"
    assert names.space["x"] is first


def test_constants() -> None:
    names = Namespace({})
    assert names.const("it's") == '"it\'s"'
    assert names.const(("a", 1, None)) == "('a', 1, None)"
    value = re.compile("x")
    assert names.const(value) == names.const(value) == "K1"
    assert names.const(frozenset("a")) == "K2"


def test_literals() -> None:
    assert literal(("a", (1, b"x")))
    assert not literal([1])
    assert not literal(("a", object()))
