"""Make the text of log lines: what they are about, what must not be in them, their forms.

What each message may write (accounting, xlog) takes the short way of outlet.py; everything else goes through
`logging`, whose formatters ask the same forms. Compiled, unlike log.py.
"""
from __future__ import annotations

import logging
import os
import re
import sys
import time
from asyncio import events, runners
from collections.abc import Iterable
from json.encoder import encode_basestring
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


def _is_harmless(text: str) -> bool:
    return _is_plain(text) and not _may_tell(text)


is_plain: Final[Any] = _is_plain if LEAF is None else LEAF.is_printable_ascii
"""Say whether a text is printable ASCII."""
may_tell: Final[Any] = _may_tell if LEAF is None else LEAF.may_tell
"""Say whether a text may hold a secret: one of the hints is in it, or what is not ASCII."""
is_harmless: Final[Any] = _is_harmless if LEAF is None else LEAF.is_harmless
"""Say both of a text: it is printable ASCII, and none of the hints is in it. It may stand in a line as it is."""
joined: Final[Any] = "".join if LEAF is None else LEAF.joined
"""Return the texts of a list joined."""
_PID: Final[Any] = os.getpid
_QUOTED: Final[Any] = encode_basestring                 # as json.dumps writes a text without ensure_ascii
_THOUSANDTHS: Final = tuple([f".{number:03d}" for number in range(1000)])


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
        self.word, self.name, self.pid, self.head = "", "", -1, ""      # those of the last line, and what they give

    def clean(self, text: str) -> str:
        """Blank out what looks secret and what the script's values say is."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return redact(text)

    def know(self, word: str, name: str) -> None:
        """See to it that `head` is what lines of this level, logger and process have in common."""
        pid: int = _PID()
        if word is not self.word or name is not self.name or pid != self.pid:
            self.word, self.name, self.pid = word, name, pid
            self.head = self.begun()

    def begun(self) -> str:
        """Return what stands between the time and what a line is about, by level, logger and process."""
        return f" {self.word} {self.prefix}{self.name}[{self.pid}{self.place}"

    def line(self, created: float, level: int, word: str, name: str, text: str, about: Origin,
             traceback: str = "", harmless: bool = False) -> str:
        """Return a line of the logger `name`, written at `created` at a level that is called `word`.

        `harmless` says that `is_harmless` was asked about the text already.
        """
        second = int(created)
        if self.second != second:
            self.second, self.stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(second))
        self.know(word, name)
        if self.secrets or not (harmless or is_harmless(text)):
            text = self.clean(safe(text))
        call_id = about.call_id
        at = f" at={about.at}" if about.file else ""
        line: str = joined([self.stamp, _THOUSANDTHS[int((created - second) * 1000)], self.head,
                            " call_id=" if call_id else "", call_id, at, "] ", text])
        if len(line) > self.longest:
            line = line[:self.longest]
        return f"{line}\n{self.clean(traceback)}" if traceback else line


class JsonForm(Form):
    """One JSON object a line, behind a cookie (`@cee: `) when there is one."""

    def __init__(self, prefix: str, secrets: Iterable[str], longest: int, worker: str, cookie: str) -> None:
        super().__init__(prefix, secrets, longest, worker)
        self.cookie = cookie

    def begun(self) -> str:
        """Return what stands between the time and the message."""
        return f', "level": {_QUOTED(self.word)}, "module": {_QUOTED(self.name)}, "pid": {self.pid}, "message": '

    def line(self, created: float, level: int, word: str, name: str, text: str, about: Origin,
             traceback: str = "", harmless: bool = False) -> str:
        """Return a line; see Form."""
        self.know(word, name)
        if self.secrets or not (harmless or is_harmless(text)):
            text = self.clean(safe(text))
        parts = [self.cookie, '{"time": ', repr(created), self.head, _QUOTED(text)]
        if self.prefix:
            parts += [', "prefix": ', _QUOTED(self.prefix[:-1])]
        if self.worker:
            parts += [', "worker": ', _QUOTED(self.worker)]
        for key, value in ((', "call_id": ', about.call_id), (', "method": ', about.method),
                           (', "cseq": ', about.cseq), (', "route": ', about.route)):
            if value:
                parts += [key, _QUOTED(value)]
        if about.file:
            parts += [', "file": ', _QUOTED(about.file), ', "line": ', str(about.line)]
        parts.append("}")
        line = "".join(parts)
        while len(line) > self.longest and text:
            text = text[:self.longest - len(line)]
            parts[4] = _QUOTED(text)
            line = "".join(parts)
        if traceback:
            line = "".join([line[:-1], ', "traceback": ', _QUOTED(self.clean(traceback)), "}"])
        return line


class JournalForm(Form):
    """Put the priority of syslog before each line of another form, as the journal reads it from standard error."""

    def __init__(self, inner: Form, marks: dict[int, str]) -> None:
        super().__init__("", (), inner.longest, "")
        self.inner, self.marks = inner, marks

    def line(self, created: float, level: int, word: str, name: str, text: str, about: Origin,
             traceback: str = "", harmless: bool = False) -> str:
        """Return a line; its further lines get the priority as well."""
        mark = self.mark(level)
        return "\n".join([mark + line for line in
                          self.inner.line(created, level, word, name, text, about, traceback,
                                          harmless).split("\n")])

    def mark(self, level: int) -> str:
        """Return the priority for a level of `logging`: that of the highest one that it reaches."""
        for least, mark in self.marks.items():
            if level >= least:
                return mark
        return self.marks[0]
