"""Check the variables of the first line and of headers."""
from __future__ import annotations

import pytest
from kit.builtin import INVITE, RINGING, Words


@pytest.mark.parametrize(("name", "key", "index", "value"), [
    ("rm", None, None, "INVITE"), ("rs", None, None, None), ("rr", None, None, None),
    ("msg.is_request", None, None, 1), ("msg.type", None, None, "request"),
    ("fu", None, None, "sip:alice@atlanta.example.com:5061"), ("from", None, None,
                                                              "sip:alice@atlanta.example.com:5061"),
    ("fU", None, None, "alice"), ("from.user", None, None, "alice"), ("fd", None, None, "atlanta.example.com"),
    ("fn", None, None, '"Alice A"'), ("ft", None, None, "1928"), ("tu", None, None, "sip:bob@biloxi.example.com"),
    ("tU", None, None, "bob"), ("td", None, None, "biloxi.example.com"), ("tn", None, None, None),
    ("tt", None, None, None), ("ci", None, None, "a84b4c76e66710@pc33"), ("cs", None, None, "314159"),
    ("cl", None, None, 4), ("ua", None, None, "phone/1.0"),
    ("ct", None, None, '"A" <sip:alice@192.0.2.1>;q=0.7;expires=60'), ("ct", None, 2, "<sip:a3@192.0.2.3>"),
    ("ct", None, -1, "<sip:a3@192.0.2.3>"), ("ct", None, 3, None),
    ("ct.fields", "name", None, '"A"'), ("ct.fields", "uri", 1, "sip:a2@192.0.2.2"),
    ("ct.fields", "q", None, "0.7"), ("ct.fields", "expires", 0, "60"), ("ct.fields", "methods", 1, "INVITE,BYE"),
    ("ct.fields", "received", 0, None), ("ct.fields", "params", 0, "q=0.7;expires=60"), ("ct.fields", "q", 5, None),
    ("ct.fields", "uri", "*", "sip:alice@192.0.2.1, sip:a2@192.0.2.2, sip:a3@192.0.2.3"),
    ("hdr", "X-Test", None, "one"), ("hdr", "x-test", 1, "two"), ("hdr", "X-Test", -1, "two"),
    ("hdr", "X-Test", "*", "one, two"), ("hdr", "X-None", None, None), ("hdr", "X-Test", 2, None),
    ("hdr", "m", 1, "<sip:a3@192.0.2.3>"), ("hdr", "i", None, "a84b4c76e66710@pc33"),
    ("hdrcnt", "X-Test", None, 2), ("hdrcnt", "Contact", None, 2), ("hdrcnt", "X-None", None, 0),
    ("hdr_name", None, None, "Via"), ("hdr_name", None, 7, "m"), ("hdr_name", None, -1, "Content-Length"),
    ("hdr_name", None, 99, None),
])
def test_read(name: str, key: str | None, index: object, value: object) -> None:
    words = Words()
    assert words.get(words.ctx(), name, key, index) == value


@pytest.mark.parametrize(("name", "value"), [
    ("rs", 180), ("rr", "Ringing"), ("rm", "INVITE"), ("msg.is_request", 0), ("msg.type", "reply"), ("tt", "2"),
])
def test_reply(name: str, value: object) -> None:
    words = Words()
    assert words.get(words.ctx(RINGING), name) == value


@pytest.mark.parametrize("name", ["fu", "fU", "fd", "fn", "ft", "ci", "cs", "tu", "tU", "td", "tt"])
def test_missing_headers_are_null(name: str) -> None:
    words = Words()
    assert words.get(words.ctx("OPTIONS sip:h SIP/2.0\nX: y\n\n"), name) is None


@pytest.mark.parametrize("name", ["fu", "fU", "fd", "tu", "cs", "cl"])
def test_broken_headers_are_null(name: str) -> None:
    words = Words()
    broken = "OPTIONS sip:h SIP/2.0\nFrom: \"x <sip:a\nTo: <>\nCSeq: x\nContent-Length: zz\n\n"
    assert words.get(words.ctx(broken), name) is None


def test_an_unparsable_uri_keeps_its_text() -> None:
    words = Words()
    ctx = words.ctx(INVITE.replace("<sip:bob@biloxi.example.com>", "<sip:@@>"))
    assert words.get(ctx, "tu") == "sip:@@" and words.get(ctx, "tU") is None and words.get(ctx, "td") is None


def test_edits_are_not_seen() -> None:
    words = Words()
    ctx = words.ctx()
    ctx.edit.remove_hf("X-Test")
    ctx.edit.append_hf("X-New: 1\r\n")
    assert words.get(ctx, "hdr", "X-Test") == "one" and words.get(ctx, "hdr", "X-New") is None


def test_raw_and_number() -> None:
    words = Words()
    first = words.ctx()
    assert words.get(first, "mb") == first.msg.raw.decode() and words.get(first, "ml") == len(first.msg.raw)
    number = words.get(first, "mi")
    second = words.ctx()
    assert words.get(second, "mi") == number + 1 and words.get(first, "mi") == number       # type: ignore[operator]


def test_contact_field_names_are_checked() -> None:
    words = Words()
    with pytest.raises(ValueError):
        words.get(words.ctx(), "ct.fields", "nonsense")
