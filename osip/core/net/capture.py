"""Receive captured messages over HEP, by UDP and by TCP: each goes on as if it had come from its true source."""
from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from osip.core.errors import ParseError
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.net.hep import HEP_SIP, HepFramer, HepPacket, decode_hep
from osip.core.net.tcp import TcpTransport
from osip.core.net.transport import Complaint, Receiver
from osip.core.net.udp import UdpTransport


class CapturedSource(Source):
    """Where a captured message came from, and the packet around it."""
    __slots__ = ("packet",)

    def __init__(self, socket: LocalSocket, packet: HepPacket) -> None:
        super().__init__(socket, packet.source, packet.source_port)
        self.packet = packet


class Unwrapper:
    """Stand between a transport and the receiver of messages."""
    __slots__ = ("_complain", "_receiver", "bad", "other", "received")

    def __init__(self, receiver: Receiver, complain: Complaint) -> None:
        self._receiver, self._complain = receiver, complain
        self.received = self.bad = self.other = 0

    def batch_start(self) -> None:
        """A batch begins."""
        self._receiver.batch_start()

    def batch_end(self) -> None:
        """A batch ends."""
        self._receiver.batch_end()

    def receive(self, raw: bytes, source: Source) -> None:
        """Unwrap a packet; what is not SIP is counted and left out."""
        try:
            packet = decode_hep(raw)
        except ParseError as error:
            self.bad += 1
            self._complain("bad_hep", "from=%s:%d reason=%s", source.host, source.port, error.reason)
            return
        if packet.kind != HEP_SIP:
            self.other += 1
            return
        self.received += 1
        self._receiver.receive(packet.payload, CapturedSource(source.socket, packet))


class HepUdp(UdpTransport):
    """HEP over UDP."""
    proto = "hep_udp"
    inlet: Unwrapper | None = None

    def open(self, local: LocalSocket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
             bound: socket.socket | None = None) -> None:
        """Start to receive on a socket."""
        self.inlet = self.inlet or Unwrapper(receiver, self._complain)
        super().open(local, loop, self.inlet, bound)

    def send(self, data: bytes, dest: Dest) -> bool:
        """Refuse: what was captured is not answered."""
        return False


class HepTcp(TcpTransport):
    """HEP over TCP."""
    proto = "hep_tcp"
    inlet: Unwrapper | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connections.make_framer = HepFramer
        self.limits.aliases = 0                 # packets are no SIP messages to look into
        self._complain = Complaint(logging.getLogger("osip.hep"))

    def open(self, local: LocalSocket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
             bound: socket.socket | None = None) -> None:
        """Accept connections on a socket."""
        self.inlet = self.inlet or Unwrapper(receiver, self._complain)
        super().open(local, loop, self.inlet, bound)

    def send(self, data: bytes, dest: Dest) -> bool:
        """Refuse: what was captured is not answered."""
        return False
