"""Set the logs up: levels as in OpenSIPS, lines as text or JSON, to standard error and syslog."""
from __future__ import annotations

import json
import logging
import logging.handlers
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from osip.core.run.config import Config

LEVELS = {-3: "ALERT", -2: "CRITICAL", -1: "ERROR", 1: "WARNING", 2: "NOTICE", 3: "INFO", 4: "DEBUG"}
_PYTHON = {-3: 60, -2: logging.CRITICAL, -1: logging.ERROR, 0: logging.ERROR, 1: logging.WARNING, 2: 25,
           3: logging.INFO, 4: logging.DEBUG}
ALERT, NOTICE = 60, 25
MIN_SECRET = 4
"""Shorter values are not blanked out: they would tear ordinary words apart."""

_SECRET = re.compile(r'(?i)\b(response|password|passwd|ha1|nonce)\s*=\s*("[^"]*"|[^\s,;&]+)'
                     r"|(?<=://)([^/\s:@]*):([^@\s]+)(?=@)")
_CONTROL = re.compile(r"(\x1b\[[0-9;]*m)|\r?\n|[\x00-\x08\x0b-\x1f\x7f]")


def python_level(level: int) -> int:
    """Return the level of `logging` for one of OpenSIPS (-3 alert to 4 debug)."""
    return _PYTHON[max(-3, min(4, level))]


def redact(text: str) -> str:
    """Blank out passwords, digest responses and the password in a URL."""
    def hide(match: re.Match[str]) -> str:
        return f"{match[1]}=***" if match[1] else f"{match[3]}:***"
    return _SECRET.sub(hide, text) if ("=" in text or "://" in text) else text


def safe(text: str) -> str:
    """Return text that cannot pass for a line of its own: further lines are indented, control characters shown.

    Bytes that are no UTF-8 are shown too. Colours that a script asked for stay.
    """
    def show(match: re.Match[str]) -> str:
        return match[1] or ("\n\t" if match[0].endswith("\n") else f"\\x{ord(match[0]):02x}")
    text = _CONTROL.sub(show, text.rstrip("\r\n"))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class Lines(logging.Formatter):
    """`key=value` text: time, level, logger, words; without its traceback at most `longest` characters."""

    def __init__(self, prefix: str = "", secrets: Iterable[str] = (), longest: int = 4096, worker: str = "") -> None:
        super().__init__()
        self._worker = worker
        self._place = f" {worker}" if worker else ""        # behind the process id, when there are several workers
        self._longest = longest
        self._prefix = f"{prefix}:" if prefix else ""
        self._secrets = sorted((secret for secret in secrets if len(secret) >= MIN_SECRET), key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Blank out what looks secret and what the script's values say is."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return redact(text)

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.created))
        text = self.clean(safe(record.getMessage()))
        where = f"{self._prefix}{record.name}[{os.getpid()}{self._place}]"
        line = f"{stamp}.{int(record.msecs):03d} {record.levelname} {where} {text}"
        line = line[:self._longest]
        if record.exc_info:
            line += "\n" + self.clean(self.formatException(record.exc_info))
        return line


class JsonLines(Lines):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": record.created, "level": record.levelname, "module": record.name, "pid": os.getpid(),
                "message": self.clean(safe(record.getMessage()))}
        if self._worker:
            line["worker"] = self._worker
        text = json.dumps(line, ensure_ascii=False)
        while len(text) > self._longest and line["message"]:
            line["message"] = line["message"][:self._longest - len(text)]
            text = json.dumps(line, ensure_ascii=False)
        if record.exc_info:
            line["traceback"] = self.clean(self.formatException(record.exc_info))
            text = json.dumps(line, ensure_ascii=False)
        return text


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


def set_up(config: Config) -> logging.Logger:
    """Point the logger `osip` at what the script asks for; return it. Call again after a reload."""
    logging.addLevelName(ALERT, "ALERT")
    logging.addLevelName(NOTICE, "NOTICE")
    logger = logging.getLogger("osip")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = False
    logger.setLevel(python_level(config.log_level))
    if config.stderror_enabled:
        handler: logging.Handler = logging.StreamHandler()
        _add(logger, handler, config, config.stderror_log_format, config.stderror_level_filter)
    if config.syslog_enabled and os.path.exists("/dev/log"):
        facility = str(config.syslog_facility).removeprefix("LOG_").lower()
        handler = logging.handlers.SysLogHandler("/dev/log", logging.handlers.SysLogHandler.facility_names.get(
            facility, logging.handlers.SysLogHandler.LOG_DAEMON))
        handler.ident = f"{config.syslog_name or 'osip'}: "
        _add(logger, handler, config, config.syslog_log_format, config.syslog_level_filter)
    return logger


def _add(logger: logging.Logger, handler: logging.Handler, config: Config, form: str, limit: int) -> None:
    make, longest = (Lines, config.log_msg_buf_size) if form == "plain_text" else (JsonLines, config.log_json_buf_size)
    handler.setFormatter(make(config.log_prefix, config.secrets, longest, config.worker))
    if limit:
        handler.setLevel(python_level(limit))
    logger.addHandler(handler)
