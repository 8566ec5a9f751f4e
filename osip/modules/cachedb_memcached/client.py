"""Speak memcached's text protocol: one connection for each server, questions follow each other without waiting."""
from __future__ import annotations

import asyncio
from collections import deque

WAITING = 10_000
"""Questions that may wait for one server."""
MAX_VALUE = 1 << 20
LINE = b"\r\n"


class Refused(Exception):
    """The server's own complaint about a question."""


class Client:
    """One server. A connection that fails, or a question that is given up, closes it; the next question opens one."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: deque[asyncio.Future[tuple[bytes, bytes]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    async def get(self, key: bytes) -> bytes | None:
        """Return a value, None when there is none."""
        line, value = await self._ask(b"get %b" % key)
        return None if line == b"END" else value

    async def store(self, word: bytes, key: bytes, value: bytes, until: int) -> bool:
        """Store a value by `set`, or by `add` when there must be none yet."""
        if len(value) > MAX_VALUE:
            raise Refused(f"a value of {len(value)} bytes; memcached takes {MAX_VALUE}")
        line, _ = await self._ask(b"%b %b 0 %d %d\r\n%b" % (word, key, until, len(value), value))
        return line == b"STORED"

    async def count(self, word: bytes, key: bytes, amount: int) -> int | None:
        """Count by `incr` or `decr`; None when there is no such counter."""
        line, _ = await self._ask(b"%b %b %d" % (word, key, amount))
        return None if line == b"NOT_FOUND" else int(line)

    async def touch(self, key: bytes, until: int) -> None:
        """Set the end of a key."""
        await self._ask(b"touch %b %d" % (key, until))

    async def delete(self, key: bytes) -> bool:
        """Remove a key; False when it was not there."""
        return (await self._ask(b"delete %b" % key))[0] == b"DELETED"

    async def _ask(self, question: bytes) -> tuple[bytes, bytes]:
        if len(self._waiting) >= WAITING:
            raise Refused(f"{WAITING} questions wait for an answer already")
        writer = self._writer or await self._open()
        future: asyncio.Future[tuple[bytes, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        writer.write(question + LINE)
        try:
            return await future
        except asyncio.CancelledError:
            # Its deadline passed: who answers that late is not waited for, and a late answer must reach nobody else.
            self._lose(ConnectionError("the server was too slow"))
            raise

    async def _open(self) -> asyncio.StreamWriter:
        async with self._opening:
            if self._writer is None:
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=MAX_VALUE * 2)
                self._reader, self._writer = reader, writer
                self._task = asyncio.get_running_loop().create_task(self._read(reader))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                answer = await self._answer(reader)
                if not self._waiting:
                    raise ConnectionError("an answer that nobody asked for")
                future = self._waiting.popleft()
                if future.done():
                    continue
                if isinstance(answer, Refused):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        except (OSError, EOFError, ValueError) as error:
            if reader is self._reader:
                self._lose(ConnectionError(f"connection lost: {error}"))

    @staticmethod
    async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | Refused:
        line = (await reader.readuntil(LINE))[:-2]
        if line.startswith((b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR")):
            return Refused(line.decode("utf-8", "replace"))
        if not line.startswith(b"VALUE "):
            return line, b""
        value = (await reader.readexactly(int(line.split()[3]) + 2))[:-2]
        if await reader.readuntil(LINE) != b"END\r\n":
            raise ValueError("a value without its end")
        return line, value

    def _lose(self, reason: Exception) -> None:
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.close()
        waiting, self._waiting = self._waiting, deque()
        for future in waiting:
            if not future.done():
                future.set_exception(reason)

    async def close(self) -> None:
        """Close the connection."""
        self._lose(ConnectionError("closed"))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
