"""Check the variables of time."""
from __future__ import annotations

import time

import pytest
from kit.builtin import Words

NOW = 1785837600.5                                          # 2026-08-04 10:00:00 UTC


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Words:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    made = Words()
    made.env.wall = lambda: NOW                             # type: ignore[method-assign]
    made.env.started_at = 1000.9
    return made


@pytest.mark.parametrize(("name", "key", "value"), [
    ("Ts", None, 1785837600), ("Tsm", None, 500000), ("TS", None, 1000), ("Tf", None, "Tue Aug 04 10:00:00 2026"),
    ("time", "%Y-%m-%d %H:%M", "2026-08-04 10:00"), ("ctime", "sec", 0), ("ctime", "min", 0), ("ctime", "hour", 10),
    ("ctime", "mday", 4), ("ctime", "mon", 8), ("ctime", "year", 2026), ("ctime", "wday", 3), ("ctime", "yday", 216),
    ("ctime", "isdst", 0),
])
def test_read(words: Words, name: str, key: str | None, value: object) -> None:
    assert words.get(words.ctx(), name, key) == value


def test_field_names_are_checked(words: Words) -> None:
    with pytest.raises(ValueError):
        words.get(words.ctx(), "ctime", "nonsense")
