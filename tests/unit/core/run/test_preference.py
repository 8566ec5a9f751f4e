"""What scripts get for values of databases (the rest is tested with module sqlops)."""
from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from osip.core.run.preference import parse_urls, script_value


@pytest.mark.parametrize(("value", "shown"), [
    (None, None), ("x", "x"), (5, 5), (True, 1), (2 ** 40, 2 ** 40), (b"ab", "ab"), (1.5, "1.5"), (Decimal("7"), 7),
    (Decimal("7.5"), "7.5"), (date(2026, 1, 2), "2026-01-02"), (datetime(2026, 1, 1, tzinfo=UTC), 1767225600)])
def test_script_value(value: Any, shown: Any) -> None:
    assert script_value(value) == shown and type(script_value(value)) is type(shown)


def test_big_integers_as_texts() -> None:
    assert (script_value(2 ** 31, True), script_value(2 ** 31 - 1, True)) == ("2147483648", 2147483647)


def test_urls() -> None:
    assert parse_urls(["mysql://a", "3 sqlite:///b c"]) == {0: "mysql://a", 3: "sqlite:///b c"}
    with pytest.raises(ValueError):
        parse_urls(["1 a", "1 b"])
