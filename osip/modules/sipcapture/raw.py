"""Read SIP off the wire: raw sockets for mirrored ports, for IP in IP, and for what comes to this machine anyway."""
from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple

from osip.api import is_ip

BATCH, LONGEST = 64, 65535
_ALL, _OUTGOING = 0x0003, 4                             # Ethernet types, and a kind of packet (packet(7))
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISC = 263, 1, 1
_UDP, _IPIP = 17, 4
_SIP = re.compile(rb"(?:SIP/2\.0 \d{3} |[A-Z][A-Z0-9_.-]* [^\r\n]{1,2000} SIP/2\.0\r?\n)").match
MONITOR, TUNNEL, PLAIN = "moni", "ipip", "plain"


class Range(NamedTuple):
    """What is listened to: an address ("" for any) and ports."""
    host: str = ""
    first: int = 1
    last: int = 65535


class Datagram(NamedTuple):
    """A UDP datagram that was seen."""
    source: str
    source_port: int
    dest: str
    dest_port: int
    payload: bytes


def parse_range(text: str) -> Range:
    """Read `10.0.0.1:5060-5080`, address or ports alone too; ValueError for others."""
    match = re.fullmatch(r"\s*(?:udp:)?(\[[0-9a-fA-F:.]+\]|[0-9.]+|)(?::?(\d+)(?:-(\d+))?)?\s*", text)
    host = match[1].strip("[]") if match else ""
    if match is None or (host and not is_ip(host)):
        raise ValueError(f'"{text}" is not what raw sockets can listen to: write 192.0.2.1:5060-5080')
    first = int(match[2] or 1)
    last = int(match[3] or match[2] or 65535)
    if not 0 < first <= last <= 65535:
        raise ValueError(f'"{text}" has no ports from low to high')
    return Range("" if host and ip_address(host).is_unspecified else host, first, last)


def datagram_of(raw: bytes, is_tunnel: bool = False) -> Datagram | None:
    """Return the UDP datagram in an IP packet (in an IP packet, when it is a tunnel); None when there is no whole one."""
    found = _payload(raw)
    if found is not None and is_tunnel:
        found = _payload(found[3]) if found[2] == _IPIP else None
    if found is None or found[2] != _UDP or len(found[3]) < 8:
        return None
    source_port, dest_port, length = struct.unpack_from("!HHH", found[3])
    if not 8 <= length <= len(found[3]):
        return None
    return Datagram(found[0], source_port, found[1], dest_port, found[3][8:length])


def _payload(raw: bytes) -> tuple[str, str, int, bytes] | None:
    """Return source, destination, protocol and content of an IP packet; fragments have none."""
    version = raw[0] >> 4 if raw else 0
    if version == 4 and len(raw) >= 20:
        head, (total, _, place) = (raw[0] & 15) * 4, struct.unpack_from("!HHH", raw, 2)
        if head < 20 or not head <= total <= len(raw) or place & 0x3FFF:
            return None
        return (socket.inet_ntop(socket.AF_INET, raw[12:16]), socket.inet_ntop(socket.AF_INET, raw[16:20]), raw[9],
                raw[head:total])
    if version == 6 and len(raw) >= 40:
        length = int.from_bytes(raw[4:6], "big")
        if 40 + length > len(raw):
            return None
        return (socket.inet_ntop(socket.AF_INET6, raw[8:24]), socket.inet_ntop(socket.AF_INET6, raw[24:40]), raw[6],
                raw[40:40 + length])
    return None


class RawListener:
    """One raw socket; `take` gets each datagram in the range that holds SIP."""

    def __init__(self, kind: str, wanted: Range, interface: str, promiscuous: bool,
                 take: Callable[[Datagram], object]) -> None:
        self._kind, self._wanted, self._interface, self._promiscuous = kind, wanted, interface, promiscuous
        self._take = take
        self._sock: socket.socket | None = None
        self.seen = self.other = 0

    def open(self) -> None:
        """Begin to read; OSError when the system does not let us."""
        if self._kind == MONITOR:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))
        else:
            proto = _IPIP if self._kind == TUNNEL else socket.IPPROTO_UDP
            sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, proto)
        try:
            sock.setblocking(False)
            if self._kind == MONITOR and self._interface:
                sock.bind((self._interface, _ALL))
                if self._promiscuous:
                    sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack(
                        "iHH8s", socket.if_nametoindex(self._interface), _PROMISC, 0, b""))
            elif self._interface:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._interface.encode() + b"\0")
        except OSError:
            sock.close()
            raise
        self._sock = sock
        asyncio.get_running_loop().add_reader(sock.fileno(), self._on_readable)

    def close(self) -> None:
        """Stop."""
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _on_readable(self) -> None:
        assert self._sock is not None
        for _ in range(BATCH):
            try:
                raw, address = self._sock.recvfrom(LONGEST)
            except OSError:                             # nothing more, or the interface went down for a moment
                return
            # The loopback interface shows every packet on its way out and on its way in.
            if self._kind == MONITOR and address[2] == _OUTGOING and address[0] == "lo":
                continue
            found = datagram_of(raw, self._kind == TUNNEL)
            if found is not None and self._is_wanted(found):
                self.seen += 1
                self._take(found)
            else:
                self.other += 1

    def _is_wanted(self, found: Datagram) -> bool:
        wanted = self._wanted
        if wanted.host and wanted.host not in (found.source, found.dest):
            return False
        ports = range(wanted.first, wanted.last + 1)
        return (found.dest_port in ports or found.source_port in ports) and _SIP(found.payload) is not None
