"""Calls: arguments by their kind (dsl.md section 7)."""

from __future__ import annotations

from typing import Any

import pytest
from kit.words import run

REFUSED = (-1, [])

ARGUMENTS: list[tuple[str, tuple[int, list[Any]]]] = [
    # int
    ("number(5);", (1, [(5, "none", None)])), ("number(-5);", (1, [(-5, "none", None)])),
    ('number("7");', (1, [(7, "none", None)])), ('number("0x1F");', (1, [(31, "none", None)])),
    ('number("$var(n)");', (1, [(5, "none", None)])), ('number("1$var(n)");', (1, [(15, "none", None)])),
    ("number($var(n));", (1, [(5, "none", None)])), ("number($dual);", (1, [(5060, "none", None)])),
    ("number($var(s));", REFUSED), ("number($var(none));", REFUSED), ('number("x");', REFUSED),
    ('number("$rU");', REFUSED), ('number("$var(none)");', REFUSED), ("number($bare);", (1, [(7, "none", None)])),
    # str: format string, variable; NULL refuses alone, prints inside a format
    ('number(1, "a $rU");', (1, [(1, "a bob", None)])), ("number(1, $var(n));", (1, [(1, "5", None)])),
    ("number(1, $rU);", (1, [(1, "bob", None)])), ("number(1, 22);", (1, [(1, "22", None)])),
    ("mark($var(none));", REFUSED), ('mark("$var(none)");', (1, ["<null>"])), ("mark($rU);", (1, ["bob"])),
    # optional ones, also left out in the middle
    ("number(1, $var(none));", (1, [(1, "none", None)])), ("number(1, , 3);", (1, [(1, "none", 3)])),
    ("number(1, \"x\", $var(none));", (1, [(1, "x", None)])), ("number(1, \"x\", $rU);", (1, [(1, "x", None)])),
    ("number(, \"x\");", REFUSED), ("number();", REFUSED), ("number(1, \"x\", 2, 3);", REFUSED),
    # any
    ("tell(5);", (1, [5])), ('tell("5");', (1, ["5"])), ("tell($var(n));", (1, [5])), ("tell($var(none));", REFUSED),
    # static, raw
    ('literal("$rU", "a $ru");', (1, [("$rU", "a $ru")])), ("literal(NAT, 5);", (1, [("NAT", "5")])),
    # re: no case, lines
    ('return($var(none));', (-1, [])),
    # parsed
    ("half(4);", (1, [4])), ('half("4");', (1, [4])), ('half("5");', REFUSED), ("half($var(n));", REFUSED),
    ('half("$var(n)0");', (1, [50])), ("half($var(none));", REFUSED), ('half("$rU");', REFUSED),
    # flag, route, variadic
    ('named(NAT, "F");', (1, [("NAT", "F")])), ('named("NAT", "x$var(n)");', (1, [("NAT", "x5")])),
    ("named(22, \"\");", (1, [("22", "")])), ("many();", (1, [()])),
    ('many("a", "$rU", $var(n));', (1, [("a", "bob", "5")])),
    ('many("a", $var(none));', REFUSED), ("nobody();", REFUSED),
]


@pytest.mark.parametrize(("body", "expected"), ARGUMENTS, ids=[case[0] for case in ARGUMENTS])
def test_arguments(body: str, expected: tuple[int, list[Any]]) -> None:
    assert run(f'$var(n) = 5; $var(s) = "5"; {body}') == expected


PATTERNS = [("^CD", "ok"), ("^cd$$", "ok"), ("b.c", "fail"), ("[^x]b$$", "ok"), ("$var(re)", "ok"),
    ("^$var(re)", "fail"),
            ("$var(bad)", "fail"), ("([", "fail")]


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_regular_expression_arguments(pattern: str, expected: str) -> None:
    body = f'$var(re) = "D"; $var(bad) = "("; if (search("{pattern}")) ok(); else fail();'
    assert run(body)[1] == [expected]


def test_refused_calls_in_conditions() -> None:
    assert run("if (number($var(none))) ok(); else fail();")[1] == ["fail"]
    assert run("if (!number($var(none))) ok(); else fail();")[1] == ["ok"]
    assert run("if (search($var(none))) ok(); else fail();")[1] == ["fail"]
    assert run("if (!search($var(none))) ok(); else fail();")[1] == ["ok"]
    assert run("if (mark($var(none))) ok(); else fail();")[1] == ["fail"]


def test_a_refused_call_is_logged_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    run("\n\nnumber($var(none));")
    assert "number" in caplog.text
    assert "test.cfg:4" in caplog.text


ROUTES: list[tuple[str, list[Any]]] = [
    ("route(A);", ["A"]), ('route("A");', ["A"]), ("route(5);", ["five"]), ('$var(r) = "A"; route($var(r));', ["A"]),
    ('$var(r) = 5; route($var(r));', ["five"]), ('$var(r) = "A"; route("$var(r)");', ["A"]),
    ('route("x_$rU");', ["x"]),
    ('$var(r) = "none"; if (route($var(r))) ok(); else fail();', ["fail"]),
    ('route(P, "a $rU", 2, $rU, null);', ["a $rU", 2, "bob"]),
    ('route(P, "1"); route(P);', ["1"]), ('route(Q, "out"); ', ["in", "out"]), ("route(N, 3, 2);", [2]),
]


@pytest.mark.parametrize(("body", "seen"), ROUTES, ids=[case[0] for case in ROUTES])
def test_route_calls(body: str, seen: list[Any]) -> None:
    assert run(body, 'route[A] { mark("A"); } route[5] { mark("five"); } route[x_bob] { mark("x"); } '
                     "route[P] { tell($param(1)); tell($param(2)); tell($param(3)); tell($param(4)); "
                     "tell($param(9)); }"
                     'route[Q] { route(P, "in"); tell($param(1)); } route[N] { tell($param($param(2))); }')[1] == seen


def test_return_values() -> None:
    routes = 'route[A] { return(1, "a", 2, $rU, null); } route[B] { return(1); }'
    assert run("route(A); tell($return(0)); tell($return(1)); tell($return(2)); tell($return(3)); tell($return(9)); "
               "route(B); tell($return(0));", routes)[1] == ["a", 2, "bob"]
