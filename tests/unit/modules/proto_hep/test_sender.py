"""Sending to capture servers."""
from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest

from osip.api import Complaint
from osip.modules.proto_hep.sender import Patience, Sender, Server, parse_server


@pytest.mark.parametrize(("text", "server"), [
    ("[hep_dst] 192.0.2.1:9061; transport=tcp; version=3", Server("hep_dst", "192.0.2.1", 9061, "tcp", 3)),
    ("192.0.2.1", Server("hep", "192.0.2.1", 9060)), ("[a][2001:db8::1]:9;version=2", Server("a", "2001:db8::1", 9, "udp", 2)),
    ("[x] homer.example:9060;TRANSPORT=UDP;", Server("x", "homer.example", 9060))])
def test_parse(text: str, server: Server) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize(("text", "words"), [
    ("[a] 192.0.2.1:x", "host"), ("[a]", "host"), ("[a] h:1;transport=carrier", "transport=udp"), ("h:1;version=4", "version=1"),
    ("h:1;transport=tcp;version=2", "only go by udp"), ("h:1;speed=9", "unknown setting")])
def test_bad(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_server(text)


def sender_to(port: int, transport: str, **patience: Any) -> Sender:
    return Sender(Server("s", "127.0.0.1", port, transport), Patience(**patience), Complaint(logging.getLogger("osip")))


async def test_datagrams() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        sender = sender_to(server.getsockname()[1], "udp", queue=8)
        try:
            assert sender.send(b"one") and sender.send(b"two") and not sender.send(b"three") and sender.dropped == 1
            sender.start()
            async with asyncio.timeout(5):
                assert [await asyncio.get_running_loop().sock_recv(server, 99) for _ in "12"] == [b"one", b"two"]
            assert sender.send(b"at once") and server.recv(99) == b"at once" and sender.sent == 3
        finally:
            await sender.close()


async def test_a_stream_comes_back_and_nothing_waits_for_ever() -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.put_nowait(await reader.readexactly(3))
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sender = sender_to(server.sockets[0].getsockname()[1], "tcp", connect=2.0)
    sender.start()
    try:
        async with asyncio.timeout(5):
            sender.send(b"one")
            assert await got.get() == b"one"
            while (await asyncio.sleep(0.02)) or got.empty():       # the peer has closed: a new connection is made
                sender.send(b"two")
            assert await got.get() == b"two"
    finally:
        await sender.close()
        server.close()


async def test_a_server_that_is_not_there_gets_a_rest() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        sender = sender_to(nobody.getsockname()[1], "tcp", connect=0.01, tries=2, rest=3600.0)
        sender.start()
        try:
            sender.send(b"lost")
            async with asyncio.timeout(5):
                while not sender.dropped:
                    await asyncio.sleep(0.01)
            assert sender.send(b"waits") and sender.dropped == 1
        finally:
            await sender.close()
