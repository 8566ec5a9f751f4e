"""Regular-expression edits: what each function returns, what later words still see, and what is sent."""
from __future__ import annotations

from typing import Any

import pytest

from kit.message import request
from kit.passage import call, pass_through
from kit.playbook import make_worker
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse
from osip.modules.textops import Textops, parse_substitution

BODY = "v=0\r\no=one\r\nt=0 0\r\na=one\r\n"
RAW = request(headers="X-Name: one two one\r\nX-Path: /a/b\r\nContent-Type: text/plain\r\n", body=BODY)


def sent(*calls: tuple[Any, ...], raw: bytes = RAW) -> tuple[list[int], bytes]:
    found = pass_through(Textops, raw, *calls)
    return found.results, found.raw


@pytest.mark.parametrize(("pattern", "result"), [
    ("^INVITE sip:bob", 1), ("one two", 1), ("ONE TWO", 1), ("a=one", 1), ("nothing", -1), ("^x-name:", 1),
    ("Name.*Path", -1), ("X-Name:[^:]*Path", -1), ("[[:digit:]]{3}", 1), (r"\<two\>", 1), (r"\<tw\>", -1)])
def test_search(pattern: str, result: int) -> None:
    assert sent(("search", pattern))[0] == [result]


@pytest.mark.parametrize(("pattern", "result"), [("a=one", 1), ("INVITE", -1), ("X-Name", -1), ("^v=0", 1), ("v=1",
    -1)])
def test_search_body(pattern: str, result: int) -> None:
    assert sent(("search_body", pattern))[0] == [result]


@pytest.mark.parametrize(("name", "args", "result", "gone", "come"), [
    ("replace", ("one two", "three"), 1, b"X-Name: one", b"X-Name: three one\r\n"),
    ("replace", ("one", "1"), 1, b": one two", b"X-Name: 1 two one\r\n"),
    ("replace", ("nothing", "x"), -1, b"\0", b"X-Name: one two one\r\n"),
    ("replace", ("INVITE", "X"), 1, b"CSeq: 1 INVITE", b"INVITE sip:bob@10.0.0.2 SIP/2.0\r\n"),
    ("replace_all", ("one", "1"), 1, b"one", b"X-Name: 1 two 1\r\n"),
    ("replace_body", ("one", "1"), 1, b"o=one", b"a=one"),
    ("replace_body", ("one", "1"), 1, b"o=one", b"X-Name: one two one"),
    ("replace_body", ("X-Name", "1"), -1, b"\0", b"X-Name: one"),
    ("replace_body_all", ("one", "1"), 1, b"=one", b"o=1\r\nt=0 0\r\na=1\r\n"),
    ("replace_body_all", ("^.=", "x:"), 1, b"t=0", b"x:0\r\nx:one\r\nx:0 0\r\nx:one\r\n"),
    ("replace_body_atonce", ("^.=", "x:"), 1, b"v=0", b"x:0\r\no=one"),
    ("replace_body_atonce", ("o=.*a=", "all="), 1, b"t=0", b"v=0\r\nall=one"),
    ("search_append", ("X-Name: one", " and a half"), 1, b"\0", b"X-Name: one and a half two one\r\n"),
    ("search_append", ("nothing", "x"), -1, b"\0", b"X-Name: one two"),
    ("search_append_body", ("t=0 0\\s+", "s=x\r\n"), 1, b"\0", b"t=0 0\r\ns=x\r\na=one"),
    ("search_append_body", ("X-Name", "x"), -1, b"\0", b"X-Name: one two"),
    ("subst", ("/^X-Name: (one) two/X-Name: \\1 \\1/",), 1, b"two", b"X-Name: one one one\r\n"),
    ("subst", ("/ONE/1/",), -1, b"\0", b"X-Name: one"),
    ("subst", ("/ONE/1/ig",), 1, b"one", b"X-Name: 1 two 1"),
    ("subst", ("#/a/b#/c#",), 1, b"/a/b", b"X-Path: /c\r\n"),
    ("subst", ("/\\/a\\/b/\\/d/",), 1, b"/a/b", b"X-Path: /d\r\n"),
    ("subst", ("/^X-Path: .*$/X-New: a\\r\\nX-More: b/",), 1, b"X-Path", b"X-New: a\r\nX-More: b"),
    ("subst_body", ("/=(one)/=<\\1>/g",), 1, b"=one", b"o=<one>\r\nt=0 0\r\na=<one>"),
    ("subst_body", ("/X-Name/x/",), -1, b"\0", b"X-Name"),
])
def test_edits_show_in_what_is_sent(name: str, args: tuple[str, ...], result: int, gone: bytes, come: bytes) -> None:
    results, raw = sent((name, *args))
    assert results == [result]
    assert gone not in raw and come in raw


@pytest.mark.parametrize(("first", "then", "sees"), [
    (("replace", "one two", "three"), ("search", "one two"), 1),
    (("replace", "one two", "three"), ("search", "three"), -1),
    (("append_hf", "X-New: 1\r\n"), ("is_present_hf", "X-New"), -1),
    (("remove_hf", "X-Name"), ("is_present_hf", "X-Name"), 1),
    (("strip_body",), ("has_body",), 1),
])
def test_later_words_see_the_message_as_received(first: tuple[str, ...], then: tuple[str, ...], sees: int) -> None:
    assert sent(first, then)[0][1] == sees


def test_what_a_group_holds_is_not_read_again() -> None:
    raw = request(headers="X-Name: a\\r\\nX-Evil: 1\r\n")
    assert b"X-Copy: a\\r\\nX-Evil: 1\r\n" in sent(("subst", "/^X-Name: (.*)\r$/X-Copy: \\1\r/"), raw=raw)[1]


def test_content_length_follows_the_body() -> None:
    for calls in ([("replace_body_all", "one", "a longer one")], [("strip_body",)], [("search_append_body", "v=0",
            "00")]):
        _, raw = sent(*calls)
        head, _, body = raw.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"


def test_strip_body_takes_content_type_and_needs_a_body() -> None:
    results, raw = sent(("strip_body",))
    assert results == [1] and raw.endswith(b"Content-Length: 0\r\n\r\n") and b"Content-Type" not in raw
    assert sent(("strip_body",), raw=request())[0] == [-1]


def test_places_count_bytes_and_not_letters() -> None:
    raw = request(headers="X-Name: \u00e4\u00f6 one\r\n", body="")
    assert "X-Name: \u00e4\u00f6 two\r\n".encode() in sent(("replace", "one", "two"), raw=raw)[1]
    assert "X-Name: \u00e4\u00f6 one!\r\n".encode() in sent(("search_append", "\u00f6 one", "!"), raw=raw)[1]
    broken = request(headers="X-Name: ?? one\r\n").replace(b"??", b"\xff\xfe")
    assert b"X-Name: \xff\xfe two\r\n" in sent(("replace", "one", "two"), raw=broken)[1]


@pytest.mark.parametrize(("uri", "name", "expression", "result", "left"), [
    ("sip:123@10.0.0.2", "subst_uri", "/sip:(.*)@/sip:00\\1@/", 1, "sip:00123@10.0.0.2"),
    ("sip:123@10.0.0.2", "subst_uri", "/tel/x/", -1, "sip:123@10.0.0.2"),
    ("sip:123@10.0.0.2", "subst_user", "/^1/9/", 1, "sip:923@10.0.0.2"),
    ("sip:123@10.0.0.2", "subst_user", "/10/9/", -1, "sip:123@10.0.0.2"),
    ("sip:123@10.0.0.2", "subst_user", "/[0-9]/x/g", 1, "sip:xxx@10.0.0.2"),
    ("sip:123:pw@10.0.0.2", "subst_user", "/pw/x/", -1, "sip:123:pw@10.0.0.2"),
    ("sip:10.0.0.2", "subst_user", "/^$/new/", 1, "sip:new@10.0.0.2"),
])
def test_subst_on_the_uri_is_live(uri: str, name: str, expression: str, result: int, left: str) -> None:
    found = pass_through(Textops, request(ruri=uri), (name, expression))
    assert found.result == result
    assert found.sent.ruri == left and found.ctx.ruri == left


@pytest.mark.parametrize(("expression", "words"), [
    ("", "write"), ("/a", "three times"), ("/a/b", "three times"), ("/a/b/x", "unknown flag"), ("/(/b/",
        "bad regular"),
    ("/a/\\3/", "group 3")])
def test_a_bad_expression_is_refused_with_words(expression: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_substitution(expression)


def test_a_response_can_be_edited_too() -> None:
    worker, _, _ = make_worker((Textops,))
    ctx = Ctx(worker.env, parse(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nX-A: 1\r\n\r\n"), None, 4)
    textops = worker.registry.instances["textops"]
    assert call(textops, ctx, "search", "^SIP/2.0 200") == 1
    assert call(textops, ctx, "subst_uri", "/a/b/") == -1 and call(textops, ctx, "subst_user", "/a/b/") == -1
