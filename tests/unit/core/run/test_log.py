"""Logs: levels, forms of lines, and what must never be written."""
from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from kit.message import request
from kit.playbook import make_worker
from kit.script import ScriptBook

from osip.core.net.endpoint import LocalSocket, Source
from osip.core.run.config import Config
from osip.core.run.ctx import Ctx
from osip.core.run.log import (
    LEVELS,
    CeeLines,
    EventLines,
    JournalLines,
    JsonLines,
    Lines,
    is_journal,
    origin_of,
    python_level,
    redact,
    set_up,
    show_functions,
)
from osip.core.run.place import FILES
from osip.core.sip.message import parse

pytestmark = pytest.mark.usefixtures("bare_logger")


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
    ('{"password": "a b", "n": 1}', '{"password":***, "n": 1}'), ("api_key: k1", "api_key:***"), ("cnonce=1;x=2", "cnonce=***;x=2"),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"), ("basic functionality", "basic functionality"),
    ("proxy-authorization:  bearer abcdef.ghi-j", "proxy-authorization:  bearer ***"), ("a Bearer abcdefgh", "a Bearer ***"),
    ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20",
     "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20"), ("a=ice-pwd:asd88fgpdd777uzj", "a=ice-pwd:***"),
    ("response: 200", "response: 200"), ("the secret of it", "the secret of it"),
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
    ({"stderror_enabled": 0}, []), ({"debug_mode": 1}, ["ALERT", "ERROR", "WARNING",
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
def test_log_prefix(prefix: str, shown: str, bare_logger: logging.Logger) -> None:
    config = Config()
    config.set("log_prefix", prefix)
    set_up(config)
    out = bare_logger.handlers[0].stream = io.StringIO()       # type: ignore[attr-defined]
    logging.getLogger("osip.test").warning("hello")
    assert shown in out.getvalue() and out.getvalue().endswith("] hello\n")


# --- what a line is about ------------------------------------------------------------------------------------------

class Shown(logging.Handler):
    """Keep lines in a form, as a server would write them."""

    def __init__(self, form: logging.Formatter) -> None:
        super().__init__(1)
        self.setFormatter(form)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def shown(form: logging.Formatter, script: str) -> tuple[ScriptBook, list[str]]:
    book = ScriptBook(script, "sl", "sipmsgops", "cfgutils", "tm", log_level=4)
    handler = Shown(form)
    logging.getLogger("osip").addHandler(handler)
    return book, handler.lines


def test_lines_of_scripts_say_call_and_place() -> None:
    book, lines = shown(Lines(), "route { xlog(\"one\");\nxlog(\"two\"); }\ntimer_route[tick, 1] { xlog(\"tick\"); }")
    book.recv("OPTIONS", call_id="abc@host")
    assert [line.partition("osip.script")[2].partition(" ")[2] for line in lines] == \
        ["call_id=abc@host at=book.cfg:1] one", "call_id=abc@host at=book.cfg:2] two"]
    book.advance(1.5)
    assert lines[-1].endswith(" at=book.cfg:3] tick") and "call_id" not in lines[-1]


def test_lines_of_modules_say_what_they_are_about() -> None:
    book, lines = shown(JsonLines(), 'route {\n  rand_set_prob("900"); setdebug(4); }')
    book.recv("OPTIONS", call_id="abc", cseq=7)
    found = [json.loads(line) for line in lines]
    assert found, "the module said nothing"
    assert all((line["call_id"], line["file"], line["line"], line["method"], line["cseq"])
               == ("abc", "book.cfg", 2, "OPTIONS", "7") for line in found)


async def test_lines_behind_a_wait_are_still_about_their_call() -> None:
    import asyncio
    book, lines = shown(Lines(), 'route {\n async(usleep(1000), LATER); }\nroute[LATER] {\n xlog("later"); }')
    book.recv("OPTIONS", call_id="slow")
    book.recv("OPTIONS", call_id="other", branch="z9hG4bK-2")
    async with asyncio.timeout(5):
        while sum(line.endswith("later") for line in lines) < 2:
            await asyncio.sleep(0.002)
    places = [line.partition("call_id=")[2] for line in lines if line.endswith("later")]
    assert places == ["slow at=book.cfg:4] later", "other at=book.cfg:4] later"]


def test_a_message_without_a_script_is_named_too() -> None:
    worker, _, _ = make_worker(())
    ctx = Ctx(worker.env, parse(request("INVITE", call_id="x" * 500)), Source(LocalSocket("udp", "::1", 1), "::1", 1))
    one = origin_of(record("words"))
    assert one.ctx is ctx and one.call_id == "x" * 128 and not one.file and one.at == "" and one.route == ""
    assert one.method == "INVITE"


def test_a_call_id_cannot_break_a_line() -> None:
    worker, _, _ = make_worker(())
    ctx = Ctx(worker.env, parse(request("INVITE").replace(b"call-1", b"a\x01]\xc3\xa4\xffz")), None)
    assert origin_of(record("words")).call_id == "a??\u00e4?z"
    ctx.msg = parse(request("INVITE").replace(b"Call-ID", b"X-ID"))
    assert origin_of(record("words")).call_id == "?"


def test_nothing_runs() -> None:
    one = origin_of(record("words"))
    assert one.ctx is None and (one.call_id, one.at, one.method, one.cseq, one.route) == ("", "", "", "", "")
    assert "call_id" not in Lines().format(record("x")) and "call_id" not in JsonLines().format(record("x"))


def test_places_in_included_files() -> None:
    space: dict[str, Any] = {FILES: ("a.cfg", "/x/b.cfg"), "ask": lambda: origin_of(record("x"))}
    found = eval(compile("\n\nask()", "a.cfg", "eval"), space)
    assert (found.file, found.line, found.at) == ("a.cfg", 3, "a.cfg:3")


@pytest.mark.parametrize(("form", "cls"), [("plain_text", Lines), ("json", JsonLines), ("json_cee", CeeLines)])
def test_forms(form: str, cls: type, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(_formatter({"stderror_log_format": form})) is cls
    monkeypatch.setenv("OSIP_LOG_FORMAT", "json")
    assert type(_formatter({"stderror_log_format": form})) is (JsonLines if form == "plain_text" else cls)
    monkeypatch.setenv("OSIP_LOG_FORMAT", "text")
    assert type(_formatter({"stderror_log_format": form})) is cls


def _formatter(settings: dict[str, Any]) -> Any:
    config = Config()
    for name, value in settings.items():
        config.set(name, value)
    return set_up(config).handlers[0].formatter


def test_json_has_prefix_worker_and_cookie() -> None:
    text = CeeLines("edge", (), 4096, "w2").format(record("hello"))
    line = json.loads(text.removeprefix("@cee: "))
    assert text.startswith("@cee: ") and (line["prefix"], line["worker"]) == ("edge", "w2")


@pytest.mark.parametrize(("level", "mark"), [(60, "<1>"), (50, "<2>"), (40, "<3>"), (30, "<4>"), (25, "<5>"), (20, "<6>"),
                                             (10, "<7>")])
def test_the_journal_gets_priorities(level: int, mark: str) -> None:
    lines = JournalLines(Lines()).format(record("one\ntwo", level)).split("\n")
    assert len(lines) == 2 and all(line.startswith(mark) for line in lines)


def test_who_reads_standard_error(tmp_path: Any) -> None:
    with open(tmp_path / "x", "w") as stream:
        status = (tmp_path / "x").stat()
        assert is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": "1:2"}) and not is_journal(stream, {})
    assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


def test_functions_are_looked_for_only_when_they_are_shown() -> None:
    lines: list[dict[str, object]] = []
    logger = logging.getLogger("osip.functions")
    logger.handlers, logger.propagate = [EventLines(lines.append)], False
    try:
        for wanted in (True, False):
            show_functions(wanted)
            logger.error("x")
    finally:
        show_functions(True)
        logger.handlers = []
    assert [line["function"] for line in lines] == [
        "test_functions_are_looked_for_only_when_they_are_shown", "(unknown function)"]
