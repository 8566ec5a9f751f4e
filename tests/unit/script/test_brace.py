"""The block that lost its end, by the look of the text."""
from __future__ import annotations

import pytest

from osip.script.brace import indent
from osip.script.parse import parse
from osip.script.source import Source


@pytest.mark.parametrize(("text", "far"), [("a", 0), ("  a", 2), ("\ta", 8), ("x\n   a b", 3), (" \t a", 9)])
def test_indent(text: str, far: int) -> None:
    assert indent(text, text.index("a")) == far


@pytest.mark.parametrize(("text", "line"), [
    ("route {\n  if ($x) {\n    f();\n  g();\n}\n", 2),
    ("route {\n  if ($x) {\n    while ($y) {\n      f();\n  }\n}\n", 3),
    ("route {\n  f();\n", 1),
])
def test_the_brace_that_is_blamed(text: str, line: int) -> None:
    _, found = parse(Source.from_text(text))
    assert [one.message for one in found] == [f'"}}" missing: block opened at line {line}']
