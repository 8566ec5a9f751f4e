"""Where a script names variables."""
from __future__ import annotations

import pytest

from osip.script.check.reference import references
from osip.script.check.unit import Unit
from osip.script.parse import parse
from osip.script.source import Source


@pytest.mark.parametrize("body, expected", [
    ("$var(x) = $ru;", ["var=", "ru"]),
    ("for ($var(i) in $(avp(x)[*])) ;", ["var=", "avp"]),
    ("$var(x) = $(avp($var(k))[$var(i)]{s.select,$var(n),@});", ["var=", "avp", "var", "var", "var"]),
    ('xlog("$(var(l))", "a $ru $rm");', ["ru", "rm", "var"]),
    ('k_str("a $ru"); k_static("a $ru"); k_raw("$ru");', ["ru"]),
    ('k_var("$avp(x)");', ["avp"]),
    ('launch(k_str("a"), X, "for $ru"); route("x_$rm");', ["ru", "rm"]),
    ('$var(x) = "a $ru"; if ($rm =~ "$ru") exit;', ["var=", "rm"]),
])
def test_references(vocabulary, body, expected):
    unit = Unit(parse(Source.from_text(f"route {{ {body} }}\n"))[0], vocabulary)
    assert [ref.var.name + "=" * ref.writes for ref in references(unit)] == expected
