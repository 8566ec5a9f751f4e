"""Secure WebSockets through real sockets: a browser's side, garbage beneath TLS, and servers among themselves."""
from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kit.playbook import make_worker
from kit.certificates import Authority
from websockets.asyncio.client import connect

from osip.core.errors import MIError
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run.env import Env
from osip.core.run.stats import Stats
from osip.modules.proto_wss import ProtoWss
from osip.modules.tls_mgm import TlsMgm

SIP = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/WSS h;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\n\r\n"


class Side:
    """A transport for secure WebSockets with one socket; it answers with what it got."""

    def __init__(self, authority: Authority, echo: bool = False, **params: Any) -> None:
        self.env = Env()
        self.env.stats = Stats()
        self.env.timers.reset(time.monotonic())
        self.env.config.set("tcp_connect_timeout", 3000)
        files = authority.issue("server", hosts=("127.0.0.1",))
        domains = TlsMgm()
        domains.env = self.env
        for name, value in {"server_domain": ["s"], "client_domain": ["c"],
                            "certificate": [f"[s]{files.cert}", f"[c]{files.cert}"],
                            "private_key": [f"[s]{files.key}", f"[c]{files.key}"],
                            "ca_list": [f"[s]{authority.files.cert}", f"[c]{authority.files.cert}"],
                            "require_cert": ["[s]0"], "match_ip_address": ["[s]*", "[c]*"]}.items():
            setattr(domains, name, value)
        domains.mod_init()
        module = ProtoWss()
        module.tls_mgm = domains
        for name, value in params.items():
            setattr(module, name, value)
        self.transport = module.make_transport(self.env)
        self.local = LocalSocket("wss", "127.0.0.1", 0)
        self.transport.open(self.local, asyncio.get_running_loop(), self)
        self.local.transport = self.transport
        self.got: list[bytes] = []
        self._echo = echo
        self._changed = asyncio.Event()

    def batch_start(self) -> None: ...

    def batch_end(self) -> None: ...

    def receive(self, raw: bytes, source: Source) -> None:
        self.got.append(raw)
        if self._echo:
            assert self.transport.send(raw, Dest("wss", source.host, source.port, source.socket, source.conn))
        self._changed.set()

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(5):
            while not true():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Sign certificates."""
    return Authority(tmp_path)


async def test_a_browser_is_served(authority: Authority) -> None:
    side = Side(authority, echo=True)
    trust = ssl.create_default_context(cafile=str(authority.files.cert))
    async with connect(f"wss://127.0.0.1:{side.local.port}/", subprotocols=["sip"], origin="https://x", ssl=trust
                       ) as client:
        await client.send(SIP.decode())
        assert await client.recv() == SIP.decode()
        await client.send((SIP + b"x" * 200_000).decode())
        assert len(await client.recv()) == len(SIP) + 200_000
    side.transport.close()


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", SIP, b"\x16\x03\x01\xff\xff" + b"\0" * 999])
async def test_what_is_no_tls_is_closed(authority: Authority, first: bytes) -> None:
    side = Side(authority, wss_tls_handshake_timeout=500)
    reader, writer = await asyncio.open_connection("127.0.0.1", side.local.port)
    writer.write(first)
    async with asyncio.timeout(5):
        while await reader.read(1000):
            pass                                            # an alert, then the end
    assert len(side.transport.connections) == 0
    writer.close()
    side.transport.close()


async def test_what_is_no_websocket_is_answered(authority: Authority) -> None:
    side = Side(authority)
    trust = ssl.create_default_context(cafile=str(authority.files.cert))
    reader, writer = await asyncio.open_connection("127.0.0.1", side.local.port, ssl=trust)
    writer.write(SIP)
    async with asyncio.timeout(5):
        assert (await reader.read(1000)).startswith(b"HTTP/1.1 400 ")
    writer.close()
    side.transport.close()


async def test_two_servers_connect_to_each_other(authority: Authority) -> None:
    near, far = Side(authority), Side(authority, echo=True)
    dest = Dest("wss", "127.0.0.1", far.local.port, near.local)
    assert near.transport.send(SIP, dest)
    await near.until(lambda: near.got)
    assert near.got == far.got == [SIP]
    near.transport.close()
    far.transport.close()


def test_tracing_needs_a_running_server_and_a_destination() -> None:
    module = ProtoWss()
    with pytest.raises(MIError, match="not started"):
        module.mi_trace()
    module.tap(make_worker(())[0].env, SimpleNamespace(connections=SimpleNamespace()))
    assert module.mi_trace() == {"State": "off"}
    with pytest.raises(MIError, match="No destination"):
        module.mi_trace("on")
