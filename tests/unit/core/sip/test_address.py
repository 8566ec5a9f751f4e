"""Tables of name-addr values (RFC 3261 sections 20.10 and 25.1)."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip.address import build_name_addr, parse_expires, parse_name_addr, split_commas


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("<sip:a@b>", "", "sip:a@b", ()),
        ("sip:a@b;tag=1", "", "sip:a@b", (("tag", "1"),)),
        ("sip:a@b ; tag = 1", "", "sip:a@b", (("tag", "1"),)),
        ("Alice <sip:a@b;x>;tag=1;y", "Alice", "sip:a@b;x", (("tag", "1"), ("y", None))),
        ("A. B. C <sip:a@b>", "A. B. C", "sip:a@b", ()),
        ('"A, <B>" <sip:a@b>;z="q;r,>"', '"A, <B>"', "sip:a@b", (("z", '"q;r,>"'),)),
        ('"a\\"b"<sip:a@b>', '"a\\"b"', "sip:a@b", ()),
        ("<sip:a@b> ;tag=1", "", "sip:a@b", (("tag", "1"),)),
        ("  <tel:+1>  ", "", "tel:+1", ()),
    ],
)
def test_parts(text: str, display: str, uri: str, params: tuple) -> None:
    addr = parse_name_addr(text)
    assert (addr.display, addr.uri_text, addr.params) == (display, uri, params)
    again = parse_name_addr(str(addr))
    assert (again.display, again.uri_text, again.params) == (display, uri, params)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "<sip:a@b",
        "sip:a@b>",
        '"x <sip:a@b>',
        '"x" sip:a@b',
        "<sip:a@b>x",
        "a, b <sip:a@b>",
        "*",
        "sip:a@b?x=y",
        "nobody",
        "sip:a@b,sip:c@d",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_name_addr(text)


def test_values() -> None:
    addr = parse_name_addr('"Bob \\"B\\"" <sip:b@c>;Tag=x;q=0.5;expires=60;text="a b"')
    assert addr.display_name == 'Bob "B"'
    assert (addr.tag, addr.q, addr.expires) == ("x", 500, 60)
    assert (addr.param("TEXT"), addr.param("none"), addr.has_param("text")) == ("a b", None, True)
    assert addr.uri.host == "c"


@pytest.mark.parametrize(
    ("q", "value"),
    [
        ("0", 0),
        ("1", 1000),
        ("0.", 0),
        ("1.000", 1000),
        ("0.05", 50),
        ("0.333", 333),
        ("1.1", -1),
        ("2", -1),
        ("0.1234", -1),
        ("x", -1),
        ("", -1),
    ],
)
def test_q(q: str, value: int) -> None:
    assert parse_name_addr(f"<sip:a@b>;q={q}").q == value


def test_absent() -> None:
    addr = parse_name_addr("<sip:a@b>")
    assert (addr.tag, addr.q, addr.expires, addr.params) == ("", -1, None, ())
    with pytest.raises(AttributeError):
        addr.nothing  # noqa: B018


def test_bad_uri_shows_on_use() -> None:
    addr = parse_name_addr("<sip:a b>")
    with pytest.raises(ParseError):
        addr.uri  # noqa: B018


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, None),
        ("0", 0),
        ("3600", 3600),
        ("x", 3600),
        ("-1", 3600),
        ("", 3600),
        ("4294967296", 2**32 - 1),
        ("9" * 50, 2**32 - 1),
        ("²", 3600),
    ],
)
def test_expires(text: str | None, value: int | None) -> None:
    assert parse_expires(text) == value


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ["a"]),
        ("a , b", ["a", "b"]),
        ("", [""]),
        ("a,,b", ["a", "", "b"]),
        ('"a,b" <x>, <y,z>', ['"a,b" <x>', "<y,z>"]),
        ('"a\\",b",c', ['"a\\",b"', "c"]),
        ('"a\\\\",b', ['"a\\\\"', "b"]),
        ('<a"b>,c', ['<a"b>', "c"]),
    ],
)
def test_split_commas(text: str, parts: list[str]) -> None:
    assert split_commas(text) == parts


@pytest.mark.parametrize("text", ['"a,b', "<a,b", '"a\\",b'])
def test_split_commas_refused(text: str) -> None:
    with pytest.raises(ParseError):
        split_commas(text)


def test_build() -> None:
    assert build_name_addr("sip:a@b", '"A"', (("tag", "1"), ("x", None))) == '"A" <sip:a@b>;tag=1;x'
    assert build_name_addr("sip:a@b") == "<sip:a@b>"
