"""Heads of routes, switches, and statements outside any route."""
from __future__ import annotations

import pytest

from osip.script.nodes import RouteDef
from osip.script.parse import parse
from osip.script.source import Source


def codes(text, **options):
    script, found = parse(Source.from_text(text), **options)
    return [item.code for item in found], script


@pytest.mark.parametrize(("text", "expected"), [
    ("error_route { ; }", []), ("error_route[1] { ; }", ["E014"]), ("local_route[x] { ; }", ["E014"]),
    ("failure_route { ; }", ["E014"]), ("branch_route { ; }", ["E014"]), ("event_route { ; }", ["E014"]),
    ("onreply_route { ; }", []), ("onreply_route[a, 5] { ; }", ["E014"]), ("route[a, sync] { ; }", ["E014"]),
    ("event_route[E, sync] { ; }", []),
    ("event_route[E, later] { ; }", ["E014"]), ("event_route[E, 5] { ; }", ["E014"]),
    ("timer_route[t, 5] { ; }", []),
    ("route { switch ($x) { } }", []),
    ("route { switch ($x) { default: } }", ["E013"]),
    ("route { if (a()) { while (b()) switch ($x) { default: c(); case 1: d(); } } }", ["E013"]),
    ("route { switch ($x) { case 1: switch ($y) { case 2: default: default: } } }", ["E013"]),
])
def test_shapes(text, expected):
    assert codes(text)[0] == expected


def test_snippet_becomes_the_main_route():
    found, script = codes('loadmodule "tm"\na();\nif (b()) { c(); }\nroute[X] { d(); }\ne();')
    assert found == ["N703"]
    assert [type(item).__name__ for item in script.items] == ["LoadModule", "RouteDef", "RouteDef"]
    main = script.items[1]
    assert isinstance(main, RouteDef) and (main.kind, main.name, len(main.body)) == ("route", None, 3)


@pytest.mark.parametrize(("text", "options"), [
    ("a();\nroute { b(); }", {}), ("route[0] { b(); }\na();", {}), ("a();", {"lenient": False}),
])
def test_statement_outside_is_an_error(text, options):
    found, script = codes(text, **options)
    assert found == ["E011"]
    assert all(isinstance(item, RouteDef) and item.body for item in script.items)


def test_one_brace_too_many_is_one_cause():
    assert set(codes("route { a(); } }\nb();\n}")[0]) == {"E005"}
