"""Check what families of words share."""
from __future__ import annotations

import pytest

from osip.core.sip.uri import parse_uri
from osip.script.builtins.value import (
    UriMemo,
    default_port,
    number_of,
    parse_q,
    pick,
    print_q,
    text_of,
    transport,
    wrap_32,
)


@pytest.mark.parametrize(("values", "index", "result"), [
    (["a", "b"], None, "a"), (["a", "b"], 1, "b"), (["a", "b"], -1, "b"), (["a", "b"], 2, None), ([], None, None),
    (["a", 2], "*", "a, 2"), ([], "*", None), (["a"], -2, None),
])
def test_pick(values: list[str | int], index: object, result: object) -> None:
    assert pick(values, index) == result                    # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "q"), [
    ("0.7", 700), ("1", 1000), ("1.0", 1000), ("0", 0), ("", -1), (".5", 500), ("0.123456", 123), ("2", None),
    ("x", None), ("1.5", None), ("-1", None),
])
def test_q(text: str, q: int | None) -> None:
    assert parse_q(text) == q


@pytest.mark.parametrize(("q", "text"), [(-1, None), (0, "0"), (1000, "1"), (700, "0.7"), (125, "0.125"), (50, "0.05")])
def test_print_q(q: int, text: str | None) -> None:
    assert print_q(q) == text


@pytest.mark.parametrize(("value", "number"), [(5, 5), ("-5", -5), ("5", 5), ("", None), (None, None), ("5-", None),
                                               ("--5", None), ("x", None), ("-", None)])
def test_number(value: object, number: int | None) -> None:
    assert number_of(value) == number                       # type: ignore[arg-type]


def test_small_ones() -> None:
    assert wrap_32(2**31) == -2**31 and wrap_32(-5) == -5 and wrap_32(2**32) == 0
    assert text_of(None) == "" and text_of(5) == "5"
    assert default_port(parse_uri("sip:h;transport=WSS")) == 443 and transport(parse_uri("sip:h;transport=Tcp")) == "Tcp"


def test_memo() -> None:
    memo = UriMemo()
    first = memo.parse("sip:a@h")
    assert first is not None and memo.parse("sip:a@h") is first
    assert memo.parse("bad uri") is None and memo.parse(None) is None
    assert memo.parse("sip:b@h").user == "b"                # type: ignore[union-attr]
