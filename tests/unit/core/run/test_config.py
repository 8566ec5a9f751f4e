"""Global parameters: their table and their values."""
from __future__ import annotations

from typing import Any

import pytest

from osip.core.run.config import BOOL, BY_NAME, INT, SETTINGS, TEXT, Config


@pytest.mark.parametrize("spec", SETTINGS, ids=lambda spec: spec.name)
def test_each_entry_is_sound(spec: Any) -> None:
    assert spec.kind in (INT, TEXT, BOOL)
    assert spec.doc or spec.inert
    if spec.default is not None:
        assert isinstance(spec.default, str if spec.kind == TEXT else int)
        assert spec.ge is None or spec.default >= spec.ge or spec.default in (0, -1)
        assert not spec.choices or spec.default in spec.choices
    assert hasattr(Config(), spec.name)


def test_no_name_is_there_twice() -> None:
    names = [name for spec in SETTINGS for name in (spec.name, *spec.aliases)]
    assert len(names) == len(set(names)) == len(BY_NAME)


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("log_level", 4, {"log_level": 4}), ("debug", 3, {"log_level": 3}), ("children", 2, {"udp_workers": 2}),
    ("log_stderror", 0, {"stderror_enabled": 0, "syslog_enabled": 1}),
    ("log_stderror", 1, {"stderror_enabled": 1, "syslog_enabled": 0}),
    ("debug_mode", 1, {"log_level": 4, "stderror_enabled": 1, "syslog_enabled": 0}), ("debug_mode", 0,
        {"log_level": 2})])
def test_setting(name: str, value: Any, expected: dict[str, Any]) -> None:
    config = Config()
    config.set(name, value)
    assert {key: getattr(config, key) for key in expected} == expected


def test_two_configs_share_nothing() -> None:
    one, two = Config(), Config()
    one.aliases.append((None, "h", None, False))
    one.argv["a"] = "b"
    assert not two.aliases and not two.argv
