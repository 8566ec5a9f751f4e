"""Names of AVPs in parameters."""
from __future__ import annotations

import pytest

from osip.core.run.variable import avp_name, avp_or_none


@pytest.mark.parametrize(("text", "name"), [("$avp(x)", "x"), (" $avp(x) ", "x"), ("$(avp(a b))", "a b"),
                                            ("$avp(s:x)", "x"), ("$avp(i:5)", "5")])
def test_name(text, name):
    assert avp_name(text) == name


@pytest.mark.parametrize(("text", "name"), [("$avp(x)", "x"), ("", ""), (" ", "")])
def test_name_or_none(text, name):
    assert avp_or_none(text) == name


@pytest.mark.parametrize("text", ["", "x", "$var(x)", "$avp()", "$avp(x", "$avp(x) "[1:]])
def test_none(text):
    with pytest.raises(ValueError, match="not an AVP"):
        avp_name(text)
    if text.strip():
        with pytest.raises(ValueError, match="not an AVP"):
            avp_or_none(text)
