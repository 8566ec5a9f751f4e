"""The script as the rules read it."""
from __future__ import annotations

import pytest

from osip.core.exports.diagnostic import Span
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check.unit import Unit, inside, label, lines_of
from osip.script.parse import parse
from osip.script.source import Source

TEXT = '''route { if ($rm == "X") route(A); xlog("a $ru b $$"); k("$avp(x)", "x"); }
route[A] { exit; }
route[0] { ; }
'''


@pytest.fixture
def unit() -> Unit:
    return Unit(parse(Source.from_text(TEXT))[0], Registry())


def test_nodes_stand_in_order_of_writing_with_their_route(unit):
    assert [var.name for var in unit.all(nodes.VarRef)] == ["rm"]
    assert [label(unit.route_of(one)) for one in (*unit.all(nodes.RouteCall), *unit.all(nodes.Exit))] == [
        "route", "route[A]"]


def test_routes_by_name(unit):
    assert sorted(unit.defined("route")) == ["0", "A"]
    assert unit.defined("route")["0"].name is None          # the first of two
    assert unit.defined("failure_route") == {}


def test_constants_and_quoted_variables(unit):
    (xlog,), (call,) = unit.all(nodes.Xlog), unit.all(nodes.Call)
    assert unit.constant(xlog.text) is None
    assert unit.variable(call.args[0]).name == "avp"
    assert unit.variable(call.args[1]) is None and unit.constant(call.args[1]) == "x"


@pytest.mark.parametrize("value, raw, start, expected", [
    ("abcdef", "abcdef", 2, (5, 13)),
    ("a\ncdef", "a\ncdef", 3, (6, 2)),
    ("a\tb", "a\\tb", 2, (5, 10)),              # an escape: the whole literal
])
def test_inside(value, raw, start, expected):
    text = nodes.Str(Span("f", 5, 10, 5, 20), value, '"', raw)
    assert (inside(text, start).line, inside(text, start).col) == expected


def test_lines_of():
    spans = [Span("f", line, 1, line, 2) for line in (3, 4)]
    assert lines_of([]) == () and lines_of(spans[:1]) == ("also at line 3",)
    assert lines_of(spans) == ("also at lines 3, 4",)
