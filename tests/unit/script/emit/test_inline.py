"""Words emitted in place of calls behave as the calls would."""

from __future__ import annotations

import pytest
from kit.words import INVITE, Stage

CASES = [
    ("INVITE", '$rm == "INVITE"', True), ("INVITE", '$rm == "invite"', True), ("INVITE", '$rm != "INVITE"', False),
    ("invite", '$rm == "INVITE"', True), ("BYE", '$rm == "INVITE"', False), ("FOO", '$rm == "foo"', True),
    ("FOO", '$rm == "INVITE"', False), ("OPTIONS", '!($rm != "OPTIONS")', True),
]


@pytest.mark.parametrize(("method", "condition", "expected"), CASES)
def test_method_comparison(method: str, condition: str, expected: bool) -> None:
    stage = Stage(f"route {{ if ({condition}) return(1); else return(2); }}")
    raw = INVITE.replace(b"INVITE", method.encode())
    assert (stage.run(stage.ctx(raw)) == 1) is expected


def test_flags_are_masks() -> None:
    stage = Stage('route { setflag(A); setflag("B"); resetflag(A); if (isflagset(A)) mark("a"); '
                  'if (isflagset("B")) mark("b"); if (!isflagset(3)) mark("three"); mark("$mf"); }')
    ctx = stage.ctx()
    stage.run(ctx)
    assert stage.seen == ["b", "three", "B"]
    assert ctx.flags == stage.env.message_flags.bit("B")
    assert "isflagset(" not in stage.source()


def test_a_flag_too_many_is_the_words_own_error() -> None:
    sets = " ".join(f"setflag(f{i});" for i in range(33))
    text = Stage(f"route {{ {sets} }}").source()
    assert text.count("ctx.flags |=") == 32
    assert "setflag(ctx, 'f32')" in text


def test_flags_in_conditions() -> None:
    stage = Stage("route { if (setflag(A) && isflagset(A) && resetflag(A) && !isflagset(A)) ok(); }")
    stage.run()
    assert stage.seen == ["ok"]


def test_branch_flags_are_masks() -> None:
    stage = Stage('route { setbflag(A); setbflag("B"); resetbflag(A); if (isbflagset(A)) mark("a"); '
                  'if (isbflagset("B")) mark("b"); if (setbflag(C) && resetbflag(B) && !isbflagset(B)) mark("c"); }')
    ctx = stage.ctx()
    stage.run(ctx)
    assert stage.seen == ["b", "c"]
    assert ctx.target.bflags == stage.env.branch_flags.bit("C")
    assert "isbflagset(" not in stage.source()


def test_the_method_is_read_once() -> None:
    once = 'if ($rm == "INVITE") mark("ctx.msg.method_id");'
    twice = f'{once} if ($rm == "BYE") mark("no"); if ($rm == "INVITE") mark("and $rm");'
    stage = Stage(f'route {{ {twice} }}')
    assert stage.source().count(" = ctx.msg.method_id") == 1
    assert stage.source().count("ctx.msg.method_id") == 2               # the other one is the script's text
    stage.run()
    assert stage.seen == ["ctx.msg.method_id", "and INVITE"]
