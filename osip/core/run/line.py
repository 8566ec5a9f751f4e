"""Speak between the master and one worker: short values and open files, over a Unix socket of whole messages."""
from __future__ import annotations

import marshal
import socket
from typing import Any

from osip.core.exports.diagnostic import Diagnostic, Severity, Span

_LONGEST = 1 << 20
_FILES = 250


class Line:
    """One end. A value is a tuple: a word and what belongs to it."""
    __slots__ = ("sock",)

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _LONGEST)

    @classmethod
    def pair(cls) -> tuple[Line, Line]:
        """Return both ends of a new line."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """Return the file to wait for; -1 once closed."""
        return self.sock.fileno()

    def send(self, *value: Any, files: list[int] | None = None) -> bool:
        """Send a value and files; False when the other side is gone or does not listen."""
        try:
            socket.send_fds(self.sock, [marshal.dumps(value)], files or [])
        except OSError:
            return False
        return True

    def receive(self) -> tuple[tuple[Any, ...] | None, list[int]]:
        """Return the next value and its files; an empty value when the other side is gone, None when there is none."""
        try:
            data, files, _, _ = socket.recv_fds(self.sock, _LONGEST, _FILES)
        except BlockingIOError:
            return None, []
        except OSError:
            return (), []
        return (marshal.loads(data) if data else ()), files

    def close(self) -> None:
        """Close this end."""
        self.sock.close()


def pack(found: list[Diagnostic]) -> list[tuple[Any, ...]]:
    """Turn findings into values that a line can carry."""
    return [(one.code, one.message, (one.span.file, one.span.line, one.span.col, one.span.end_line, one.span.end_col),
             one.severity.value, one.hint, tuple(one.notes)) for one in found]


def unpack(found: list[tuple[Any, ...]]) -> list[Diagnostic]:
    """Turn values back into findings."""
    return [Diagnostic(code, message, Span(*span), Severity(severity), hint, tuple(notes))
            for code, message, span, severity, hint, notes in found]
