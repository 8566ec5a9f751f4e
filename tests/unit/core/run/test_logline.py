"""Texts of log lines: the compiled tests of a text, and the short way into the log beside that of `logging`."""
from __future__ import annotations

import io
import json
import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.message import request
from kit.script import ScriptBook

from osip.core.run import log
from osip.core.run.config import Config
from osip.core.run.log import EventLines, JournalLines, Lines, SystemLog, set_up
from osip.core.run.logline import (
    _HINTS,
    DirectLog,
    Origin,
    _is_plain,
    _may_tell,
    find_origin,
    is_plain,
    may_tell,
    redact,
    safe,
)
from osip.core.sip.message import parse

NOTICE = 25

pytestmark = pytest.mark.usefixtures("bare_logger")


# --- what is asked of a text ---------------------------------------------------------------------------------------

def texts() -> Iterator[str]:
    """Texts on both sides of every decision: each hint, cut, in other letters, at either end; odd characters."""
    yield from ("", " ", "~", "plain words", "\x7f", "\x1f", "a\nb", "\u00e4", "\u20ac", "\udcff", "\x11")
    for hint in _HINTS:
        for text in (hint, hint.upper(), hint.title(), hint[:-1], hint[1:], hint[:2] + " " + hint[2:]):
            yield from (text, "x" + text, text + "x", text[:1] + text)
    for length in range(20):
        for at in range(length):
            for odd in ("\x00", "\x1f", "\x7f", " ", "~", "\x80"):
                yield "x" * at + odd + "x" * (length - at - 1)
                yield "\x20" * at + odd + "\x7e" * (length - at - 1)
    chance = random.Random(7)
    letters = "".join(sorted(set("".join(_HINTS)))) + "RPX[ \x11"
    for _ in range(3000):
        yield "".join(chance.choices(letters, k=chance.randrange(12)))


def test_the_quick_tests_agree_with_the_plain_ones() -> None:
    for text in texts():
        assert bool(is_plain(text)) == _is_plain(text), text
        assert bool(may_tell(text)) == _may_tell(text), text


def test_what_is_plain_stays() -> None:
    assert safe("a b") == "a b" and safe("a\r\nb\x00") == "a\n\tb\\x00" and redact("Password: abc") == "Password:***"


# --- what a line is about ------------------------------------------------------------------------------------------

def test_a_line_is_about_the_message_that_is_named() -> None:
    one = find_origin(parse(request("INVITE", call_id="abc")))
    assert (one.call_id, one.method, one.cseq, one.at, one.route, one.ctx) == ("abc", "INVITE", "1", "", "", None)
    assert Origin().call_id == "" and Origin(None, "/x/a.cfg", 3).at == "a.cfg:3"


@pytest.mark.parametrize(("call_id", "shown"), [
    ("a b", "a?b"), ("a[b]", "a?b?"), ("x" * 129, "x" * 128), ("a\\b", "a\\b"), ("", "")])
def test_a_call_id_breaks_no_line(call_id: str, shown: str) -> None:
    class Named:
        pass
    named: Any = Named()
    named.call_id = call_id
    assert find_origin(named).call_id == shown


def test_a_route_that_runs_says_more_than_the_message() -> None:
    book = ScriptBook('route {\n xlog("here\\n"); }', "sl")
    out = stream_of(set_up(Config()))
    book.recv("OPTIONS", call_id="abc")
    assert out.getvalue().endswith(" call_id=abc at=book.cfg:2] here\n")


# --- the short way -------------------------------------------------------------------------------------------------

def config(**settings: Any) -> Config:
    made = Config()
    for name, value in settings.items():
        made.set(name, value)
    return made


def stream_of(logger: logging.Logger) -> io.StringIO:
    out = io.StringIO()
    for handler in logger.handlers:
        handler.setStream(out)      # type: ignore[attr-defined]
    return out


WORDS = ("hello", "password=x y", "two\nlines", "caf\u00e9 \udcff", "x" * 9000, 'say "%s"')


@pytest.mark.parametrize("text", WORDS)
@pytest.mark.parametrize("settings", [{}, {"log_prefix": "edge"}, {"stderror_log_format": "json"},
                                      {"stderror_log_format": "json_cee", "log_prefix": "e"}])
@pytest.mark.parametrize("for_journal", [False, True])
def test_both_ways_write_the_same(text: str, settings: dict[str, Any], for_journal: bool,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.4567)
    logger = set_up(config(**settings))
    if for_journal:
        form = logger.handlers[0].formatter
        assert isinstance(form, Lines)
        logger.handlers[0].setFormatter(JournalLines(form))
    out = stream_of(logger)
    mine = logging.getLogger("osip.test")
    DirectLog(mine).write(NOTICE, text, "f")
    direct = out.getvalue()
    out.truncate(0)
    out.seek(0)
    mine.log(NOTICE, "%s", text)
    assert direct == out.getvalue() and direct


class Gathered(logging.Handler):
    """Keep records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.mark.parametrize("name", ["osip", "osip.test"])
def test_who_else_listens_gets_a_record(name: str) -> None:
    out, more = stream_of(set_up(Config())), Gathered()
    logging.getLogger(name).addHandler(more)
    try:
        DirectLog(logging.getLogger("osip.test")).write(NOTICE, "100 %s", "f", parse(request("INVITE", call_id="abc")))
    finally:
        logging.getLogger(name).removeHandler(more)
    record, = more.records
    assert (record.getMessage(), record.levelno, record.name, record.funcName) == ("100 %s", NOTICE, "osip.test", "f")
    assert log.origin_of(record).call_id == "abc" and " call_id=abc] 100 %s\n" in out.getvalue()


def test_before_the_log_is_set_up_lines_go_the_usual_way(bare_logger: logging.Logger,
                                                         caplog: pytest.LogCaptureFixture) -> None:
    bare_logger.propagate = True
    bare_logger.setLevel(NOTICE)
    DirectLog(logging.getLogger("osip.test")).write(NOTICE, "x", "f")
    bare_logger.propagate = False
    DirectLog(logging.getLogger("osip.test")).write(NOTICE, "y", "f")
    assert [record.getMessage() for record in caplog.records] == ["x"]


def test_events_are_told_of_lines() -> None:
    lines: list[dict[str, Any]] = []
    set_up(Config()).addHandler(EventLines(lines.append))
    DirectLog(logging.getLogger("osip.test")).write(NOTICE, "x", "f")
    assert [(line["message"], line["function"], line["level"]) for line in lines] == [("x", "f", 2)]


def test_filters_are_asked() -> None:
    logger = set_up(Config())
    out = stream_of(logger)
    logger.handlers[0].addFilter(lambda record: record.getMessage() != "x")
    direct = DirectLog(logging.getLogger("osip.test"))
    for text in ("x", "y"):
        direct.write(NOTICE, text, "f")
    assert "] y\n" in out.getvalue() and "] x\n" not in out.getvalue()


@pytest.mark.parametrize(("settings", "enabled", "written"), [
    ({}, True, True), ({"log_level": -1}, False, True), ({"stderror_level_filter": 1}, True, False)])
def test_levels(settings: dict[str, Any], enabled: bool, written: bool) -> None:
    out = stream_of(set_up(config(**settings)))
    direct = DirectLog(logging.getLogger("osip.test"))
    assert direct.is_enabled(NOTICE) is enabled
    direct.write(NOTICE, "x", "f")
    assert bool(out.getvalue()) is written


def test_a_stream_that_fails_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    out = stream_of(set_up(Config()))
    out.close()
    DirectLog(logging.getLogger("osip.test")).write(NOTICE, "x", "f")
    assert "closed file" in capsys.readouterr().err


def test_syslog_gets_the_same_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.4567)
    monkeypatch.setattr(log, "SYSLOG", str(tmp_path / "log"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system:
        system.bind(str(tmp_path / "log"))
        logger = set_up(config(stderror_enabled=0, syslog_enabled=1, syslog_name="edge"))
        handler, = logger.handlers
        assert isinstance(handler, SystemLog)
        mine = logging.getLogger("osip.test")
        DirectLog(mine).write(NOTICE, "x", "f")
        mine.log(NOTICE, "x")
        system.settimeout(5)
        one, other = system.recv(9000), system.recv(9000)
        assert one == other and one.startswith(b"<29>edge: 2023-11-") and one.endswith(b"] x\0")
        direct = DirectLog(mine)
        direct.facility = "LOG_LOCAL0"
        direct.write(NOTICE, "x", "f")
        mine.log(NOTICE, "x")
        more = Gathered()
        logger.addHandler(more)                         # so that records are made
        direct.write(NOTICE, "x", "f")
        logger.removeHandler(more)
        assert [system.recv(9000) for _ in range(3)] == [b"<133>" + one[4:], one, b"<133>" + one[4:]]
        handler.close()
    DirectLog(mine).write(NOTICE, "nobody listens", "f")


def test_threads_do_not_mix_lines() -> None:
    out = stream_of(set_up(config(stderror_log_format="json")))
    direct = DirectLog(logging.getLogger("osip.test"))

    def write() -> None:
        for _ in range(50):
            direct.write(NOTICE, "x" * 200, "f")
    workers = [threading.Thread(target=write) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert [json.loads(line)["message"] for line in out.getvalue().splitlines()] == ["x" * 200] * 200
