"""The short way of lines into the log, beside that of `logging`; lines of a batch of messages."""
from __future__ import annotations

import io
import json
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kit.message import request

from osip.core.run import log
from osip.core.run.config import Config
from osip.core.run.log import EventLines, JournalLines, Lines, SystemLog, set_up
from osip.core.run.outlet import MOST_HELD, DirectLog, Hold
from osip.core.sip.message import parse

NOTICE = 25

pytestmark = pytest.mark.usefixtures("bare_logger")


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


@pytest.mark.parametrize("text", [*WORDS, 'a"b\\c\t\x01 \u2028'])
@pytest.mark.parametrize("settings", [{}, {"log_prefix": 'e"dge'}, {"log_json_buf_size": 300}])
def test_json_is_written_as_json_dumps_does(text: str, settings: dict[str, Any]) -> None:
    out = stream_of(set_up(config(stderror_log_format="json", **settings)))
    message = parse(request("INVITE", call_id='a"b'))
    DirectLog(logging.getLogger("osip.test")).write(NOTICE, text, "f", message)
    line = out.getvalue()
    values = json.loads(line)
    assert line == json.dumps(values, ensure_ascii=False) + "\n"
    assert list(values)[:5] == ["time", "level", "module", "pid", "message"]
    assert [values[key] for key in ("call_id", "method", "cseq")] == ['a"b', "INVITE", "1"]
    assert "log_json_buf_size" not in settings or len(line) <= 301


# --- lines of a batch ----------------------------------------------------------------------------------------------

class Writes(io.StringIO):
    """Keep what was written at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        self.parts.append(text)
        return super().write(text)


def held_log() -> tuple[DirectLog, Hold, Writes]:
    out = Writes()
    for handler in set_up(Config()).handlers:
        handler.setStream(out)      # type: ignore[attr-defined]
    direct = DirectLog(logging.getLogger("osip.test"))
    direct.hold = Hold()
    return direct, direct.hold, out


def ends(text: str) -> list[str]:
    return [line.rpartition("] ")[2] for line in text.splitlines()]


def test_lines_of_a_batch_leave_together_at_its_end() -> None:
    direct, hold, out = held_log()
    for name in ("a", "b"):
        hold.is_open = True
        direct.write(NOTICE, name + "1", "f")
        direct.write(NOTICE, name + "2", "f")
        assert not any(name in part for part in out.parts)
        hold.close()
    assert [ends(part) for part in out.parts] == [["a1", "a2"], ["b1", "b2"]]
    direct.write(NOTICE, "c", "f")                      # outside a batch: at once
    assert ends(out.parts[-1]) == ["c"] and not hold.outlets


def test_lines_of_a_batch_keep_their_order_with_others() -> None:
    direct, hold, out = held_log()
    hold.is_open = True
    direct.write(NOTICE, "1", "f")
    logging.getLogger("osip.test").warning("2")
    direct.write(NOTICE, "3", "f")
    assert ends(out.getvalue()) == ["1", "2"]
    hold.close()
    assert ends(out.getvalue()) == ["1", "2", "3"]


def test_no_batch_holds_more_than_so_many_lines() -> None:
    direct, hold, out = held_log()
    hold.is_open = True
    for number in range(2 * MOST_HELD + 1):
        direct.write(NOTICE, str(number), "f")
    assert [len(ends(part)) for part in out.parts] == [MOST_HELD, MOST_HELD]
    hold.close()
    assert ends(out.getvalue()) == [str(number) for number in range(2 * MOST_HELD + 1)]


def test_what_is_held_is_written_when_the_log_is_set_up_anew() -> None:
    direct, hold, out = held_log()
    hold.is_open = True
    direct.write(NOTICE, "1", "f")
    set_up(Config())
    assert ends(out.getvalue()) == ["1"]
    hold.close()
    assert ends(out.getvalue()) == ["1"]


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
