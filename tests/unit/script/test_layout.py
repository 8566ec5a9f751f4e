"""The layout by itself: depth, line ends and blanks as each token goes by. Whole scripts are in test_format.py."""
from __future__ import annotations

from itertools import pairwise

from osip.script.gaps import Gap
from osip.script.layout import Layout, mark_of
from osip.script.lexer import Token
from osip.script.parse import parse_tokens
from osip.script.source import Source


def tokens_of(text: str) -> list[Token]:
    return parse_tokens(Source.from_text(text))[1]


def walk(text: str) -> list[tuple[str, int | None, str]]:
    """Return each token with its depth (None within a line) and the blank before it."""
    layout, found = Layout(), []
    tokens = tokens_of(text)
    for token, following in pairwise(tokens):
        begins = layout.begins_line(token) and not layout.clings(token, Gap([], 0))
        found.append((token.value, layout.depth_of(token) if begins else None, layout.space(token)))
        layout.take(token, following)
    return found


def test_depth_of_lines() -> None:
    lines = [(word, depth) for word, depth, _ in walk(
        "log_level = 3 route { if (a()) while (b()) c(); else { d(); } switch ($rs) { case 1: e(); } }")
        if depth is not None]
    assert lines == [("log_level", 0), ("route", 0), ("if", 1), ("while", 2), ("c", 3), ("else", 1), ("d", 2), ("}", 1),
                     ("switch", 1), ("case", 2), ("e", 3), ("}", 1), ("}", 0)]


def test_else_clings_to_the_block_of_its_own_if_only() -> None:
    own = walk("route { if (a()) { b(); } else c(); }")
    other = walk("route { if (a()) if (b()) { c(); } else { d(); } else e(); }")
    assert [depth for word, depth, _ in own if word == "else"] == [None]
    assert [depth for word, depth, _ in other if word == "else"] == [None, 1]


def test_blanks() -> None:
    text = "".join(space + word for word, _, space in walk(
        "route[a] { $var(x) = -1 - ( 2 * ~ $var(y) ) ; if ( ! f ( 1 , , -2 ) ) exit ; }"))
    assert text == "route[a] { $var(x) = -1 - (2 * ~$var(y)); if (!f(1, , -2)) exit; }"


def test_marks_are_no_words() -> None:
    kinds = {token.value: mark_of(token) for token in tokens_of('route { f("{", $(x)); }')}
    assert kinds['"{"'] == "" and kinds["$(x)"] == "" and kinds["{"] == "{" and kinds["route"] == ""
    assert mark_of(None) == ""
