"""The two forms of `switch`; what they do is tested in test_stmt.py."""

from __future__ import annotations

import pytest
from kit.words import Stage

FORMS = [
    ("case 1: ok(); break; case 2: fail(); break;", "chain"),
    ("case 1: exit; case 2: return(1); default: ok();", "chain"),
    ("case 1: case 2: ok(); break; default: fail();", "chain"), ("case 1: ok(); case 2: fail();", "fall"),
    ("case 1: if (ok()) break; fail(); break;", "fall"),
    ("case 1: while (ok()) { break; } break; case 2: ok();", "chain"),
]


@pytest.mark.parametrize(("cases", "form"), FORMS, ids=[case[0] for case in FORMS])
def test_form(cases: str, form: str) -> None:
    text = Stage(f"route {{ switch ($var(x)) {{ {cases} }} agree(); }}").source()
    assert ("while True:" in text) is (form == "fall")
