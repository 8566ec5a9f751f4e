"""Assignments and variables by reference (dsl.md section 9.4, variables.md section 2)."""

from __future__ import annotations

from typing import Any

import pytest
from kit.words import Stage, run

PLAIN: list[tuple[str, Any]] = [
    ("$var(x) = 1;", 1), ('$var(x) = "a";', "a"), ("$var(x) = 1; $var(x) = null;", None), ("$var(x) := 2;", 2),
    ("$var(x) = 1; $var(x) := null;", None), ("$var(x) = 1; $var(x) = $var(none);", None),
    ("$var(x) = 1; $var(x) += 2;", 3), ("$var(x) = 7; $var(x) -= 2;", 5), ("$var(x) = 7; $var(x) *= 2;", 14),
    ("$var(x) = 7; $var(x) /= 2;", 3), ("$var(x) = 7; $var(x) %= 4;", 3), ("$var(x) = 7; $var(x) &= 4;", 4),
    ("$var(x) = 1; $var(x) |= 4;", 5), ("$var(x) = 5; $var(x) ^= 4;", 1), ("$var(x) = 1; $var(x) <<= 4;", 16),
    ("$var(x) = 16; $var(x) >>= 4;", 1), ('$var(x) = "a"; $var(x) += "b";', "ab"),
    ('$var(x) = "a"; $var(x) += 1;', "a"), ('$var(x) = "a"; $var(x) -= "b";', "a"), ("$var(x) += 1;", None),
    ("$var(x) = 1; $var(x) += $var(none);", 1), ('$var(x) = 1; $var(x) += "a";', 1), ("$var(x) = 1; $var(x) /= 0;", 1),
    ("$var(x) = 2147483647; $var(x) += 1;", -2147483648), ('$var(n) = "x"; $var($var(n)) = 4;', 4),
]


@pytest.mark.parametrize(("body", "value"), PLAIN, ids=[case[0] for case in PLAIN])
def test_var(body: str, value: Any) -> None:
    assert run(body + ' put($var(x), "");')[1] == [value]


AVP: list[tuple[str, list[Any] | None]] = [
    ("$avp(x) = 1; $avp(x) = 2;", [1, 2]), ("$avp(x) = 1; $avp(x) = 2; $avp(x) := 3;", [3]),
    ("$avp(x) = 1; $avp(x) = 2; $avp(x) = null;", [1]), ("$avp(x) = 1; $avp(x) = 2; $avp(x) := null;", []),
    ("$avp(x) = 1; $avp(x) = 2; $(avp(x)[0]) = 9;", [1, 9]), ("$avp(x) = 1; $avp(x) = 2; $(avp(x)[1]) = 9;", [9, 2]),
    ("$avp(x) = 1; $(avp(x)[5]) = 9;", [1]), ("$avp(x) = 1; $avp(x) = 2; $(avp(x)[1]) = null;", [2]),
    ("$avp(x) = 1; $avp(x) = 2; $(avp(x)[*]) = null;", []), ("$avp(x) = 1; $avp(x) = 2; $(avp(x)[*]) = 7;", [7]),
    ("$avp(x) = 1; $avp(x) = 2; $(avp(x)[append]) = 7;", [7, 1, 2]), ("$avp(x) = null;", None),
    ("$avp(x) = 1; $avp(x) += 4;", [1, 5]), ("$avp(x) = 1; $(avp(x)[0]) += 4;", [5]), ("$avp(i:x) = 1;", [1]),
    ('$var(n) = "x"; $avp($var(n)) = 1;', [1]),
    ("$var(i) = 1; $avp(x) = 1; $avp(x) = 2; $(avp(x)[$var(i)]) = 8;", [8, 2]),
    ('$avp(x) = 1; $(avp(x)[$var(none)]) = 8;', [1]), ('$avp(x) = 1 + "a";', None), ('$avp(x) := 1 + "a";', None),
]


@pytest.mark.parametrize(("body", "values"), AVP, ids=[case[0] for case in AVP])
def test_avp(body: str, values: list[Any] | None) -> None:
    stage = Stage(f"route {{ {body} }}")
    ctx = stage.ctx()
    stage.run(ctx)
    assert (ctx.avps or {}).get("x") == values


BOX: list[tuple[str, list[Any], int]] = [
    ("$box(a) = 1;", [("a", None, 1)], 1), ("$(box(a)[2]) = 1;", [("a", 2, 1)], 1),
    ("$box(a) := 1;", [("a", "*", 1)], 1),
    ("$(box(a)[append]) = 1;", [("a", "append", 1)], 1), ("$box(locked) = 1;", [("locked", None, 1)], -1),
    ("$box(a) = null;", [], -1), ("$box(a) = $var(none);", [], -1), ('$box(a) += "x";', [("a", None, "a:Nonex")], 1),
    ('$box(a) = 1 + "a";', [], -1), ("$box($var(none)) = 1;", [], -1), ("$(box(a)[$var(none)]) = 1;", [], -1),
    ("$status = 1;", [], -1), ("$nothing = 1;", [], -1), ('$rU = "eve";', [], 1), ("$rU = null;", [], 1),
]


@pytest.mark.parametrize(("body", "seen", "code"), BOX, ids=[case[0] for case in BOX])
def test_setters(body: str, seen: list[Any], code: int) -> None:
    assert run(body) == (code, seen)


REFERENCE: list[tuple[str, list[Any]]] = [
    ('put($var(x), "v"); tell($var(x));', [None, "v"]), ('put($avp(x), "v"); tell($avp(x));', [None, "v"]),
    ('put("$avp(x)", "v"); tell($avp(x));', [None, "v"]), ('put("$(avp(x)[0])", "v");', [None]),
    ('put($rU, "eve"); tell($rU);', ["bob", "eve"]), ('if (put($status, "v")) ok(); else fail();', [200, "fail"]),
    ('if (put("text", "v")) ok(); else fail();', ["fail"]), ('put($box(k), "v");', ["k:None", ("k", None, "v")]),
]


@pytest.mark.parametrize(("body", "seen"), REFERENCE, ids=[case[0] for case in REFERENCE])
def test_references(body: str, seen: list[Any]) -> None:
    assert run(body)[1] == seen


def test_var_outlives_the_message() -> None:
    stage = Stage("route { $var(n) += 1; if ($var(n) == null) $var(n) = 1; tell($var(n)); }")
    for _ in range(3):
        stage.run()
    assert stage.seen == [1, 2, 3]
