"""Logs: levels, forms of lines, and what must never be written."""
from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from osip.core.run.config import Config
from osip.core.run.log import LEVELS, JsonLines, Lines, python_level, redact, set_up


@pytest.fixture(autouse=True)
def quiet_logger() -> Iterator[logging.Logger]:
    """Give the logger `osip` back as it was."""
    logger = logging.getLogger("osip")
    before = (logger.level, logger.propagate, list(logger.handlers))
    logger.handlers = []
    yield logger
    logger.setLevel(before[0])
    logger.propagate = before[1]
    logger.handlers = before[2]


@pytest.mark.parametrize(("level", "python"), [
    (-9, 60), (-3, 60), (-2, 50), (-1, 40), (0, 40), (1, 30), (2, 25), (3, 20), (4, 10), (9, 10)])
def test_levels(level: int, python: int) -> None:
    assert python_level(level) == python
    assert set(LEVELS) == {-3, -2, -1, 1, 2, 3, 4}


@pytest.mark.parametrize(("text", "shown"), [
    ("nothing here", "nothing here"), ("a=b c=d", "a=b c=d"),
    ('Digest username="a", nonce="n1", response="0123"', 'Digest username="a", nonce=***, response=***'),
    ("password=x y", "password=*** y"), ("PASSWD = x;y", "PASSWD=***;y"), ("ha1=0123", "ha1=***"),
    ("mysql://me:secret@db/osip", "mysql://me:***@db/osip"), ("http://host:80/x", "http://host:80/x"),
    ("redis://:secret@h/0", "redis://:***@h/0"), ("sip:alice@h;transport=tcp", "sip:alice@h;transport=tcp"),
])
def test_redact(text: str, shown: str) -> None:
    assert redact(text) == shown


def record(text: str, level: int = logging.WARNING, error: bool = False) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise ValueError("password=x")
        except ValueError as caught:
            info = (ValueError, caught, caught.__traceback__)
    return logging.LogRecord("osip.tm", level, "f", 1, text, (), info)


def test_text_lines() -> None:
    line = Lines("edge").format(record("words a=1 password=x"))
    assert " WARNING edge:osip.tm[" in line and line.endswith("] words a=1 password=***")
    assert "password=***" in Lines().format(record("x", error=True)) and "ValueError" in Lines().format(record("x",
        error=True))


@pytest.mark.parametrize("make", [Lines, JsonLines])
def test_nothing_passes_for_a_line_of_its_own_whatever_came_from_the_network(make: Any) -> None:
    line = make().format(record("call_id=a\r\n2026-01-01 ERROR forged\r\x1b[2Jx\x00"))
    assert all(part.startswith("\t") for part in line.split("\n")[1:])
    assert not set(line) & set("\r\x00\x1b") and "\x1b[31mred" in Lines().format(record("\x1b[31mred"))


def test_the_end_of_line_that_scripts_write_is_no_blank() -> None:
    assert Lines().format(record("hello\n")).endswith("] hello")


def test_json_lines() -> None:
    line = json.loads(JsonLines("edge").format(record('say "hi" \u00e4', error=True)))
    assert (line["level"], line["module"], line["message"]) == ("WARNING", "osip.tm", 'say "hi" \u00e4')
    assert "ValueError" in line["traceback"]
    json.loads(JsonLines().format(record("\udcff\ud800")).encode("utf-8"))


@pytest.mark.parametrize(("settings", "form", "longest"), [
    ({"log_msg_buf_size": 100}, "plain_text", 100), ({"log_json_buf_size": 200}, "json", 200)])
def test_lines_are_bounded(settings: dict[str, Any], form: str, longest: int) -> None:
    out = written({**settings, "stderror_log_format": form}, lambda log: log.error("x" * 100_000))
    assert 50 < len(out) <= longest + 1
    if form == "json":
        json.loads(out)


def written(settings: dict[str, Any], write: Any) -> str:
    config = Config()
    for name, value in settings.items():
        config.set(name, value)
    logger = set_up(config)
    stream = io.StringIO()
    for handler in logger.handlers:
        handler.setStream(stream)       # type: ignore[attr-defined]
    write(logging.getLogger("osip.tm"))
    return stream.getvalue()


@pytest.mark.parametrize(("settings", "levels"), [
    ({}, ["ALERT", "ERROR", "WARNING", "NOTICE"]), ({"log_level": 4}, ["ALERT", "ERROR", "WARNING", "NOTICE", "INFO",
        "DEBUG"]),
    ({"log_level": -3}, ["ALERT"]), ({"log_level": 4, "stderror_level_filter": -1}, ["ALERT", "ERROR"]),
    ({"stderror_enabled": 0}, []), ({"log_stderror": 0}, []), ({"debug_mode": 1}, ["ALERT", "ERROR", "WARNING",
        "NOTICE", "INFO", "DEBUG"])])
def test_what_is_written(settings: dict[str, Any], levels: list[str]) -> None:
    def write(log: logging.Logger) -> None:
        for level in (60, 40, 30, 25, 20, 10):
            log.log(level, "x")
    assert [line.split()[1] for line in written(settings, write).splitlines()] == levels


def test_setting_up_again_replaces_the_handlers() -> None:
    for _ in range(3):
        logger = set_up(Config())
    assert len(logger.handlers) == 1 and not logger.propagate


@pytest.mark.parametrize(("prefix", "shown"), [("", " osip.test["), ("edge1", " edge1:osip.test[")])
def test_log_prefix(prefix: str, shown: str, quiet_logger: logging.Logger) -> None:
    config = Config()
    config.set("log_prefix", prefix)
    set_up(config)
    out = quiet_logger.handlers[0].stream = io.StringIO()       # type: ignore[attr-defined]
    logging.getLogger("osip.test").warning("hello")
    assert shown in out.getvalue() and out.getvalue().endswith("] hello\n")
