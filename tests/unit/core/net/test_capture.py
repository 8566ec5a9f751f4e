"""Captured messages through real sockets: they come from their true source, and nothing is answered."""
from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from osip.core.net.capture import CapturedSource, HepTcp, HepUdp
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.hep import HEP_LOG, HepPacket, encode_hep
from osip.core.run.config import Config
from osip.core.run.timers import Timers

SIP = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\r\n"
GOOD = encode_hep(HepPacket("192.0.2.1", 5060, "192.0.2.2", 5070, SIP, seconds=1))
OTHER = encode_hep(HepPacket("192.0.2.1", 5060, "192.0.2.2", 5070, b"{}", kind=HEP_LOG, seconds=1))


class Inbox:
    def __init__(self) -> None:
        self.got: list[tuple[bytes, Any]] = []
        self.ended = asyncio.Event()

    def batch_start(self) -> None: ...

    def batch_end(self) -> None:
        self.ended.set()

    def receive(self, raw: bytes, source: Any) -> None:
        self.got.append((raw, source))

    async def count(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(self.got) < number:
                self.ended.clear()
                await self.ended.wait()


@pytest.mark.parametrize("proto", ["hep_udp", "hep_tcp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_unwraps(proto: str, host: str, caplog: pytest.LogCaptureFixture) -> None:
    is_udp = proto == "hep_udp"
    transport: Any = HepUdp(Config()) if is_udp else HepTcp(Config(), Timers(time.monotonic()))
    local, inbox = LocalSocket(proto, host, 0), Inbox()
    transport.open(local, asyncio.get_running_loop(), inbox)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM) as peer:
            peer.connect((host, local.port))
            junk = b"nothing at all, but long enough"
            if is_udp:
                for raw in (junk, junk, OTHER, GOOD):
                    peer.send(raw)
            else:
                peer.send(OTHER + GOOD[:20])
                peer.send(GOOD[20:])
            await inbox.count(1)
        (raw, source), = inbox.got
        assert raw == SIP and isinstance(source, CapturedSource) and source.socket is local
        assert (source.host, source.port, source.packet.dest, source.packet.dest_port) == \
            ("192.0.2.1", 5060, "192.0.2.2", 5070)
        assert (transport.inlet.received, transport.inlet.other, transport.inlet.bad) == (1, 1, 2 if is_udp else 0)
        assert len([one for one in caplog.messages if "bad_hep" in one]) == (1 if is_udp else 0)
        assert not transport.send(b"x" * 40, Dest(proto, source.host, source.port, local))
    finally:
        transport.close()
