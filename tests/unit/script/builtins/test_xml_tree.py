"""Keep XML documents."""

from __future__ import annotations

from typing import Any

import pytest

from kit.builtin import Words
from osip.script.builtins.xml_tree import parse_path

DOC = '<list name="l"><entry uri="a">one</entry><entry uri="b"><x/></entry><note/></list>'


def tree() -> tuple[Words, Any]:
    words = Words()
    ctx = words.ctx()
    assert words.set(ctx, "xml", DOC, "d")
    words.env.vars.update(el="entry", at="uri")
    return words, ctx


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("d", DOC.replace("<x/>", "<x />").replace("<note/>", "<note />")),
        ("d/list/entry.val", "one"),
        ("d/list/entry[1].attr/uri", "b"),
        ("d/list.attr/name", "l"),
        ("d/list/note.val", ""),
        ("d/list/entry[1]/x", "<x />"),
        ("d/list/entry[2].val", None),
        ("d/other", None),
        ("d/list[1]", None),
        ("none", None),
        ("d/list/entry.attr/none", None),
        ("d/list/$var(el).attr/$var(at)", "a"),
        ("d/list/$var(none)", None),
    ],
)
def test_read(path: str, value: Any) -> None:
    words, ctx = tree()
    assert words.get(ctx, "xml", path) == value


@pytest.mark.parametrize(
    ("path", "value", "read", "now"),
    [
        ("d/list/entry.val", "two & more", "d/list/entry.val", "two & more"),
        ("d/list/entry.val", None, "d/list/entry.val", ""),
        ("d/list/entry.attr/new", 7, "d/list/entry.attr/new", "7"),
        ("d/list/entry.attr/uri", None, "d/list/entry.attr/uri", None),
        ("d/list/note", "<p>q</p>", "d/list/note/p.val", "q"),
        ("d/list/entry", None, "d/list/entry.attr/uri", "b"),
        ("d/list", None, "d", None),
        ("d", None, "d", None),
        ("e", "<r/>", "e/r.val", ""),
    ],
)
def test_write(path: str, value: Any, read: str, now: Any) -> None:
    words, ctx = tree()
    assert words.set(ctx, "xml", value, path) and words.get(ctx, "xml", read) == now


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("d", "no xml"),
        ("d", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        ("d/list/none.val", "x"),
        ("d/list/note", "<open>"),
        ("none", None),
        ("none/a", "<b/>"),
        ("d", "<a>" + "x" * (1 << 20) + "</a>"),
    ],
)
def test_what_cannot_be_written(path: str, value: Any) -> None:
    words, ctx = tree()
    before = words.get(ctx, "xml", "d")
    assert not words.set(ctx, "xml", value, path) and words.get(ctx, "xml", "d") == before


@pytest.mark.parametrize("text", ["", "/a", "a//b", "a/b[x]", "a.other", "a.attr/"])
def test_bad_paths(text: str) -> None:
    with pytest.raises(ValueError, match="XML path"):
        parse_path(text)
