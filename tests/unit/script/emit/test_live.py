"""Where codes are stored for `$rc`: where they may be read, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from kit.words import Stage, run

STORES = [
    # script, how often the emitted text stores a code
    ("route { ok(); agree(); }", 0),
    ("route { ok(); tell($rc); }", 1),
    ("route { fail(); ok(); tell($rc); }", 1),
    ('route { ok(); xlog("code $rc"); fail(); }', 1),
    ("route { if (ok()) fail(); tell($rc); }", 2),
    ("route { if (ok()) tell($rc); fail(); }", 1),
    ("route { if (!ok()) switch ($retcode) { case 1: fail(); } fail(); }", 1),
    ("route { ok(); route(A); } route[A] { tell($rc); }", 1),
    ("route { ok(); route(A); } route[A] { fail(); tell($rc); }", 1),
    ("route { ok(); route(A); } route[A] { route(B); } route[B] { tell($rc); }", 1),
    ("route { ok(); route(A); tell($rc); } route[A] { fail(); }", 1),
    ("route { while (ok()) { fail(); } tell($rc); }", 2),
    ("route { while (1) { tell($rc); fail(); } }", 1),
    ("route { ok(); if (fail()) exit; agree(); tell($rc); }", 1),
    ("route { ok(); return; tell($rc); }", 0),
    ("route { ok(); $var(x) = $rc; }", 1),
    ("route { if (ok() && $rc == 1) fail(); }", 1),
]


@pytest.mark.parametrize(("script", "stores"), STORES, ids=[case[0] for case in STORES])
def test_stores(script: str, stores: int) -> None:
    text = Stage(script).source()
    assert text.count("ctx.rc = ") + text.count("_note(") == stores, text


VALUES: list[tuple[str, str, list[Any]]] = [
    ("ok(); fail(); if ($rc == -1) tell($rc);", "", ["ok", "fail", -1]),
    ("give(5); route(A);", "route[A] { tell($rc); }", [5]),
    ("if (give(4)) route(A);", "route[A] { route(B); } route[B] { tell($rc); }", [4]),
    ('give(3); $var(r) = "A"; route($var(r));', "route[A] { tell($rc); }", [1]),
    ("give(3); while ($rc == 3) { tell($rc); give(2); } tell($rc);", "", [3, 2]),
    ("give(3); switch ($rc) { case 3: tell($rc); case 4: tell($rc); } tell($rc);", "", [3, 1, 1]),
    ("give(9); switch ($rc) { case 3: ok(); case 4: ok(); } tell($rc);", "", [1]),
    ("while (1) { give(6); break; } tell($rc);", "", [6]),
    ("while (1) { if (give(6)) break; } tell($rc);", "", [6]),
    ("if (give(2) && !give(-3)) { tell($rc); }", "", [-3]),
    ("if (fail() || { give(7); }) tell($rc);", "", ["fail", 7]),
    ("for ($var(i) in $(hdr(X-List)[*])) { tell($rc); give(8); }", "", [1, 8]),
    ("give(5); $var(f) = \"code $rc\"; give(6); mark(\"$(var(f){s.eval})\");", "", ["code 6"]),
]


@pytest.mark.parametrize(("body", "routes", "seen"), VALUES, ids=[case[0] for case in VALUES])
def test_what_is_read_is_what_was_stored(body: str, routes: str, seen: list[Any]) -> None:
    assert run(body, routes)[1] == seen
