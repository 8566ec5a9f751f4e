"""Loops and calls without an end."""
from __future__ import annotations

import pytest

LOOPS = [
    ("while (1) { $var(x) = 1; }", ["2:16 W611"]), ("while (true) xlog(\"a\");", ["2:16 W611"]),
    ("while (1) { $var(x) = 1; break; }", []), ("while (1) { if ($rm == \"X\") exit; }", []),
    ("while (1) { route(a); }", []), ("while (0) { $var(x) = 1; }", []),
    ("while ($var(x) < 3) { $var(y) = 1; }", ["2:16 W611"]), ("while ($var(x) < 3) { $var(x) = $var(x) + 1; }", []),
    ("while ($var(x) < 3) { if ($rm == \"X\") { $var(x) += 1; } }", []), ("while ($avp(l) != null) { $avp(l) = null; }", []),
    ("while ($avp(l) != null) { $avp(m) = null; }", ["2:16 W611"]), ("while ($(avp(l)[0]) != null) { $(avp(l)[0]) = null; }", []),
    ("while ($Ts < 3) { $var(x) = 1; }", []), ("while ($shv(x) < 3) { $var(x) = 1; }", []),
    ("while ($avp($var(n)) < 3) { $var(x) = 1; }", []), ("while ($var(x) < 3) { $avp($var(n)) = 1; }", []),
    ("while ($var(x) < $var(n)) { for ($var(x) in $(avp(l)[*])) $var(z) = 1; }", []),
    ("while ($var(x) = k_str(\"a\")) { $var(z) = 1; }", []),
]


@pytest.mark.parametrize("body, expected", LOOPS)
def test_loops(findings, body, expected):
    found = findings(f"route {{ {body} }} route[a] {{ exit; }}")
    assert [one for one in found if "W611" in one] == expected


CIRCLES = [
    ("route[a] { route(a); }", 1), ("route[a] { xlog(\"a\"); $var(x) = 1 + 2; route(b); } route[b] { ; route(\"a\"); }", 1),
    ("route[a] { if ($rm == \"X\") route(a); }", 0), ("route[a] { if ($rm == \"X\") exit; route(a); }", 0),
    ("route[a] { route(b); } route[b] { exit; }", 0), ("route[a] { { route(a); } }", 1), ("route[a] { $var(x) = k_str(\"a\"); route(a); }", 0),
    ("route[a] { k_str(\"a\"); route(a); }", 0), ("route[a] { route(\"$var(x)\"); }", 0), ("route[a] { route(b); } route[b] { route(c); } "
     "route[c] { route(b); }", 1), ("route[1] { route(1); } route[a] { route(1); }", 1),
]


@pytest.mark.parametrize("routes, count", CIRCLES)
def test_circles(findings, routes, count):
    found = findings(f"route {{ route(a); }} {routes}")
    assert len([one for one in found if "W612" in one]) == count, found
