"""Random scripts: formatting keeps their meaning, and no edit of a script brings the checker down."""
from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.format import bare, format_text
from osip.script.lint import lint
from osip.script.parse import parse
from osip.script.report import render
from osip.script.source import Source

SOUND = [path.read_text() for path in sorted((Path(__file__).parents[1] / "script" / "sound").glob("*.cfg"))]

WHITE = st.sampled_from([" ", "  ", "\t", "\n", "\n\n\n", " # remark\n", "\n\t# remark\n", " /* in /* side */ */ ",
                         "\n/* two\n  lines */\n", " // remark\n", " \\\n "])
VALUE = st.sampled_from(['"text"', "'raw \\ text'", '"two\n lines"', "5", "-5", "0x1F", "$var(x)", "$(ru{uri.user})",
                         "$rU", "$(hdr(X)[-1])", "yes"])
NAME = st.sampled_from(["f", "t_relay", "sl_send_reply", "is_method"])
COMPARE = st.sampled_from(["==", "!=", "<", ">=", "=~"])


@st.composite
def tokens_of_condition(draw: st.DrawFn, depth: int = 2) -> list[str]:
    """Draw the words of a condition."""
    kind = draw(st.integers(0, 6 if depth else 2))
    if kind == 0:
        return ["$var(a)", draw(COMPARE), draw(st.sampled_from(['"x"', "5", "$var(b)"]))]
    if kind == 1:
        return draw(tokens_of_call())
    if kind == 2:
        return ["[", "$var(a)", draw(st.sampled_from(["&", "+", "%", "<<"])), draw(VALUE), "]"]
    inner = draw(tokens_of_condition(depth - 1))
    if kind == 3:
        return [draw(st.sampled_from(["!", "not"])), "(", *inner, ")"]
    if kind == 4:
        return ["(", *inner, ")"]
    return [*inner, draw(st.sampled_from(["&&", "||", "and", "or"])), *draw(tokens_of_condition(depth - 1))]


@st.composite
def tokens_of_call(draw: st.DrawFn) -> list[str]:
    """Draw the words of a call."""
    words = [draw(NAME), "("]
    for place in range(draw(st.integers(0, 3))):
        words += ([","] if place else []) + [draw(VALUE)]
    return [*words, ")"]


@st.composite
def tokens_of_statement(draw: st.DrawFn, depth: int = 3) -> list[str]:
    """Draw the words of a statement."""
    kind = draw(st.integers(0, 10 if depth else 4))
    if kind == 0:
        return draw(st.sampled_from([["exit", ";"], ["drop", "(", ")", ";"], ["return", "-1", ";"], [";"],
                                     ["return", "(", "1", ",", "$var(x)", ")", ";"], ["route", "(", "a", ")", ";"]]))
    if kind <= 2:
        return [*draw(tokens_of_call()), ";"]
    if kind == 3:
        return ["$var(x)", draw(st.sampled_from(["=", ":=", "+="])), draw(VALUE), "+", "(", draw(VALUE), "-", "1",
                ")", ";"]
    if kind == 4:
        return ["xlog", "(", '"L_INFO"', ",", '"a\n b"', '"c"', ")", ";"]
    body = draw(tokens_of_statement(depth - 1))
    if kind <= 6:
        words = ["if", "(", *draw(tokens_of_condition()), ")", *body]
        return words + (["else", *draw(tokens_of_statement(depth - 1))] if draw(st.booleans()) else [])
    if kind == 7:
        return ["while", "(", *draw(tokens_of_condition()), ")", *body]
    if kind == 8:
        return ["for", "(", "$var(i)", "in", "$(avp(x)[*])", ")", *body]
    if kind == 9:
        return ["switch", "(", "$rs", ")", "{", "case", "1", ":", *body, "case", '"x"', ":", "default", ":",
                *draw(tokens_of_statement(depth - 1)), "}"]
    return ["{", *body, *draw(tokens_of_statement(depth - 1)), "}"]


@settings(max_examples=80, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(tokens_of_statement(), min_size=1, max_size=5), st.data())
def test_formatting_keeps_the_meaning(statements: list[list[str]], data: st.DataObject) -> None:
    words = ["route", "{", *(word for one in statements for word in one), "}"]
    text = "".join(word + data.draw(WHITE) for word in words)
    once = format_text(text)                # compares the trees and the remarks by itself, and refuses a difference
    assert format_text(once) == once
    before, after = (parse(Source.from_text(one))[0].items for one in (text, once))
    assert bare(before) == bare(after)


@settings(max_examples=50, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SOUND), st.data())
def test_no_edit_brings_the_checker_down(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        put = data.draw(st.sampled_from(["", "{", "}", "(", ")", ";", '"', "'", "$", "$(", "/*", "=", "else", "\\",
                                         "route", "[", "]", ",", "\u201c", "\n", "#", "99999999999", "modparam("]))
        text = text[:at] + put + text[at + cut:]
    registry = Registry(BUILTINS)
    result = compile_script(Source.from_text(text, "random.cfg"), registry, Config())
    found = lint(result, registry)
    assert render(found, result.script.files) or not found
