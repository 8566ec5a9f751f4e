"""Set the logs up: levels as in OpenSIPS, lines as text or JSON, to standard error and syslog.

A line that is written while a message runs through the script says which call and which line of the script it is
about. Nothing is kept up to date for that: both are read off the stack when, and only when, a line is written.
"""
from __future__ import annotations

import json
import logging
import logging.handlers
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, ClassVar, NamedTuple

from osip.core.errors import ParseError
from osip.core.run.config import Config
from osip.core.run.ctx import Ctx
from osip.core.run.place import FILES, place

LEVELS = {-3: "ALERT", -2: "CRITICAL", -1: "ERROR", 1: "WARNING", 2: "NOTICE", 3: "INFO", 4: "DEBUG"}
_PYTHON = {-3: 60, -2: logging.CRITICAL, -1: logging.ERROR, 0: logging.ERROR, 1: logging.WARNING, 2: 25,
           3: logging.INFO, 4: logging.DEBUG}
ALERT, NOTICE = 60, 25
MIN_SECRET = 4
"""Shorter values are not blanked out: they would tear ordinary words apart."""

_SECRET = re.compile(
    r'(?i)\b(response|nonce|cnonce)\s*=\s*("[^"]*"|[^\s,;&]+)'
    r'|\b(passwo?r?d|passphrase|secret|ha1|ha1b|api_?key|access_token|auth_token|ice-pwd)("?\s*[:=]\s*)'
    r'("[^"]*"|[^\s,;&}]+)'
    r"|(?<=://)([^/\s:@]*):([^@\s]+)(?=@)"
    r"|((?:Authorization\s*:\s*(?:Basic|Bearer))|\bBearer)\s+([\w.~+/=-]{6,})"
    r"|\b(inline):[A-Za-z0-9+/=]{16,}")
_HINTS = ("response", "nonce", "pass", "secret", "ha1", "api", "token", "ice-pwd", "://", "auth", "bearer", "inline:")
"""What a line must hold, in small letters, for one of the secrets to be in it: the expression itself is slow."""
_CONTROL = re.compile(r"(\x1b\[[0-9;]*m)|\r?\n|[\x00-\x08\x0b-\x1f\x7f]")


def python_level(level: int) -> int:
    """Return the level of `logging` for one of OpenSIPS (-3 alert to 4 debug)."""
    return _PYTHON[max(-3, min(4, level))]


def redact(text: str) -> str:
    """Blank out passwords, digest responses, tokens, media keys and the password in a URL."""
    def hide(match: re.Match[str]) -> str:
        if match[1]:
            return f"{match[1]}=***"
        if match[3]:
            return f"{match[3]}{''.join(match[4].split())}***"
        if match[8]:
            return f"{match[8]} ***"
        return "inline:***" if match[10] else f"{match[6]}:***"
    if text.isascii():
        small = text.lower()
        for hint in _HINTS:
            if hint in small:
                break
        else:
            return text
    return _SECRET.sub(hide, text)


def safe(text: str) -> str:
    """Return text that cannot pass for a line of its own: further lines are indented, control characters shown.

    Bytes that are no UTF-8 are shown too. Colours that a script asked for stay.
    """
    if text.isascii() and text.isprintable():
        return text

    def show(match: re.Match[str]) -> str:
        return match[1] or ("\n\t" if match[0].endswith("\n") else f"\\x{ord(match[0]):02x}")
    text = _CONTROL.sub(show, text.rstrip("\r\n"))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


# --- what a line is about --------------------------------------------------------------------------------------------

class Origin(NamedTuple):
    """Whence a line: the running message (None: none runs) and the place in the script ("" and 0: none)."""
    ctx: Ctx | None = None
    file: str = ""
    line: int = 0

    @property
    def at(self) -> str:
        """The place as `file:line`, without folders; "" when no script runs."""
        return f"{self.file.rpartition('/')[2]}:{self.line}" if self.file else ""

    @property
    def call_id(self) -> str:
        """The Call-ID of the message, "" when none runs; at most 128 characters, without any that break a line."""
        return self._shown("call_id") if self._is_real else ""

    @property
    def method(self) -> str:
        """The method of the message."""
        return self._shown("method") if self._is_real else ""

    @property
    def cseq(self) -> str:
        """The CSeq number of the message."""
        return self._shown("cseq") if self._is_real else ""

    @property
    def route(self) -> str:
        """The innermost running route, where the script keeps them."""
        stack = self.ctx.stack if self.ctx is not None else None
        return stack[-1] if stack else ""

    @property
    def _is_real(self) -> bool:
        """Say whether there is a message that came from outside: not the one that timer and event routes see."""
        return self.ctx is not None and self.ctx.msg is not None and self.ctx.msg is not self.ctx.env._dummy

    def _shown(self, name: str) -> str:
        try:
            text = str(getattr(self.ctx.msg, name))             # type: ignore[union-attr]
        except ParseError:
            return "?"
        if _PLAIN(text):
            return text
        return "".join(char if char.isprintable() and char not in " []" else "?" for char in text[:LONGEST_ID])


LONGEST_ID = 128
_PLAIN = re.compile(r"[!-Z^-~]{1,%d}" % LONGEST_ID).fullmatch
_DEEPEST = 100
_LOGGING = vars(logging)
_SOURCE = logging._srcfile      # what `logging` itself is: how it tells its callers from its own functions


def origin_of(record: logging.LogRecord) -> Origin:
    """Say what a line is about; asked while the line is being written, in the thread that writes it."""
    found: Origin | None = getattr(record, "osip_origin", None)
    if found is None:
        found = record.osip_origin = _find_origin()
    return found


def _find_origin() -> Origin:
    frame: FrameType | None = sys._getframe(2)
    holders: list[FrameType] = []                       # what works with a context, outside routes
    for _ in range(_DEEPEST):
        if frame is None:
            break
        space = frame.f_globals
        if space is _LOGGING:
            frame = frame.f_back
            continue
        files = space.get(FILES)
        if files is not None:                           # a route of the script: it has its context
            ctx = frame.f_locals.get("ctx")
            where = place(frame.f_code.co_filename, frame.f_lineno, files)
            return Origin(ctx if isinstance(ctx, Ctx) else None, *where)
        if "ctx" in frame.f_code.co_varnames:
            holders.append(frame)
        frame = frame.f_back
    for holder in holders:
        ctx = holder.f_locals.get("ctx")
        if isinstance(ctx, Ctx):
            return Origin(ctx)
    return Origin()


# --- forms of lines --------------------------------------------------------------------------------------------------

class Lines(logging.Formatter):
    """`key=value` text: time, level, logger, words; without its traceback at most `longest` characters."""

    def __init__(self, prefix: str = "", secrets: Iterable[str] = (), longest: int = 4096, worker: str = "") -> None:
        super().__init__()
        self._worker = worker
        self._place = f" {worker}" if worker else ""        # behind the process id, when there are several workers
        self._longest = longest
        self._prefix = f"{prefix}:" if prefix else ""
        self._secrets = sorted((secret for secret in secrets if len(secret) >= MIN_SECRET), key=len, reverse=True)
        self._stamp = -1, ""                            # of the last line: many are of the same second

    def _time(self, second: int) -> str:
        if self._stamp[0] != second:
            self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(second))
        return self._stamp[1]

    def clean(self, text: str) -> str:
        """Blank out what looks secret and what the script's values say is."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return redact(text)

    def format(self, record: logging.LogRecord) -> str:
        stamp = self._time(int(record.created))
        text = self.clean(safe(record.getMessage()))
        about = origin_of(record)
        call = f" call_id={id}" if (id := about.call_id) else ""
        at = f" at={about.at}" if about.file else ""
        where = f"{self._prefix}{record.name}[{os.getpid()}{self._place}{call}{at}]"
        line = f"{stamp}.{int(record.msecs):03d} {record.levelname} {where} {text}"
        line = line[:self._longest]
        if record.exc_info:
            line += "\n" + self.clean(self.formatException(record.exc_info))
        return line


class JsonLines(Lines):
    """One JSON object a line, behind a cookie (`@cee: `) when there is one."""
    cookie = ""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": record.created, "level": record.levelname, "module": record.name,
                                "pid": os.getpid(), "message": self.clean(safe(record.getMessage()))}
        if self._prefix:
            line["prefix"] = self._prefix[:-1]
        if self._worker:
            line["worker"] = self._worker
        about = origin_of(record)
        for name in ("call_id", "method", "cseq", "route"):
            if value := getattr(about, name):
                line[name] = value
        if about.file:
            line["file"], line["line"] = about.file, about.line
        text = self._encoded(line)
        while len(text) > self._longest and line["message"]:
            line["message"] = line["message"][:self._longest - len(text)]
            text = self._encoded(line)
        if record.exc_info:
            line["traceback"] = self.clean(self.formatException(record.exc_info))
            text = self._encoded(line)
        return text

    def _encoded(self, line: dict[str, Any]) -> str:
        return self.cookie + json.dumps(line, ensure_ascii=False)


class CeeLines(JsonLines):
    """JSON behind the cookie by which syslog servers know it (`json_cee`)."""
    cookie = "@cee: "


class JournalLines(logging.Formatter):
    """Put the priority of syslog before each line, as the journal reads it from standard error: `<4>`."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; its further lines get the priority as well."""
        mark = f"<{PRIORITIES[script_level(record.levelno)]}>"
        return "\n".join(mark + line for line in self._inner.format(record).split("\n"))


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
        handler: logging.Handler = logging.StreamHandler()
        _add(logger, handler, config, config.stderror_log_format, config.stderror_level_filter)
        if handler.formatter is not None and is_journal(sys.stderr):
            handler.setFormatter(JournalLines(handler.formatter))
    if syslog is not None:
        _add(logger, syslog, config, config.syslog_log_format, config.syslog_level_filter)
    if is_lost:
        logger.warning("syslog_enabled: nothing listens at %s, lines go to standard error", SYSLOG)
    return logger


class SystemLog(logging.handlers.SysLogHandler):
    """Write to the system's log; what it does not take is lost, and not told line by line on standard error."""
    priority_map: ClassVar[dict[str, str]] = {**logging.handlers.SysLogHandler.priority_map, "NOTICE": "notice",
                                              "ALERT": "alert"}

    def handleError(self, record: logging.LogRecord) -> None:
        """Let it be."""


def _syslog(config: Config) -> logging.Handler | None:
    """Return what writes to the system's log; None when nothing listens there, as in most containers."""
    facility = str(config.syslog_facility).removeprefix("LOG_").lower()
    if not _listens(SYSLOG):
        return None
    handler = SystemLog(SYSLOG, SystemLog.facility_names.get(facility, SystemLog.LOG_DAEMON))
    handler.ident = f"{config.syslog_name or 'osip'}: "
    return handler


def _listens(path: str) -> bool:
    """Say whether something listens at a socket of the file system, for datagrams or a stream."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_UNIX, kind) as probe:
            if probe.connect_ex(path) == 0:
                return True
    return False


FORMS = {"plain_text": Lines, "text": Lines, "json": JsonLines, "json_cee": CeeLines}
"""Form of lines -> what makes them; `text` is how OSIP_LOG_FORMAT may call plain_text."""


def _add(logger: logging.Logger, handler: logging.Handler, config: Config, form: str, limit: int) -> None:
    if form == "plain_text":                            # what the script asks for goes before the environment
        form = os.environ.get("OSIP_LOG_FORMAT", form)
    make = FORMS.get(form, Lines)
    longest = config.log_msg_buf_size if make is Lines else config.log_json_buf_size
    handler.setFormatter(make(config.log_prefix, config.secrets, longest, config.worker))
    if limit:
        handler.setLevel(python_level(limit))
    logger.addHandler(handler)
