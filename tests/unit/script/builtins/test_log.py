"""Check log lines and levels."""
from __future__ import annotations

import logging
from typing import Any

import pytest
from kit.builtin import Words

from osip.script.builtins.log import level_of


def log(words: Words) -> Any:
    return words.registry.instances["core_log"]


@pytest.mark.parametrize(("level", "number"), [
    ("L_ERR", -1), ("L_ALERT", -3), ("L_CRIT", -2), ("L_WARN", 1), ("L_NOTICE", 2), ("L_INFO", 3), ("L_DBG", 4),
    ("-1", -1), (9, 4), (-9, -3), (None, 2), ("??", 2),
])
def test_level_names(level: Any, number: int) -> None:
    assert level_of(level) == number


def test_xlog(caplog: pytest.LogCaptureFixture) -> None:
    words = Words()
    words.env.config.xlog_level = 3
    words.env.log.setLevel(logging.ERROR)           # the script's lines do not depend on the server's level
    try:
        assert log(words).xlog("L_INFO", "héllo\n") == 7 and log(words).xlog(4, "unseen") == 1
        assert log(words).xlog(None, "by default") == 10 and log(words).xlog(1, None) == 1
        assert log(words).xdbg("unseen") == 1
        assert log(words).xlog(1, "x" * 5000) == -1
    finally:
        words.env.log.setLevel(logging.NOTSET)
    assert [r.message for r in caplog.records if r.name == "osip.script"] == ["héllo", "by default", ""]
    assert [r.levelno for r in caplog.records if r.name == "osip.script"] == [20, 25, 30]


def test_log_and_error(caplog: pytest.LogCaptureFixture) -> None:
    words = Words()
    with caplog.at_level(logging.DEBUG, "osip"):
        assert log(words).log(1, "a\n") == 1 and log(words).error("b", "c") == 1
    assert [(r.levelno, r.message) for r in caplog.records] == [(30, "a"), (40, "error: b c")]


@pytest.mark.parametrize("name", ["log_level", "xlog_level"])
def test_levels(name: str) -> None:
    words = Words()
    ctx = words.ctx()
    old = words.get(ctx, name)
    assert words.set(ctx, name, 4) and words.get(ctx, name) == 4 and words.set(ctx, name, 99)
    assert words.get(ctx, name) == 4 and not words.set(ctx, name, "x")
    assert words.set(ctx, name, None) and words.get(ctx, name) == old
    words.env.log.setLevel(logging.NOTSET)


def test_colours() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.get(ctx, "C", "rx") == "\x1b[0;31;49m" and words.get(ctx, "C", "Gb") == "\x1b[1;32;44m"
    words.env.config.stderror_enabled = 0
    assert words.get(ctx, "C", "rx") == ""
    words.env.config.xlog_force_color = 1
    assert words.get(ctx, "C", "xx") == "\x1b[0;39;49m"
    with pytest.raises(ValueError):
        words.get(ctx, "C", "q!")
