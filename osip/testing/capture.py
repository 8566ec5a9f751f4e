"""Read SIP messages from packet captures: pcap and pcapng, over UDP and TCP, IPv4 and IPv6, fragments put together.

Link layers: Ethernet (with VLAN tags), Linux cooked (both versions), BSD loopback, raw IP. What is no SIP is left out,
so is TLS. A capture that ends in the middle of a packet gives what came before.
"""
from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO, NamedTuple

from osip.core.errors import OsipError, ParseError
from osip.core.sip.framing import Framer

_START = re.compile(rb"(?:SIP/2\.0 [1-6]\d\d |[A-Za-z!%*_+`'~.-]+ [^\s]+ SIP/2\.0\r?\n)")
_PCAP = {b"\xd4\xc3\xb2\xa1": ("<", 1e6), b"\xa1\xb2\xc3\xd4": (">", 1e6),
         b"\x4d\x3c\xb2\xa1": ("<", 1e9), b"\xa1\xb2\x3c\x4d": (">", 1e9)}
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_IPV4, _IPV6, _VLANS = 0x0800, 0x86DD, (0x8100, 0x88A8, 0x9100)
_TCP, _UDP = 6, 17
_EXTENSIONS = (0, 43, 60, 135)          # IPv6 headers with a length of their own
_FRAGMENT = 44
_SEQUENCES = 1 << 32
MAX_PACKET = 1 << 20
MAX_FLOWS = 10_000
"""Streams, and datagrams in pieces, that are followed at once."""
MAX_WAITING = 1 << 20
"""Bytes of one stream that wait for what was lost before them."""


class Captured(NamedTuple):
    """One SIP message: when it was seen (Unix seconds), `proto:host:port` of both ends, its bytes."""
    at: float
    source: str
    dest: str
    data: bytes

    @property
    def title(self) -> str:
        """Its first line and ends, for people."""
        first = self.data.partition(b"\r\n")[0].decode("utf-8", "replace").removesuffix(" SIP/2.0")
        return f"{self.source} -> {self.dest.partition(':')[2]}  {first}"


class Packet(NamedTuple):
    """One packet of a capture: time, link layer, bytes."""
    at: float
    link: int
    data: bytes


def read_capture(path: str | Path) -> list[Captured]:
    """Return the SIP messages of a capture file, in order."""
    flows = _Flows()
    try:
        with Path(path).open("rb") as file:
            for packet in packets(file, str(path)):
                flows.take(packet)
    except OSError as error:
        raise OsipError(f"cannot read {path}: {error.strerror}") from None
    return flows.found


# --- files --------------------------------------------------------------------------------------------------------------

def packets(file: BinaryIO, name: str) -> Iterator[Packet]:
    """Walk the packets of an open capture file."""
    head = file.read(4)
    if head in _PCAP:
        yield from _pcap(file, *_PCAP[head], name)
    elif head == b"\x0a\x0d\x0d\x0a":
        yield from _pcapng(file, name)
    else:
        raise OsipError(f"{name} is no packet capture: neither pcap nor pcapng")


def _pcap(file: BinaryIO, order: str, ticks: float, name: str) -> Iterator[Packet]:
    head = file.read(20)
    if len(head) < 20:
        return
    link = struct.unpack(order + "HHiIII", head)[5] & 0xFFFF
    while len(record := file.read(16)) == 16:
        seconds, part, size, _ = struct.unpack(order + "IIII", record)
        _check(size, name)
        data = file.read(size)
        if len(data) < size:
            return
        yield Packet(seconds + part / ticks, link, data)


def _pcapng(file: BinaryIO, name: str) -> Iterator[Packet]:
    order = "<"
    interfaces: list[tuple[int, float]] = []
    file.seek(0)
    while len(head := file.read(8)) == 8:
        kind, size = struct.unpack(order + "II", head)
        if kind == _SECTION:                        # its own bytes say in which order it is written
            mark = file.read(4)
            order = "<" if mark == b"\x4d\x3c\x2b\x1a" else ">"
            size = struct.unpack(order + "I", head[4:])[0]
            interfaces = []
            file.seek(-4, 1)
        _check(size, name)
        if size < 12:
            raise OsipError(f"{name} is broken: a block of {size} bytes")
        body = file.read(size - 12)
        if len(body) < size - 12 or len(file.read(4)) < 4:
            return
        if kind == _INTERFACE:
            interfaces.append((struct.unpack(order + "H", body[:2])[0], _resolution(body[8:], order)))
        elif kind == _ENHANCED and len(body) >= 20:
            at, high, low, length, _ = struct.unpack(order + "IIIII", body[:20])
            if at < len(interfaces):
                link, ticks = interfaces[at]
                yield Packet((high << 32 | low) / ticks, link, body[20:20 + length])
        elif kind == _SIMPLE and interfaces:
            yield Packet(0.0, interfaces[0][0], body[4:4 + struct.unpack(order + "I", body[:4])[0]])


def _resolution(options: bytes, order: str) -> float:
    """Return the ticks in a second of an interface's clock (option if_tsresol)."""
    at = 0
    while at + 4 <= len(options):
        code, size = struct.unpack(order + "HH", options[at:at + 4])
        if code == 9 and size == 1:
            value = options[at + 4]
            return float(2.0 ** (value & 0x7F) if value & 0x80 else 10.0 ** value)
        if code == 0:
            break
        at += 4 + (size + 3 & ~3)
    return 1e6


def _check(size: int, name: str) -> None:
    if size > MAX_PACKET:
        raise OsipError(f"{name} is broken: a packet of {size} bytes")


# --- layers -------------------------------------------------------------------------------------------------------------

def _network(packet: Packet) -> tuple[int, bytes]:
    """Return the network protocol (Ethernet's number) and its bytes; 0 for what is no IP."""
    data, kind = packet.data, 0
    if packet.link == 1 and len(data) >= 14:
        kind, data = data[12] << 8 | data[13], data[14:]
        while kind in _VLANS and len(data) >= 4:
            kind, data = data[2] << 8 | data[3], data[4:]
    elif packet.link == 113 and len(data) >= 16:
        kind, data = data[14] << 8 | data[15], data[16:]
    elif packet.link == 276 and len(data) >= 20:
        kind, data = data[0] << 8 | data[1], data[20:]
    else:
        if packet.link in (0, 108):
            data = data[4:]
        elif packet.link not in (12, 14, 101, 228, 229):
            return 0, b""
        kind = {4: _IPV4, 6: _IPV6}.get(data[0] >> 4, 0) if data else 0
    return kind, data


class _Stream:
    """One direction of a TCP connection."""
    __slots__ = ("framer", "next", "waiting")

    def __init__(self, next_: int) -> None:
        self.next = next_
        self.framer = Framer()
        self.waiting: dict[int, bytes] = {}

    def feed(self, sequence: int, data: bytes) -> list[bytes]:
        """Take a segment; return what is complete by it."""
        found: list[bytes] = []
        if (sequence - self.next) % _SEQUENCES < _SEQUENCES // 2:
            self.waiting[sequence] = max(self.waiting.get(sequence, b""), data, key=len)
        elif (sequence + len(data) - self.next) % _SEQUENCES < _SEQUENCES // 2:
            self.waiting[self.next] = data[(self.next - sequence) % _SEQUENCES:]    # sent again, with more behind it
        if sum(map(len, self.waiting.values())) > MAX_WAITING:
            self.next, self.framer = min(self.waiting), Framer()        # what is lost will not come any more
        while self.next in self.waiting:
            piece = self.waiting.pop(self.next)
            self.next = (self.next + len(piece)) % _SEQUENCES
            try:
                found += [one for one in self.framer.feed(piece) if isinstance(one, bytes)]
            except ParseError:
                self.framer = Framer()
        return found


class _Flows:
    """What is known between packets: pieces of datagrams, and streams."""

    def __init__(self) -> None:
        self.found: list[Captured] = []
        self._pieces: dict[tuple[bytes, ...], dict[int, tuple[bytes, bool]]] = {}
        self._streams: dict[tuple[str, str], _Stream] = {}

    def take(self, packet: Packet) -> None:
        """Look into one packet."""
        kind, data = _network(packet)
        if kind == _IPV4:
            self._ipv4(packet.at, data)
        elif kind == _IPV6:
            self._ipv6(packet.at, data)

    def _ipv4(self, at: float, data: bytes) -> None:
        if len(data) < 20 or data[0] >> 4 != 4:
            return
        head, total = (data[0] & 15) * 4, data[2] << 8 | data[3]
        if total == 0 or total > len(data):         # left to the network card, or cut off
            total = len(data)
        flags = data[6] << 8 | data[7]
        body, proto, ends = data[head:total], data[9], (data[12:16], data[16:20])
        if flags & 0x3FFF:
            whole = self._whole((*ends, data[4:6], bytes([proto])), (flags & 0x1FFF) * 8, body, bool(flags & 0x2000))
            if whole is None:
                return
            body = whole
        self._transport(at, proto, ends, body)

    def _ipv6(self, at: float, data: bytes) -> None:
        if len(data) < 40 or data[0] >> 4 != 6:
            return
        proto, ends = data[6], (data[8:24], data[24:40])
        size = data[4] << 8 | data[5]
        body = data[40:40 + size] if size else data[40:]
        while proto in _EXTENSIONS or proto == _FRAGMENT:
            if len(body) < 8:
                return
            if proto == _FRAGMENT:
                place = body[2] << 8 | body[3]
                whole = self._whole((*ends, body[4:8]), place & 0xFFF8, body[8:], bool(place & 1))
                if whole is None:
                    return
                proto, body = body[0], whole
            else:
                proto, body = body[0], body[(body[1] + 1) * 8:]
        self._transport(at, proto, ends, body)

    def _whole(self, key: tuple[bytes, ...], place: int, body: bytes, more: bool) -> bytes | None:
        """Keep a piece of a datagram; return the datagram once all of it is there."""
        pieces = self._pieces.setdefault(key, {})
        pieces[place] = (body, more)
        out, at = b"", 0
        while at in pieces:
            piece, goes_on = pieces[at]
            out += piece
            at += len(piece)
            if not goes_on:
                del self._pieces[key]
                return out
            if not piece:
                break
        while len(self._pieces) > MAX_FLOWS:
            del self._pieces[next(iter(self._pieces))]
        return None

    def _transport(self, at: float, proto: int, ends: tuple[bytes, bytes], body: bytes) -> None:
        if proto == _UDP and len(body) > 8:
            source, dest, size = struct.unpack(">HHH", body[:6])
            data = body[8:size] if 8 < size <= len(body) else body[8:]
            self._add(at, _end("udp", ends[0], source), _end("udp", ends[1], dest), data)
        elif proto == _TCP and len(body) >= 20:
            source, dest, sequence = struct.unpack(">HHI", body[:8])
            self._tcp(at, (_end("tcp", ends[0], source), _end("tcp", ends[1], dest)), sequence, body)

    def _tcp(self, at: float, ends: tuple[str, str], sequence: int, body: bytes) -> None:
        data, is_syn = body[(body[12] >> 4) * 4:], bool(body[13] & 2)
        if is_syn:
            self._streams.pop(ends, None)
            sequence = (sequence + 1) % _SEQUENCES
        stream = self._streams.get(ends)
        if stream is None:
            if not is_syn and not _START.match(data):       # the capture begins in the middle of a message
                return
            stream = self._streams[ends] = _Stream(sequence)
            while len(self._streams) > MAX_FLOWS:
                del self._streams[next(iter(self._streams))]
        if data:
            for message in stream.feed(sequence, data):
                self._add(at, *ends, message)

    def _add(self, at: float, source: str, dest: str, data: bytes) -> None:
        if _START.match(data):
            self.found.append(Captured(at, source, dest, data))


def _end(proto: str, address: bytes, port: int) -> str:
    host = str(ip_address(address))
    return f"{proto}:{f'[{host}]' if ':' in host else host}:{port}"
