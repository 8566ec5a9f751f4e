"""The module xlog of 1.x: its settings count."""
from __future__ import annotations

import pytest
from kit.script import ScriptBook

LINE = 'route { xlog("12345678901234567890"); $var(out) = $C(rg); }'


@pytest.mark.parametrize(("params", "said", "has_colour"), [
    ("", 1, False), ('modparam("xlog", "buf_size", 16)', 0, False), ('modparam("xlog", "force_color", 1)', 1, True)])
def test_settings(params: str, said: int, has_colour: bool) -> None:
    book = ScriptBook(f'stderror_enabled = no loadmodule "xlog.so" {params} {LINE}', "sl").recv("INVITE")
    assert book.said.count("12345678901234567890") == said
    assert bool(book.env.vars["out"]) is has_colour
