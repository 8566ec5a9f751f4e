"""Facts about a whole script."""

from __future__ import annotations

import pytest
from kit.words import Stage

from osip.core.exports.registry import Registry
from osip.script.builtins import BUILTINS
from osip.script.emit.survey import Survey

FLAGS = [
    ("route { ok(); }", ""), ("route { tell($rc); }", "rc"), ('route { mark("code $retcode"); }', "rc"),
    ('route { tell($hdr($rc)); }', "rc"), ('route { tell($(rU{s.twice,$rc})); }', "rc"),
    ("route { tell($param(1)); }", "params"), ("route { tell($return(0)); }", "returns"),
    ('route { mark("$route.name"); }', "stack"), ("route { tell($(route[*])); }", "stack"),
    ('route { script_trace(1, "x"); }', "traced"),
]


@pytest.mark.parametrize(("text", "expected"), FLAGS, ids=[case[0] for case in FLAGS])
def test_what_is_read(text: str, expected: str) -> None:
    stage = Stage(text)
    survey = Survey(stage.script, stage.registry)
    found = [name for name in ("rc", "params", "returns", "stack", "traced") if getattr(survey, name)]
    assert " ".join(found) == expected


def test_waiting_spreads_to_callers() -> None:
    stage = Stage("route { route(A); } route[A] { route(B); } route[B] { slow(1); } route[C] { ok(); } "
                  "route[D] { launch(slow(1)); } route[E] { route($var(x)); } failure_route[F] { route(A); }")
    waits = Survey(stage.script, stage.registry).waits
    assert waits == {("route", ""), ("route", "A"), ("route", "B"), ("route", "E"), ("failure_route", "F")}


def test_recursion() -> None:
    stage = Stage("route { route(A); } route[A] { route(B); } route[B] { route(A); } route[C] { route(C); } "
                  "route[D] { route(E); } route[E] { ok(); }")
    survey = Survey(stage.script, stage.registry)
    assert [name for name in "ABCDE" if survey.recursive(("route", name))] == ["A", "B", "C"]
    assert not survey.recursive(("route", ""))


def test_a_transformation_that_asks_makes_its_route_wait() -> None:
    stage = Stage('route { $var(a) = $(var(b){ip.resolve}); } route[A] { xlog("$(var(b){ip.resolve4})"); } '
                  "route[B] { $var(a) = $(var(b){ip.isip}); }")
    registry = Registry(BUILTINS)
    survey = Survey(stage.script, registry)
    assert survey.asking and survey.waits == {("route", ""), ("route", "A")}
    assert not Survey(Stage("route { $var(a) = $(var(b){ip.isip}); }").script, registry).asking
