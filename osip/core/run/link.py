"""Carry values between two workers over one Unix stream: framed, gathered into few writes, bounded."""
from __future__ import annotations

import asyncio
import marshal
import socket
from collections.abc import Callable
from typing import Any

LIMIT = 16 << 20
"""Bytes that may wait for the other side; what comes on top is dropped and counted, as with UDP."""
_CHUNK = 1 << 18
_HEAD = 4


class Link:
    """One end of the stream. `on_values` gets the values of one read, `on_lost` hears that the other side went."""
    __slots__ = ("sent", "received", "dropped", "_sock", "_loop", "_on_values", "_on_lost", "_limit", "_out",
                 "_waiting", "_is_planned", "_is_blocked", "_in")

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, on_values: Callable[[list[Any]], None],
                 on_lost: Callable[[], None], limit: int = LIMIT) -> None:
        self.sent = self.received = self.dropped = 0
        self._sock, self._loop, self._on_values, self._on_lost, self._limit = sock, loop, on_values, on_lost, limit
        self._out: list[bytes] = []
        self._waiting = 0                   # bytes in _out
        self._is_planned = self._is_blocked = False
        self._in = bytearray()
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._on_readable)

    def send(self, value: Any) -> bool:
        """Send a value made of None, numbers, texts, bytes, tuples, lists and dicts; False when too much waits."""
        frame = marshal.dumps(value)
        if self._waiting + len(frame) > self._limit or self._sock.fileno() < 0:
            self.dropped += 1
            return False
        self.sent += 1
        self._out += (len(frame).to_bytes(_HEAD, "little"), frame)
        self._waiting += _HEAD + len(frame)
        if not self._is_planned and not self._is_blocked:
            self._is_planned = True
            self._loop.call_soon(self._flush)
        return True

    def flush(self) -> None:
        """Write what was sent before and waits for the loop's next turn."""
        if self._is_planned:
            self._flush()

    def _flush(self) -> None:
        self._is_planned = False
        if self._sock.fileno() < 0 or not self._out:
            return
        data = memoryview(b"".join(self._out))
        self._out.clear()
        try:
            while data:
                data = data[self._sock.send(data):]
        except BlockingIOError:
            self._out.append(bytes(data))
            if not self._is_blocked:
                self._is_blocked = True
                self._loop.add_writer(self._sock.fileno(), self._flush)
        except OSError:                     # the reader notices that the other side went
            data = memoryview(b"")
        self._waiting = len(data)
        if not data and self._is_blocked:
            self._is_blocked = False
            self._loop.remove_writer(self._sock.fileno())

    def _on_readable(self) -> None:
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._on_lost()
            return
        self._in += data
        values = []
        at, size, view = 0, len(self._in), memoryview(self._in)
        while size - at >= _HEAD:
            length = int.from_bytes(view[at:at + _HEAD], "little")
            if size - at - _HEAD < length:
                break
            at += _HEAD
            values.append(marshal.loads(view[at:at + length]))
            at += length
        view.release()
        del self._in[:at]
        if values:
            self.received += len(values)
            self._on_values(values)

    def close(self) -> None:
        """Stop and close; a second call does nothing."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()
