"""The text protocol, against a server that is played."""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from kit.peer import HOST

from osip.modules.cachedb_memcached.client import Client, Refused


async def play(answers: bytes, ask: Callable[[Client], Any]) -> Any:
    """Ask a server that says this and closes."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answers)
        await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, HOST, 0)
    client = Client(HOST, server.sockets[0].getsockname()[1])
    try:
        return await ask(client)
    finally:
        await client.close()
        server.close()


@pytest.mark.parametrize(("answers", "ask", "expected"), [
    (b"END\r\n", lambda c: c.get(b"k"), None),
    (b"VALUE k 0 5\r\na\r\nb\0\r\nEND\r\n", lambda c: c.get(b"k"), b"a\r\nb\0"),
    (b"STORED\r\n", lambda c: c.store(b"set", b"k", b"v", 0), True),
    (b"NOT_STORED\r\n", lambda c: c.store(b"add", b"k", b"v", 0), False),
    (b"42\r\n", lambda c: c.count(b"incr", b"k", 1), 42), (b"NOT_FOUND\r\n", lambda c: c.count(b"incr", b"k", 1), None),
    (b"DELETED\r\n", lambda c: c.delete(b"k"), True), (b"NOT_FOUND\r\n", lambda c: c.delete(b"k"), False)])
async def test_answers(answers: bytes, ask: Any, expected: Any) -> None:
    assert await play(answers, ask) == expected


@pytest.mark.parametrize(("answers", "error"), [
    (b"CLIENT_ERROR no\r\n", Refused), (b"", ConnectionError), (b"VALUE k 0 x\r\n", ConnectionError),
    (b"VALUE k 0 2\r\nab\r\nVALUE\r\n", ConnectionError), (b"VALUE k 0 9\r\nab", ConnectionError)])
async def test_failures(answers: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        await play(answers, lambda client: client.get(b"k"))
