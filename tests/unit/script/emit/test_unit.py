"""What one program's emission shares."""

from __future__ import annotations

import pytest
from kit.words import Stage

from osip.script.emit.unit import Val
from osip.script.runtime import BARE, DUAL


@pytest.mark.parametrize(("kind", "form"), [("si", DUAL), ("i", BARE), ("lit", BARE), ("is", 0), ("s", 0), ("any", 0)])
def test_forms(kind: str, form: int) -> None:
    assert Val("x", kind).form == form


def test_runtime_names_are_bound() -> None:
    stage = Stage("route { }")
    space = stage.program.space
    assert space["_vars"] is stage.env.vars
    assert space["_config"] is stage.env.config
    assert all(callable(space[name]) for name in ("_text", "_avp", "_wait", "_note", "_eval"))
