"""Set the logs up: levels as in OpenSIPS, lines as text or JSON, to standard error and syslog.

A line that is written while a message runs through the script says which call and which line of the script it is
about. Nothing is kept up to date for that: both are read off the stack when, and only when, a line is written.
"""
from __future__ import annotations

import logging
import logging.handlers
import os
import socket
import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, ClassVar

from osip.core.run.config import Config
from osip.core.run.logline import MIN_SECRET, Form, JournalForm, JsonForm, Origin, find_origin, redact, safe
from osip.core.run.outlet import Outlet

__all__ = ["MIN_SECRET", "Origin", "redact", "safe"]

LEVELS = {-3: "ALERT", -2: "CRITICAL", -1: "ERROR", 1: "WARNING", 2: "NOTICE", 3: "INFO", 4: "DEBUG"}
_PYTHON = {-3: 60, -2: logging.CRITICAL, -1: logging.ERROR, 0: logging.ERROR, 1: logging.WARNING, 2: 25,
           3: logging.INFO, 4: logging.DEBUG}
ALERT, NOTICE = 60, 25
_SOURCE = logging._srcfile      # what `logging` itself is: how it tells its callers from its own functions


def python_level(level: int) -> int:
    """Return the level of `logging` for one of OpenSIPS (-3 alert to 4 debug)."""
    return _PYTHON[max(-3, min(4, level))]


def origin_of(record: logging.LogRecord) -> Origin:
    """Say what a line is about; asked while the line is being written, in the thread that writes it."""
    found: Origin | None = getattr(record, "osip_origin", None)
    if found is None:
        found = record.osip_origin = find_origin()
    return found


class Lines(logging.Formatter):
    """`key=value` text: time, level, logger, words; without its traceback at most `longest` characters."""

    def __init__(self, prefix: str = "", secrets: Iterable[str] = (), longest: int = 4096, worker: str = "") -> None:
        super().__init__()
        self.form = self._form(prefix, secrets, longest, worker)

    def _form(self, prefix: str, secrets: Iterable[str], longest: int, worker: str) -> Form:
        return Form(prefix, secrets, longest, worker)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return self.form.line(record.created, record.levelno, record.levelname, record.name, record.getMessage(),
                              origin_of(record), self.formatException(record.exc_info) if record.exc_info else "")


class JsonLines(Lines):
    """One JSON object a line."""

    def _form(self, prefix: str, secrets: Iterable[str], longest: int, worker: str) -> Form:
        return JsonForm(prefix, secrets, longest, worker, "")


class CeeLines(Lines):
    """JSON behind the cookie by which syslog servers know it (`json_cee`)."""

    def _form(self, prefix: str, secrets: Iterable[str], longest: int, worker: str) -> Form:
        return JsonForm(prefix, secrets, longest, worker, "@cee: ")


class JournalLines(Lines):
    """Put the priority of syslog before each line, as the journal reads it from standard error: `<4>`."""

    def __init__(self, inner: Lines) -> None:
        super().__init__()
        marks = {_PYTHON[level]: f"<{PRIORITIES[level]}>" for level in (-3, -2, -1, 1, 2, 3)}
        self.form = JournalForm(inner.form, marks | {0: f"<{PRIORITIES[4]}>"})


PRIORITIES = {-3: 1, -2: 2, -1: 3, 1: 4, 2: 5, 3: 6, 4: 7}
"""Level of the script -> priority of syslog (RFC 5424)."""


SYSLOG = "/dev/log"
"""Where the system's log listens."""


def is_journal(stream: Any, env: dict[str, str] | None = None) -> bool:
    """Say whether a stream leads to the system's journal: JOURNAL_STREAM names its device and inode."""
    named = (os.environ if env is None else env).get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return named == f"{status.st_dev}:{status.st_ino}"


class EventLines(logging.Handler):
    """Hand lines to `tell` as the parameters of E_CORE_LOG; what `tell` logs itself is left out."""

    def __init__(self, tell: Callable[[dict[str, Any]], object]) -> None:
        super().__init__()
        self._tell, self._is_telling = tell, False

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one line."""
        if self._is_telling:
            return
        self._is_telling = True
        try:
            self._tell({"time": record.created, "pid": os.getpid(), "level": script_level(record.levelno),
                        "module": record.name, "function": record.funcName, "message": safe(record.getMessage())})
        finally:
            self._is_telling = False


def script_level(level: int) -> int:
    """Return the level of OpenSIPS (-3 alert to 4 debug) for one of `logging`."""
    return next((number for number in (-3, -2, -1, 1, 2, 3) if level >= _PYTHON[number]), 4)


def show_functions(wanted: bool) -> None:
    """Let records know which function wrote them: a walk over the stack for each line, which only E_CORE_LOG needs."""
    logging._srcfile = _SOURCE if wanted else None


def set_up(config: Config) -> logging.Logger:
    """Point the logger `osip` at what the script asks for; return it. Call again after a reload."""
    logging.addLevelName(ALERT, "ALERT")
    logging.addLevelName(NOTICE, "NOTICE")
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False      # no form of lines shows them
    show_functions(bool(config.log_event_enabled))
    logger = logging.getLogger("osip")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = False
    logger.setLevel(python_level(config.log_level))
    syslog = _syslog(config) if config.syslog_enabled else None
    is_lost = bool(config.syslog_enabled) and syslog is None
    if config.stderror_enabled or is_lost:
        _add(logger, ErrorLog(), config, config.stderror_log_format, config.stderror_level_filter,
             is_journal(sys.stderr))
    if syslog is not None:
        _add(logger, syslog, config, config.syslog_log_format, config.syslog_level_filter)
    if is_lost:
        logger.warning("syslog_enabled: nothing listens at %s, lines go to standard error", SYSLOG)
    return logger


class _Taker(logging.Handler):
    """What also takes finished lines, through its `outlet`."""

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """Take a formatter, and its form if it has one."""
        super().setFormatter(fmt)
        self.outlet.form = getattr(fmt, "form", None)

    @cached_property
    def outlet(self) -> Outlet:
        """The way of finished lines into this handler."""
        return Outlet(self)

    def failed(self, line: str) -> None:
        """Say that a finished line could not be written, as `logging` does for a record."""
        self.handleError(logging.makeLogRecord({"msg": "%s", "args": (line,)}))


class ErrorLog(_Taker, logging.StreamHandler):      # type: ignore[type-arg]
    """Write to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record, behind those that were held back."""
        self.outlet.flush()
        super().emit(record)

    def close(self) -> None:
        """Write what was held back, and take leave of `logging`."""
        self.outlet.flush()
        super().close()


class _Finished(logging.LogRecord):
    """What SystemLog sends of a line that is finished."""

    def __init__(self, line: str, word: str, facility: str) -> None:
        self.line, self.levelname, self.osip_facility = line, word, facility


class SystemLog(_Taker, logging.handlers.SysLogHandler):
    """Write to the system's log; what it does not take is lost, and not told line by line on standard error."""
    priority_map: ClassVar[dict[str, str]] = {**logging.handlers.SysLogHandler.priority_map, "NOTICE": "notice",
                                              "ALERT": "alert"}

    def send(self, line: str, word: str, facility: str) -> None:
        """Send a finished line."""
        self.emit(_Finished(line, word, facility))

    def emit(self, record: logging.LogRecord) -> None:
        """Send the line of a record, under the facility that it names if it names one."""
        usual = self.facility
        self.facility = _facility(getattr(record, "osip_facility", ""), usual)
        try:
            super().emit(record)                        # whoever calls this holds the lock of the handler
        finally:
            self.facility = usual

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, or the one that is finished."""
        return record.line if isinstance(record, _Finished) else super().format(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Let it be."""


def _syslog(config: Config) -> logging.Handler | None:
    """Return what writes to the system's log; None when nothing listens there, as in most containers."""
    if not _listens(SYSLOG):
        return None
    handler = SystemLog(SYSLOG, _facility(str(config.syslog_facility), SystemLog.LOG_DAEMON))
    handler.ident = f"{config.syslog_name or 'osip'}: "
    return handler


def _facility(name: str, usual: int) -> int:
    """Return the number of a facility by its name in scripts (`LOG_LOCAL0`), `usual` without one."""
    return SystemLog.facility_names.get(name.removeprefix("LOG_").lower(), usual)


def _listens(path: str) -> bool:
    """Say whether something listens at a socket of the file system, for datagrams or a stream."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_UNIX, kind) as probe:
            if probe.connect_ex(path) == 0:
                return True
    return False


FORMS = {"plain_text": Lines, "text": Lines, "json": JsonLines, "json_cee": CeeLines}
"""Form of lines -> what makes them; `text` is how OSIP_LOG_FORMAT may call plain_text."""


def _add(logger: logging.Logger, handler: logging.Handler, config: Config, form: str, limit: int,
         has_priorities: bool = False) -> None:
    if form == "plain_text":                            # what the script asks for goes before the environment
        form = os.environ.get("OSIP_LOG_FORMAT", form)
    make = FORMS.get(form, Lines)
    longest = config.log_msg_buf_size if make is Lines else config.log_json_buf_size
    lines = make(config.log_prefix, config.secrets, longest, config.worker)
    handler.setFormatter(JournalLines(lines) if has_priorities else lines)
    if limit:
        handler.setLevel(python_level(limit))
    logger.addHandler(handler)
