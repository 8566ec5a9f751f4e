"""Statements: codes, leaving, loops, switch, logs (dsl.md sections 6 and 8)."""

from __future__ import annotations

from typing import Any

import pytest
from kit.words import Stage, run

CODES: list[tuple[str, int]] = [
    # a route's result: return, or the code of the last executed action
    ("", 1), (";", 1), ("ok();", 1), ("fail();", -1), ("ok(); fail();", -1), ("fail(); ok();", 1),
    ("stop(); ok();", 0),
    ("agree();", 1), ("nope();", -1), ('mark("x");', 1), ("give(7);", 7), ("return;", 1), ("return(5);", 5),
    ("return -5;", -5), ("return(0);", 0), ("return($var(none));", -1), ('$var(s) = "x"; return($var(s));', 1),
    ("$var(n) = 9; return($var(n));", 9), ("exit;", 0), ("drop;", 0), ("$var(x) = 1;", 1), ('$var(x) = 1 + "a";', -1),
    ("$ru = null;", -1), ('xlog("x");', 1), ('xlog("L_DBG", "x");', 1), ('xdbg("x");', 1), ('log(1, "x");', 1),
    ('error("a", "b");', 1), ('assert(0, "off by default");', 1), ("nobody_knows();", -1), ("route(NOWHERE);", -1),
    # if: the branch taken, else 1
    ("if (ok()) fail();", -1), ("if (ok()) { fail(); give(3); }", 3), ("fail(); if (0) ok();", 1),
    ("if (0) ok(); else give(4);", 4), ("if (1) { } else fail();", 1), ("if (1) ;", 1),
    ("if (0) ok(); else if (1) give(6); else fail();", 6), ("if (0) ok(); else if (stop()) ok(); else fail();", 0),
    ("if (1) return(2); else return(3); fail();", 2),
    # loops: the last round
    ("while ($var(i) < 2) { $var(i) = $var(i) + 1; give(8); }", 1), ("while (0) { fail(); }", 1),
    ("$var(i) = 0; while ($var(i) < 2) { $var(i) += 1; give(8); }", 8),
    ("while (1) { give(5); break; }", 5), ("while (1) { return(6); }", 6), ("while (stop()) { ok(); }", 0),
    ("while (1) { if (give(3)) { fail(); break; } }", -1), ("while (1) exit;", 0),
    # switch
    ("$var(x) = 2; switch ($var(x)) { case 1: fail(); break; case 2: give(9); break; }", 9),
    ("$var(x) = 3; switch ($var(x)) { case 1: fail(); break; case 2: give(9); break; }", 1),
    ("$var(x) = 1; switch ($var(x)) { case 1: give(2); case 2: give(9); }", 9),
]


@pytest.mark.parametrize(("body", "code"), CODES, ids=[case[0] for case in CODES])
def test_code_of_a_route(body: str, code: int) -> None:
    assert run(body)[0] == code
    # and the same inside a loop, where codes are kept in a local
    if code != 0 and "return" not in body:
        assert run(f"while ($var(once) == null) {{ $var(once) = 1; {body} }}")[0] == code


RC: list[tuple[str, Any]] = [
    ("give(3);", 3), ("fail();", -1), ("nope();", -1), ("agree();", 1), ('mark("x");', 1), ("$var(x) = 1;", 1),
    ('$var(x) = 1 + "a";', -1), ("if (1) give(5);", 5), ("fail(); if (0) ok();", 0), ("fail(); if (1) ;", 1),
    ('if ($bare == "7") ok();', -1), ("give(4); if ($rc == 4) give(6);", 6), ("if (give(8) && $rc == 8) give(9);", 9),
    ("if (!give(-3) && $retcode == -3) give(9);", 9), ("route(A);", -7), ("if (route(A)) ok();", 0),
    ("if (give(-6)) ok(); else { tell($rc); give(2); }", 2), ("give(5); xlog(\"x\");", 1), ('xdbg("x");', 1),
]


@pytest.mark.parametrize(("body", "code"), RC, ids=[case[0] for case in RC])
def test_rc(body: str, code: int) -> None:
    seen = run(f"{body} tell($rc);", "route[A] { return(-7); }")[1]
    assert seen[-1] == code


def test_rc_in_the_branch_is_the_functions() -> None:
    assert run("if (give(-6)) ok(); else tell($rc);")[1] == [-6]
    assert run("switch ($rc) { case -6: ok(); }")[1] == []
    assert run("give(-6); switch ($retcode) { case -6: ok(); }")[1] == ["ok"]


def test_drop_marks() -> None:
    stage = Stage("route { drop; }")
    ctx = stage.ctx()
    assert (stage.run(ctx), ctx.dropped) == (0, True)
    stage = Stage("route { exit; }")
    ctx = stage.ctx()
    assert (stage.run(ctx), ctx.dropped) == (0, False)


LEAVING = [
    ('while (1) { mark("a"); break; } mark("b");', ["a", "b"]),
    ('route(A); mark("no");', ["A"]),
    ('if (route(B)) mark("y"); else mark("n"); mark("on");', ["B", "n", "on"]),
    ('route(C); mark("on");', ["C", "on"]),
    ('if (!route(A)) mark("no"); mark("no");', ["A"]),
    ('while (1) { route(A); } mark("no");', ["A"]),
    ('$var(x) = stop(); mark("no");', ["stop"]),
    ('while (1) { while (1) { mark("in"); break; } mark("out"); break; }', ["in", "out"]),
]


@pytest.mark.parametrize(("body", "seen"), LEAVING, ids=[case[0] for case in LEAVING])
def test_how_far_leaving_reaches(body: str, seen: list[str]) -> None:
    routes = 'route[A] { mark("A"); return(0); } route[B] { mark("B"); return(-1); } ' \
             'route[C] { mark("C"); while (1) { return(1); } mark("no"); }'
    assert run(body, routes)[1] == seen


LOOPS: list[tuple[str, list[Any]]] = [
    ('$var(i) = 0; while ($var(i) < 3) { $var(i) += 1; tell($var(i)); }', [1, 2, 3]),
    ("while (agree()) { }", ["agree"]),
    ("while (agree()) ;", ["agree"]),
    ('while ($bare == "7") { ok(); } mark("on");', ["on"]),
    ("for ($var(x) in $(hdr(X-List)[*])) tell($var(x));", ["one", "two"]),
    ("for ($var(x) in $(hdr(Nope)[*])) tell($var(x));", []),
    ('for ($var(x) in $hdr(X-List)) mark("no"); mark("on");', ["on"]),
    ("$avp(a) = 1; $avp(a) = 2; for ($avp(b) in $(avp(a)[*])) ok(); tell($(avp(b)[*]));", ["ok", "ok", "1, 2"]),
    ('for ($var(x) in $(hdr(X-List)[*])) { tell($var(x)); break; } mark("on");', ["one", "on"]),
    ('for ($var(x) in $(rU[*])) mark("no");', []),
]


@pytest.mark.parametrize(("body", "seen"), LOOPS, ids=[case[0] for case in LOOPS])
def test_loops(body: str, seen: list[Any]) -> None:
    assert run(body)[1] == seen


def test_while_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    assert run("while (1) ok(); fail();", max_while_loops=5)[1] == ["ok"] * 5 + ["fail"]
    assert "more than 5 rounds" in caplog.text
    assert "test.cfg:2" in caplog.text


SWITCH: list[tuple[str, str, list[str]]] = [
    ("1", 'case 1: mark("a"); break; case 2: mark("b"); break; default: mark("d");', ["a"]),
    ("1", 'case 1: mark("a"); case 2: mark("b"); default: mark("d");', ["a", "b", "d"]),
    ("2", 'case 1: mark("a"); case 2: mark("b"); break; default: mark("d");', ["b"]),
    ("9", 'case 1: mark("a"); break; default: mark("d");', ["d"]),
    ("9", 'case 1: mark("a"); break;', []),
    ("2", 'case 1: case 2: mark("ab"); break; case 3: mark("c"); break;', ["ab"]),
    ("2", 'case 1: mark("a"); break; case 2: default: mark("d");', ["d"]),
    ('"X"', 'case "x": mark("a"); break; default: mark("d");', ["a"]),
    ('"1"', 'case 1: mark("a"); break; default: mark("d");', ["d"]),
    ("1", 'case "1": mark("a"); break; default: mark("d");', ["d"]),
    ("-1", 'case -1: mark("a"); break; default: mark("d");', ["a"]),
    ("null", 'case 0: mark("a"); break; case "": mark("b"); break; default: mark("d");', ["d"]),
    ("1", 'case 1: if (agree()) { mark("in"); break; } mark("no"); break; default: mark("d");', ["agree", "in"]),
    ("1", 'case 1: while (1) { break; } mark("a"); break; default: mark("d");', ["a"]),
    ("1", 'case 1: exit; case 2: mark("b");', []),
]


@pytest.mark.parametrize(("subject", "cases", "seen"), SWITCH, ids=[f"{case[0]} {case[1]}" for case in SWITCH])
def test_switch(subject: str, cases: str, seen: list[str]) -> None:
    found = run(f'$var(x) = {subject}; switch ($var(x)) {{ {cases} }} mark("END");')[1]
    assert found == seen + ([] if "exit" in cases else ["END"])


def test_switch_on_a_value_of_two_types() -> None:
    assert run('switch ($dual) { case 5060: ok(); break; }')[1] == ["ok"]
    assert run('switch ($dual) { case "5060": ok(); break; }')[1] == ["ok"]


LEVELS = [("L_ALERT", 50), ("L_ERR", 40), ("L_WARN", 30), ("L_NOTICE", 25), ("L_INFO", None), ("L_DBG", None)]


@pytest.mark.parametrize(("level", "written"), LEVELS)
def test_xlog_level(level: str, written: int | None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    run(f'xlog("{level}", "to $rU $var(none)\\n");')
    lines = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert lines == ([] if written is None else [(written, "to bob <null>\n")])


def test_xlog_is_not_expanded_below_its_level() -> None:
    assert run('$avp(a) = 1; xdbg("$box(x)"); xlog("L_DBG", "$(avp(a){s.twice,x})");')[0] == 1


def test_xlog_level_in_a_variable_and_limit(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    assert run('$var(l) = -1; xlog($var(l), "one"); $var(l) = 4; xlog($var(l), "two");')[0] == 1
    assert [record.getMessage() for record in caplog.records] == ["one"]
    assert run('xlog("L_ERR", "0123456789abcdef0123456789");', xlog_buf_size=16)[0] == -1


def test_assert() -> None:
    stage = Stage('route { assert(fail(), "must hold"); mark("no"); } error_route { tell($rU); }', enable_asserts=1)
    ctx = stage.ctx()
    assert stage.run(ctx) == 0
    assert stage.seen == ["fail", "bob"]
    assert ctx.error == (4, 1, "must hold", 500, "server error")
    assert run('assert(ok(), "holds"); mark("on");', enable_asserts=1)[1] == ["ok", "on"]
    assert run('assert(stop()); mark("no");', "error_route { ok(); }", enable_asserts=1) == (0, ["stop"])
