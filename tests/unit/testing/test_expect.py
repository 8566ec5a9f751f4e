"""Check what is taken for the same."""
from __future__ import annotations

import re
from typing import Any

import pytest

from osip.testing.expect import is_like


@pytest.mark.parametrize(("expected", "text", "same"), [
    ("a", "a", True), ("a", "ab", False), ("~b$", "ab", True), ("~^b", "ab", False), (re.compile("b"), "ab", True),
    (..., "x", True), (None, None, True), (None, "x", False), ("x", None, False), (..., None, False), (70, "70", True),
])
def test_is_like(expected: Any, text: str | None, same: bool) -> None:
    assert is_like(expected, text) is same
