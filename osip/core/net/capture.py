"""Receive captured messages over HEP, by UDP, TCP and TLS: each goes on as if it had come from its true source."""
from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from osip.core.errors import ParseError
from osip.core.net.endpoint import CapturedSource, Dest, LocalSocket, Source
from osip.core.net.hep import HEP_SIP, HepFramer, HepPacket, decode_hep
from osip.core.net.tcp import TcpTransport
from osip.core.net.tls import TlsTransport
from osip.core.net.transport import Complaint, Receiver
from osip.core.net.udp import UdpTransport


Take = Callable[[HepPacket, CapturedSource], bool]
"""Looks at every packet, of whatever kind; True when it is done with and must not run through the script."""


class Unwrapper:
    """Stand between a transport and the receiver of messages."""
    __slots__ = ("_complain", "_receiver", "_take", "bad", "other", "received")

    def __init__(self, receiver: Receiver, complain: Complaint, take: Take | None = None) -> None:
        self._receiver, self._complain, self._take = receiver, complain, take
        self.received = self.bad = self.other = 0

    def batch_start(self) -> None:
        """A batch begins."""
        self._receiver.batch_start()

    def batch_end(self) -> None:
        """A batch ends."""
        self._receiver.batch_end()

    def receive(self, raw: bytes, source: Source) -> None:
        """Unwrap a packet; what is not SIP is counted, and is nothing for the script's main route."""
        try:
            packet = decode_hep(raw)
        except ParseError as error:
            self.bad += 1
            self._complain("bad_hep", "from=%s:%d reason=%s", source.host, source.port, error.reason)
            return
        origin = CapturedSource(source.socket, packet.source, packet.source_port, packet, source)
        if packet.kind != HEP_SIP:
            self.other += 1
            if self._take is not None:
                self._take(packet, origin)
            return
        self.received += 1
        if self._take is None or not self._take(packet, origin):
            self._receiver.receive(packet.payload, origin)


class HepUdp(UdpTransport):
    """HEP over UDP."""
    proto = "hep_udp"
    inlet: Unwrapper | None = None
    take: Take | None = None

    def open(self, local: LocalSocket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
             bound: socket.socket | None = None) -> None:
        """Start to receive on a socket."""
        self.inlet = self.inlet or Unwrapper(receiver, self._complain, self.take)
        super().open(local, loop, self.inlet, bound)

    def send(self, data: bytes, dest: Dest) -> bool:
        """Refuse: what was captured is not answered."""
        return False


class _HepStream(TcpTransport):
    """HEP over a stream."""
    inlet: Unwrapper | None = None
    take: Take | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connections.make_framer = HepFramer
        self.limits.aliases = 0                 # packets are no SIP messages to look into
        self._complain = Complaint(logging.getLogger("osip.hep"))

    def open(self, local: LocalSocket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
             bound: socket.socket | None = None) -> None:
        """Accept connections on a socket."""
        self.inlet = self.inlet or Unwrapper(receiver, self._complain, self.take)
        super().open(local, loop, self.inlet, bound)

    def send(self, data: bytes, dest: Dest) -> bool:
        """Refuse: what was captured is not answered."""
        return False


class HepTcp(_HepStream):
    """HEP over TCP."""
    proto = "hep_tcp"


class HepTls(_HepStream, TlsTransport):
    """HEP over TLS."""
    proto = "hep_tls"
