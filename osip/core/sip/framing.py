"""Cut a byte stream into whole messages by Content-Length (RFC 3261 section 18.3) and see keep-alives (RFC 5626)."""
from __future__ import annotations

import re
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.bounds import MAX_BODY, MAX_DIGITS, MAX_HEAD

_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)")
_START: Final = re.compile(rb"sip/[0-9.]+ [0-9]{3}|[^\s]+ [^\r\n]* sip/[0-9.]+\r?\n", re.IGNORECASE)


_MEASURE: Final[Any] = None if LEAF is None else LEAF.measure


class Ping:
    """Stand for a double CRLF between messages: a keep-alive that wants a single CRLF back."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PING"


PING: Final = Ping()


class Framer:
    """Collect what a stream delivers and hand out whole messages; keeps at most one unfinished message."""

    __slots__ = ("max_head", "max_body", "_buffer", "_seen", "_need", "_blank")

    def __init__(self, max_head: int = MAX_HEAD, max_body: int = MAX_BODY) -> None:
        self.max_head = max_head
        self.max_body = max_body
        self._buffer = bytearray()
        self._seen = 0          # bytes of the unfinished head in which no blank line was found
        self._need = 0          # size of the unfinished message, once its head is complete
        self._blank = False     # a CRLF has come since the last message or ping

    @property
    def pending(self) -> int:
        """Return the number of bytes that wait for more."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes | Ping]:
        """Take what was read; return the messages and pings that are complete, in order.

        Raise ParseError when the stream cannot be framed any more and must be closed; `partial` of the error then
        lists what was complete before the fault.
        """
        out: list[bytes | Ping] = []
        buffer = self._buffer
        if _MEASURE is not None and not buffer:
            data = self._whole(data, out)
            if not data:
                return out
        buffer += data
        pos = 0
        try:
            while pos < len(buffer):
                if not self._need:
                    skipped = self._skip_blank_lines(pos, out)
                    if skipped != pos:
                        pos = skipped
                        continue
                    self._need = self._measure(pos)
                if not self._need or len(buffer) - pos < self._need:
                    break
                out.append(bytes(buffer[pos:pos + self._need]))
                pos += self._need
                self._need = self._seen = 0
        except ParseError as error:
            error.partial = out
            raise
        del buffer[:pos]
        return out

    def _whole(self, data: bytes, out: list[bytes | Ping]) -> bytes:
        """Take off the plain messages that are all there, as nearly always; return the rest."""
        pos = 0
        while size := _MEASURE(data, pos, self.max_head, self.max_body):
            if size == len(data):
                self._blank = False
                out.append(data)
                return b""
            out.append(data[pos:pos + size])
            pos += size
        if pos:
            self._blank = False
        return data[pos:] if pos else data

    def _skip_blank_lines(self, pos: int, out: list[bytes | Ping]) -> int:
        """Step over CRLFs between messages; every second one in a row is a ping."""
        buffer = self._buffer
        while buffer[pos:pos + 2] == b"\r\n":
            pos += 2
            if self._blank:
                out.append(PING)
            self._blank = not self._blank
        if pos < len(buffer) and buffer[pos] != 13:
            self._blank = False
        return pos

    def _measure(self, pos: int) -> int:
        """Return the size of the message that starts at `pos`; 0 while its head is incomplete."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", pos + max(0, self._seen - 3))
        if end < 0:
            self._seen = len(buffer) - pos
            if self._seen > self.max_head:
                raise ParseError("message head too large", 513)
            self._check_start(pos)
            return 0
        size = end + 4 - pos
        if size > self.max_head:
            raise ParseError("message head too large", 513)
        head = bytes(buffer[pos:end + 2])
        self._check_start(pos)
        length = content_length(head)
        if length > self.max_body:
            raise ParseError("message body too large", 513)
        return size + length

    def _check_start(self, pos: int) -> None:
        """Refuse a first line that is not SIP at all: nothing behind it can be framed."""
        buffer = self._buffer
        first = buffer[pos]
        if first == 13 and len(buffer) - pos > 1 or first < 33 and first != 13 or first > 126:
            raise ParseError("not SIP on this stream")
        end = buffer.find(b"\n", pos, pos + self.max_head)
        if end >= 0 and not _START.match(buffer[pos:end + 1]):
            raise ParseError("not SIP on this stream")


def starts_as_sip(message: bytes) -> bool:
    """Say whether the first line is that of a SIP message, as far as a stream must know."""
    end = message.find(b"\n", 0, MAX_HEAD)
    return end >= 0 and _START.match(message[:end + 1]) is not None


def content_length(head: bytes) -> int:
    """Return the body's length that a head tells, 0 when it tells none; raise ParseError when it is not a number."""
    found = {value.strip() for value in _LENGTH.findall(head.lower())}
    if not found:
        return 0
    lengths = {int(value) for value in found if value.isdigit() and len(value) <= MAX_DIGITS}
    if len(lengths) != 1 or any([not value.isdigit() or len(value) > MAX_DIGITS for value in found]):
        raise ParseError("bad Content-Length header")
    return lengths.pop()
