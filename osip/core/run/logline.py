"""Make the text of log lines: what they are about, what must not be in them, their forms.

What each message may write (accounting, xlog) goes through a `DirectLog`, which hands finished lines to the handlers
of the server's log; everything else goes through `logging`, whose formatters ask the same forms. Compiled, unlike
log.py.
"""
from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from asyncio import events, runners
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.run.ctx import Ctx
from osip.core.run.place import FILES, place

WORDS: Final = {60: "ALERT", 50: "CRITICAL", 40: "ERROR", 30: "WARNING", 25: "NOTICE", 20: "INFO", 10: "DEBUG"}
"""Level of `logging` -> the word for it."""
MIN_SECRET: Final = 4
"""Shorter values are not blanked out: they would tear ordinary words apart."""
LONGEST_ID: Final = 128
_DEEPEST: Final = 100
_LOGGING: Final = vars(logging)
_EVENTS: Final = vars(events)
_RUNNERS: Final = vars(runners)

_SECRET: Final = re.compile(
    r'(?i)\b(response|nonce|cnonce)\s*=\s*("[^"]*"|[^\s,;&]+)'
    r'|\b(passwo?r?d|passphrase|secret|ha1|ha1b|api_?key|access_token|auth_token|ice-pwd)("?\s*[:=]\s*)'
    r'("[^"]*"|[^\s,;&}]+)'
    r"|(?<=://)([^/\s:@]*):([^@\s]+)(?=@)"
    r"|((?:Authorization\s*:\s*(?:Basic|Bearer))|\bBearer)\s+([\w.~+/=-]{6,})"
    r"|\b(inline):[A-Za-z0-9+/=]{16,}")
_HINTS: Final = ("response", "nonce", "pass", "secret", "ha1", "api", "token", "ice-pwd", "://", "auth", "bearer",
                 "inline:")
"""What a line must hold, in small letters, for one of the secrets to be in it: the expression itself is slow."""
_CONTROL: Final = re.compile(r"(\x1b\[[0-9;]*m)|\r?\n|[\x00-\x08\x0b-\x1f\x7f]")


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _may_tell(text: str) -> bool:
    if not text.isascii():
        return True
    small = text.lower()
    for hint in _HINTS:                                 # noqa: SIM110 - a generator for each line is slower
        if hint in small:
            return True
    return False


is_plain: Final[Any] = _is_plain if LEAF is None else LEAF.is_printable_ascii
"""Say whether a text is printable ASCII."""
may_tell: Final[Any] = _may_tell if LEAF is None else LEAF.may_tell
"""Say whether a text may hold a secret: one of the hints is in it, or what is not ASCII."""


def _hidden(match: re.Match[str]) -> str:
    if match[1]:
        return f"{match[1]}=***"
    if match[3]:
        return f"{match[3]}{''.join(match[4].split())}***"
    if match[8]:
        return f"{match[8]} ***"
    return "inline:***" if match[10] else f"{match[6]}:***"


def redact(text: str) -> str:
    """Blank out passwords, digest responses, tokens, media keys and the password in a URL."""
    return _SECRET.sub(_hidden, text) if may_tell(text) else text


def _shown(match: re.Match[str]) -> str:
    found: str = match[0]
    return match[1] or ("\n\t" if found.endswith("\n") else f"\\x{ord(found):02x}")


def safe(text: str) -> str:
    """Return text that cannot pass for a line of its own: further lines are indented, control characters shown.

    Bytes that are no UTF-8 are shown too. Colours that a script asked for stay.
    """
    if is_plain(text):
        return text
    text = _CONTROL.sub(_shown, text.rstrip("\r\n"))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


# --- what a line is about --------------------------------------------------------------------------------------------

class Origin:
    """Whence a line: the message that it is about (None: none) and the place in the script ("" and 0: none)."""
    __slots__ = ("ctx", "file", "line", "msg")

    def __init__(self, ctx: Ctx | None = None, file: str = "", line: int = 0, msg: Any = None) -> None:
        self.ctx, self.file, self.line = ctx, file, line
        self.msg: Any = ctx.msg if ctx is not None else msg

    @property
    def at(self) -> str:
        """The place as `file:line`, without folders; "" when no script runs."""
        return f"{self.file.rpartition('/')[2]}:{self.line}" if self.file else ""

    @property
    def call_id(self) -> str:
        """The Call-ID of the message, "" when none runs; at most 128 characters, without any that break a line."""
        return self._word("call_id")

    @property
    def method(self) -> str:
        """The method of the message."""
        return self._word("method")

    @property
    def cseq(self) -> str:
        """The CSeq number of the message."""
        return self._word("cseq")

    @property
    def route(self) -> str:
        """The innermost running route, where the script keeps them."""
        stack = self.ctx.stack if self.ctx is not None else None
        return stack[-1] if stack else ""

    def _word(self, name: str) -> str:
        """Return a text of the message; "" for one that did not come from outside: timer and event routes see such."""
        msg = self.msg
        if msg is None or (self.ctx is not None and msg is self.ctx.env._dummy):
            return ""
        try:
            text = str(getattr(msg, name))
        except ParseError:
            return "?"
        if len(text) <= LONGEST_ID and is_plain(text) and " " not in text and "[" not in text and "]" not in text:
            return text
        return "".join([char if char.isprintable() and char not in " []" else "?" for char in text[:LONGEST_ID]])


def find_origin(msg: Any = None) -> Origin:
    """Say what a line is about that is being written: the route that runs says it, else `msg`.

    Without `msg` it is what the innermost function works with that has a context.
    """
    frame: FrameType | None = sys._getframe(0)
    holders: list[FrameType] = []                       # what works with a context, outside routes
    for _ in range(_DEEPEST):
        if frame is None:
            break
        space: Any = frame.f_globals
        if space is _EVENTS or space is _RUNNERS:       # below is the loop, which runs one thing after the other
            break
        if space is not _LOGGING:
            files: Any = space.get(FILES)
            if files is not None:                       # a route of the script: it has its context
                holder = frame.f_locals.get("ctx")
                where = place(frame.f_code.co_filename, frame.f_lineno, files)
                return Origin(holder if isinstance(holder, Ctx) else None, where[0], where[1])
            if msg is None and "ctx" in frame.f_code.co_varnames:
                holders.append(frame)
        frame = frame.f_back
    for one in holders:
        holder = one.f_locals.get("ctx")
        if isinstance(holder, Ctx):
            return Origin(holder)
    return Origin(None, "", 0, msg)


# --- forms of lines --------------------------------------------------------------------------------------------------

class Form:
    """`key=value` text: time, level, logger, words; without its traceback at most `longest` characters."""

    def __init__(self, prefix: str, secrets: Iterable[str], longest: int, worker: str) -> None:
        self.worker = worker
        self.place = f" {worker}" if worker else ""         # behind the process id, when there are several workers
        self.longest = longest
        self.prefix = f"{prefix}:" if prefix else ""
        self.secrets: list[str] = sorted([secret for secret in secrets if len(secret) >= MIN_SECRET], key=len,
                                         reverse=True)
        self.second = -1                                # of the last line: many are of the same second
        self.stamp = ""

    def clean(self, text: str) -> str:
        """Blank out what looks secret and what the script's values say is."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return redact(text)

    def line(self, created: float, level: int, word: str, name: str, text: str, about: Origin,
             traceback: str = "") -> str:
        """Return a line of the logger `name`, written at `created` at a level that is called `word`."""
        second = int(created)
        if self.second != second:
            self.second, self.stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(second))
        text = self.clean(safe(text))
        call_id = about.call_id
        call = f" call_id={call_id}" if call_id else ""
        at = f" at={about.at}" if about.file else ""
        thousandth = str(int((created - second) * 1000)).zfill(3)
        line = (f"{self.stamp}.{thousandth} {word} {self.prefix}{name}[{os.getpid()}{self.place}{call}{at}] {text}")
        if len(line) > self.longest:
            line = line[:self.longest]
        return f"{line}\n{self.clean(traceback)}" if traceback else line


class JsonForm(Form):
    """One JSON object a line, behind a cookie (`@cee: `) when there is one."""

    def __init__(self, prefix: str, secrets: Iterable[str], longest: int, worker: str, cookie: str) -> None:
        super().__init__(prefix, secrets, longest, worker)
        self.cookie = cookie

    def line(self, created: float, level: int, word: str, name: str, text: str, about: Origin,
             traceback: str = "") -> str:
        """Return a line; see Form."""
        values: dict[str, Any] = {"time": created, "level": word, "module": name, "pid": os.getpid(),
                                  "message": self.clean(safe(text))}
        if self.prefix:
            values["prefix"] = self.prefix[:-1]
        if self.worker:
            values["worker"] = self.worker
        for key, value in (("call_id", about.call_id), ("method", about.method), ("cseq", about.cseq),
                           ("route", about.route)):
            if value:
                values[key] = value
        if about.file:
            values["file"], values["line"] = about.file, about.line
        line = self.encoded(values)
        while len(line) > self.longest and values["message"]:
            values["message"] = values["message"][:self.longest - len(line)]
            line = self.encoded(values)
        if traceback:
            values["traceback"] = self.clean(traceback)
            line = self.encoded(values)
        return line

    def encoded(self, values: dict[str, Any]) -> str:
        """Return the line of these values."""
        return self.cookie + json.dumps(values, ensure_ascii=False)


class JournalForm(Form):
    """Put the priority of syslog before each line of another form, as the journal reads it from standard error."""

    def __init__(self, inner: Form, marks: dict[int, str]) -> None:
        super().__init__("", (), inner.longest, "")
        self.inner, self.marks = inner, marks

    def line(self, created: float, level: int, word: str, name: str, text: str, about: Origin,
             traceback: str = "") -> str:
        """Return a line; its further lines get the priority as well."""
        mark = self.mark(level)
        return "\n".join([mark + line for line in
                          self.inner.line(created, level, word, name, text, about, traceback).split("\n")])

    def mark(self, level: int) -> str:
        """Return the priority for a level of `logging`: that of the highest one that it reaches."""
        for least, mark in self.marks.items():
            if level >= least:
                return mark
        return self.marks[0]


# --- the short way ---------------------------------------------------------------------------------------------------

def put(handler: Any, line: str, word: str, facility: str) -> None:
    """Write a finished line, as the `emit` of a handler writes that of a record; the facility is for syslog."""
    stream = getattr(handler, "stream", None)
    lock = handler.lock
    lock.acquire()
    try:
        if stream is None:
            handler.send(line, word, facility)
        else:
            stream.write(line + "\n")
            if not getattr(stream, "line_buffering", False):
                stream.flush()
    except RecursionError:
        raise
    except Exception:
        handler.failed(line)
    finally:
        lock.release()


class DirectLog:
    """The short way of a logger's lines: no record of `logging` is made where only the server's log wants them.

    Where anybody else listens (a handler or filter of a module, of management, of a test), lines go the usual way.
    `facility` is that of its lines in syslog (`LOG_LOCAL0`), "" for that of the server's log.
    """
    __slots__ = ("_logger", "_name", "_root", "facility")

    def __init__(self, logger: logging.Logger) -> None:
        self.facility = ""
        self._logger: Any = logger
        self._name = logger.name
        self._root: Any = logging.getLogger("osip")

    def is_enabled(self, level: int) -> bool:
        """Say whether lines of a level of `logging` are wanted."""
        return bool(self._logger.isEnabledFor(level))

    def write(self, level: int, text: str, function: str, msg: Any = None) -> None:
        """Write a line, of which `is_enabled` was asked. It is about `msg`, unless a route of the script runs."""
        about = find_origin(msg)
        logger, root = self._logger, self._root
        if not root.propagate and root.handlers and (logger is root or (
                logger.parent is root and logger.propagate and not logger.handlers and not logger.filters)):
            handlers: list[Any] = root.handlers
            forms: list[Form] = []
            for handler in handlers:
                form = getattr(handler, "form", None)
                if form is None or handler.filters:
                    break
                forms.append(form)
            else:
                word = WORDS.get(level) or str(logging.getLevelName(level))
                created = time.time()
                for i in range(len(forms)):
                    if level >= handlers[i].level:
                        put(handlers[i], forms[i].line(created, level, word, self._name, text, about), word,
                            self.facility)
                return
        logger.handle(logger.makeRecord(self._name, level, "", 0, text, (), None, function,
                                        {"osip_origin": about, "osip_facility": self.facility}))
