"""Check lists of variables in texts."""
from __future__ import annotations

import pytest
from kit.builtin import Holder, Words

from osip.script.builtins.variable_text import avp_values, parse_variables


@pytest.mark.parametrize(("text", "items"), [
    ("$avp(a)", [("", "avp", "a")]), ("$(avp(s:a))", [("", "avp", "a")]),
    ("n=$var(b); $avp(i:5);", [("n", "var", "b"), ("", "avp", "5")]), ("", []),
])
def test_parse(text: str, items: list[tuple[str, str, str]]) -> None:
    assert parse_variables(text) == items


@pytest.mark.parametrize("text", ["$ru", "a", "$avp(a) $avp(b)", "$avp(a"])
def test_refuse(text: str) -> None:
    with pytest.raises(ValueError):
        parse_variables(text)


def test_avp_values() -> None:
    words = Words()
    ctx = words.ctx()
    words.set(ctx, "avp", 1, "x")
    words.set(ctx, "avp", 2, "x")
    assert avp_values(ctx, Holder("$avp(x)")) == [2, 1] and avp_values(ctx, Holder("$avp(y)")) == []
    assert avp_values(ctx, Holder("$var(x)", "v")) == ["v"] and avp_values(ctx, Holder("$var(x)")) == []
