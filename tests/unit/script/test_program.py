"""A compiled script: routes by name, texts made at run time, tracing."""

from __future__ import annotations

import linecache

from kit.words import Stage


def test_named_and_names() -> None:
    program = Stage("route { } failure_route[A] { ok(); } failure_route[B] { ok(); } "
                    "branch_route[A] { ok(); }").program
    assert program.names("failure_route") == ["A", "B"]
    assert program.named("failure_route", "A") is not program.named("branch_route", "A")
    assert program.named("onreply_route", "A") is None
    assert program.route_count() == 4


def test_expanders_are_kept_and_bounded() -> None:
    stage = Stage("route { }")
    ctx = stage.ctx()
    for number in range(700):
        assert stage.program.expand(ctx, f"{number} $rU") == f"{number} bob"
    assert len(stage.program._expanders) <= 512
    assert stage.program.expand(ctx, "no variable") == "no variable"
    assert stage.program.eval(ctx, None) is None
    assert stage.program.eval(ctx, 5) == "5"


def test_the_script_can_be_quoted() -> None:
    Stage("route {\n  ok();\n}\n", path="quoted.cfg")
    assert linecache.getline("quoted.cfg", 2) == "  ok();\n"


def test_two_programs_are_independent() -> None:
    one, two = Stage("route { return(1); }"), Stage("route { return(2); }")
    assert (one.run(), two.run()) == (1, 2)
    assert one.program.space is not two.program.space
