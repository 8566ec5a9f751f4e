"""Rendering: the caret stands under its column, JSON holds everything, suggestions are near."""
from __future__ import annotations

import json

import pytest

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.script.report import (
    CATALOGUE,
    distance,
    explain,
    render,
    render_json,
    render_one,
    suggest,
)

TEXT = "route {\n        t_rely();\n\tx();\n}\n"
UNKNOWN = Diagnostic("E101", 'unknown function "t_rely"', Span("cfg/edge.cfg", 2, 9, 2, 15),
                     hint='did you mean "t_relay" or "t_reply"?')


def test_house_style():
    assert render([UNKNOWN], {"cfg/edge.cfg": TEXT}) == (
        'cfg/edge.cfg:2:9: error[E101]: unknown function "t_rely"\n'
        "   2 |         t_rely();\n"
        '     |         ^^^^^^ did you mean "t_relay" or "t_reply"?\n')


@pytest.mark.parametrize(("span", "line", "underline"), [
    (Span("f", 3, 2, 3, 5), "   3 | \tx();", "     | \t^^^"),
    (Span("f", 1, 7, 4, 2), "   1 | route {", "     |       ^"),
    (Span("f", 1, 1, 4, 2), "   1 | route {", "     | ^^^^^^^"),
    (Span("f", 4, 2, 4, 3), "   4 | }", "     |  ^"),
    (Span("f", 4, 40, 4, 50), "   4 | }", "     |  ^"),
])
def test_underline(span, line, underline):
    lines = render_one(Diagnostic("E001", "m", span), {"f": TEXT}).split("\n")
    assert lines[1:3] == [line, underline]


def test_notes_and_severities():
    item = Diagnostic("W602", "m", Span("f", 1, 1, 1, 6), Severity.WARNING, "", ("first", "second\nthird"))
    assert render_one(item, {"f": TEXT}).splitlines() == [
        "f:1:1: warning[W602]: m", "   1 | route {", "     | ^^^^^", "     = first", "     = second", "     = third"]


def test_without_text_or_place():
    assert render_one(Diagnostic("E301", "m", hint="h"), {}) == "error[E301]: m\n     = h\n"
    assert render_one(UNKNOWN, {}).startswith("cfg/edge.cfg:2:9: error")


def test_colour_only_when_asked():
    assert "\x1b[31m" in render([UNKNOWN], {}, colour=True)
    assert "\x1b" not in render([UNKNOWN], {"cfg/edge.cfg": "\x1b[31m" + TEXT.replace("  t_", "\x1b t_")})


def test_json():
    assert json.loads(render_json([UNKNOWN])) == [{
        "file": "cfg/edge.cfg", "line": 2, "col": 9, "end_line": 2, "end_col": 15, "severity": "error", "code": "E101",
        "message": UNKNOWN.message, "hint": UNKNOWN.hint, "notes": []}]


@pytest.mark.parametrize(("name", "known", "near"), [
    ("t_rely", ["t_reply", "t_relay", "sl_send_reply"], {"t_relay", "t_reply"}),
    ("T_RELAY", ["t_relay"], {"t_relay"}),
    ("xyz", ["t_relay"], set()),
    ("same", ["same"], set()),
])
def test_suggest(name, known, near):
    assert set(suggest(name, known)) == near


@pytest.mark.parametrize(("first", "second", "slips"), [
    ("", "", 0), ("exit", "exit", 0), ("exi", "exit", 1), ("drpo", "drop", 1), ("brake", "break", 2), ("ab", "cd", 2),
])
def test_distance(first, second, slips):
    assert distance(first, second) == distance(second, first) == slips


def test_suggest_is_bounded():
    assert len(suggest("abc1", [f"abc{number}" for number in range(2, 9)], n=2)) == 2


def test_explain():
    assert explain("e002").startswith("E002: missing semicolon\n\n")
    assert explain("E999") is None


def test_catalogue_is_complete_and_well_formed():
    for code, entry in CATALOGUE.items():
        assert code[0] in "EWN" and code[1:].isdigit() and len(code) == 4
        assert entry.title and not entry.title.endswith(".")
        assert entry.explanation.endswith(".")
