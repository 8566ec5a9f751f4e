"""Tables of header parameters and quoted strings."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip import params


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (";a", (("a", None),)),
        (";a=1;B=2", (("a", "1"), ("B", "2"))),
        (" ; a = 1 ; b ", (("a", "1"), ("b", None))),
        (';a="x;y";b', (("a", '"x;y"'), ("b", None))),
        (";;a", (("a", None),)),
        (";a=", (("a", ""),)),
        (';a="\\";";b=1', (("a", '"\\";"'), ("b", "1"))),
        (";a=b=c", (("a", "b=c"),)),
    ],
)
def test_parse(text: str, expected: tuple) -> None:
    assert params.parse_params(text) == expected


def test_open_quote() -> None:
    with pytest.raises(ParseError):
        params.parse_params(';a="x')


def test_find() -> None:
    pairs = (("a", None), ("B", "1"), ("b", "2"))
    assert [params.find_param(pairs, name) for name in ("a", "A", "b", "c")] == ["", "", "1", None]


def test_build() -> None:
    assert params.build_params((("a", None), ("b", "1"))) == ";a;b=1"


@pytest.mark.parametrize("text", ["", "a", 'a"b', "a\\b", 'a\\"', "é\udcff"])
def test_quote_round_trip(text: str) -> None:
    assert params.unquote(params.quote(text)) == text


@pytest.mark.parametrize(("text", "plain"), [("a", "a"), ('"a"', "a"), ('"', '"'), ('"a\\b"', "ab")])
def test_unquote(text: str, plain: str) -> None:
    assert params.unquote(text) == plain


def test_token() -> None:
    assert params.is_token("a-b.c!%*_+`'~") and not params.is_token("a b") and not params.is_token("")


@pytest.mark.parametrize(
    ("text", "flat"), [("a", "a"), ("a\r\n b", "a b"), ("a \r\n\t b", "a b"), ("a\n b\r\n c", "a b c")]
)
def test_unfold(text: str, flat: str) -> None:
    assert params.unfold(text) == flat


def test_split_quoted() -> None:
    assert params.split_quoted('a;"b;c";d', ";") == ["a", '"b;c"', "d"]
