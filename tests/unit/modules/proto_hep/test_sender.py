"""Sending to capture servers."""
from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from kit.certificates import Authority
from osip.api import Complaint, Dest, TlsDomain
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


class Clients:
    """A client domain for all, in place of tls_mgm."""

    def __init__(self, domain: TlsDomain | None) -> None:
        self.domain = domain

    def server(self, local: Any, name: str) -> None:
        return None

    def client(self, dest: Dest) -> TlsDomain | None:
        assert (dest.name, dest.host) == ("127.0.0.1", "127.0.0.1")
        return self.domain


@pytest.mark.parametrize(("host", "kind", "words"), [
    ("127.0.0.1", "checked", ""), ("homer.example", "checked", 'not for "127.0.0.1"'), ("homer.example", "unchecked", ""),
    ("127.0.0.1", "none", "certificate verify failed")])
async def test_tls(tmp_path: Path, caplog: Any, host: str, kind: str, words: str) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("server", hosts=(host,))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.put_nowait(await reader.read(99))
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    trust = ssl.create_default_context(cafile=str(authority.files.cert))
    trust.check_hostname = False
    domains = Clients(None if kind == "none" else TlsDomain("d", trust, kind == "checked"))
    port = server.sockets[0].getsockname()[1]
    sender = Sender(Server("s", "127.0.0.1", port, "tls"), Patience(connect=2.0, tries=1), Complaint(logging.getLogger("osip")),
                    domains)
    sender.start()
    try:
        sender.send(b"packet")
        async with asyncio.timeout(5):
            if not words:
                assert await got.get() == b"packet"
            while words not in caplog.text:
                await asyncio.sleep(0.01)
        assert bool(sender.dropped) == bool(words) and (not words or b"packet" not in [got.get_nowait() for _ in range(got.qsize())])
    finally:
        await sender.close()
        server.close()
