"""Wrap and unwrap captured packets: HEP (Homer Encapsulation Protocol) versions 1, 2 and 3. Bytes in, values out."""
from __future__ import annotations

import socket
import struct
import zlib
from dataclasses import dataclass, field

from osip.core.errors import ParseError

HEP_SIP, HEP_RTCP, HEP_LOG = 1, 5, 100
"""Kinds of payload."""
PROTOCOLS = {"udp": 17, "tcp": 6, "tls": 6, "ws": 6, "wss": 6, "sctp": 132}
LONGEST = 65535             # bytes of a packet, and of what a compressed payload may become
_MAGIC = b"HEP3"
_FAMILIES = {2: socket.AF_INET, 10: socket.AF_INET6}
_CHUNK = struct.Struct("!HHH")


@dataclass(slots=True)
class HepPacket:
    """One captured message: between which addresses, when, of which kind, and what it said."""
    source: str
    source_port: int
    dest: str
    dest_port: int
    payload: bytes
    protocol: int = 17                  # of IP
    kind: int = HEP_SIP
    seconds: int = 0
    microseconds: int = 0
    capture_id: int = 0
    auth_key: str = ""
    correlation: str = ""
    version: int = 3
    extra: list[tuple[int, int, bytes]] = field(default_factory=list)      # (vendor, type, content) not known here


# --- wrapping --------------------------------------------------------------------------------------------------------

def encode_hep(packet: HepPacket, compress: bool = False) -> bytes:
    """Wrap a message in the version that the packet names; ValueError when it is too long or an address is none."""
    if packet.version in (1, 2):
        return _encode_old(packet)
    is_ipv6 = ":" in packet.source
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    payload = zlib.compress(packet.payload) if compress else packet.payload
    chunks = [(0, 1, bytes((10 if is_ipv6 else 2,))), (0, 2, bytes((packet.protocol,))),
              (0, 5 if is_ipv6 else 3, _packed(family, packet.source)),
              (0, 6 if is_ipv6 else 4, _packed(family, packet.dest)),
              (0, 7, struct.pack("!H", packet.source_port)), (0, 8, struct.pack("!H", packet.dest_port)),
              (0, 9, struct.pack("!I", packet.seconds)), (0, 10, struct.pack("!I", packet.microseconds)),
              (0, 11, bytes((packet.kind,))), (0, 12, struct.pack("!I", packet.capture_id))]
    if packet.auth_key:
        chunks.append((0, 14, packet.auth_key.encode()))
    if packet.correlation:
        chunks.append((0, 17, packet.correlation.encode("utf-8", "surrogateescape")))
    chunks += [*packet.extra, (0, 16 if compress else 15, payload)]
    body = b"".join(_CHUNK.pack(vendor, kind, len(content) + 6) + content for vendor, kind, content in chunks
                    if len(content) + 6 <= LONGEST)
    if len(body) + 6 > LONGEST or len(payload) + 6 > LONGEST:
        raise ValueError(f"a HEP packet has at most {LONGEST} bytes, this one has {len(body) + 6}")
    return _MAGIC + struct.pack("!H", len(body) + 6) + body


def _encode_old(packet: HepPacket) -> bytes:
    is_ipv6 = ":" in packet.source
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    addresses = _packed(family, packet.source) + _packed(family, packet.dest)
    # The time of version 2 is in the byte order of the sender's machine; nearly all are little-endian. Kamailio does
    # not count it as part of the header; others do, and both are read.
    times = struct.pack("<IIHxx", packet.seconds, packet.microseconds, packet.capture_id & 0xFFFF) \
        if packet.version == 2 else b""
    head = struct.pack("!BBBBHH", packet.version, 8 + len(addresses), 10 if is_ipv6 else 2,
                       packet.protocol, packet.source_port, packet.dest_port)
    return head + addresses + times + packet.payload


def _packed(family: int, address: str) -> bytes:
    try:
        return socket.inet_pton(family, address)
    except OSError:
        raise ValueError(f'"{address}" is no address of the family of the other end') from None


# --- unwrapping ------------------------------------------------------------------------------------------------------

def decode_hep(raw: bytes) -> HepPacket:
    """Unwrap a packet of any version; ParseError when it is none."""
    try:
        if raw[:4] == _MAGIC:
            return _decode_3(raw)
        if raw[:1] in (b"\1", b"\2"):
            return _decode_old(raw)
    except (struct.error, IndexError, KeyError, OSError, ValueError, zlib.error) as error:
        raise ParseError(f"bad HEP packet: {error}") from None
    raise ParseError("no HEP packet")


def _decode_old(raw: bytes) -> HepPacket:
    version, length, family, protocol, source_port, dest_port = struct.unpack_from("!BBBBHH", raw)
    size = 16 if _FAMILIES[family] == socket.AF_INET6 else 4
    least = 8 + 2 * size
    if version == 2 and length == least:
        length += 12
    if not least + (10 if version == 2 else 0) <= length <= len(raw):
        raise ValueError(f"the header has {length} bytes")
    found = HepPacket(socket.inet_ntop(_FAMILIES[family], raw[8:8 + size]), source_port,
                      socket.inet_ntop(_FAMILIES[family], raw[8 + size:8 + 2 * size]), dest_port, raw[length:],
                      protocol, version=version)
    if version == 2:
        found.seconds, found.microseconds, found.capture_id = struct.unpack_from("<IIH", raw, 8 + 2 * size)
    return found


def _decode_3(raw: bytes) -> HepPacket:
    total = int.from_bytes(raw[4:6], "big")
    if not 6 <= total <= len(raw):
        raise ValueError(f"its length says {total}, there are {len(raw)} bytes")
    found = HepPacket("", 0, "", 0, b"")
    at = 6
    while at < total:
        vendor, kind, length = _CHUNK.unpack_from(raw, at)
        if length < 6 or at + length > total:
            raise ValueError(f"a chunk of {length} bytes at {at}")
        _take(found, vendor, kind, raw[at + 6:at + length])
        at += length
    if not found.source or not found.dest:
        raise ValueError("an address is missing")
    return found


_NUMBERS = {2: "protocol", 7: "source_port", 8: "dest_port", 9: "seconds", 10: "microseconds", 11: "kind",
            12: "capture_id"}
_TEXTS = {14: "auth_key", 17: "correlation"}


def _take(found: HepPacket, vendor: int, kind: int, content: bytes) -> None:
    """Take over one chunk."""
    if vendor or kind > 17:
        found.extra.append((vendor, kind, content))
    elif kind in _NUMBERS:
        setattr(found, _NUMBERS[kind], int.from_bytes(content, "big"))
    elif kind in (3, 5):
        found.source = socket.inet_ntop(socket.AF_INET if kind == 3 else socket.AF_INET6, content)
    elif kind in (4, 6):
        found.dest = socket.inet_ntop(socket.AF_INET if kind == 4 else socket.AF_INET6, content)
    elif kind in _TEXTS:
        setattr(found, _TEXTS[kind], content.decode("utf-8", "surrogateescape"))
    elif kind == 15:
        found.payload = content
    elif kind == 16:
        # A few bytes can become gigabytes: no more than a packet may hold is taken.
        found.payload = zlib.decompressobj().decompress(content, LONGEST)


class HepFramer:
    """Cut a stream into HEP packets of version 3; the others cannot go over streams."""
    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> int:
        """Count the bytes of a packet that is not whole yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the packets that are whole now; ParseError, with those before it, where none begins."""
        found: list[bytes] = []
        rest = self._rest + data
        while len(rest) >= 6 or (rest and not _MAGIC.startswith(rest[:4])):
            length = int.from_bytes(rest[4:6], "big")
            if rest[:4] != _MAGIC or length < 6:
                self._rest = b""
                error = ParseError("no HEP packet")
                error.partial = found       # type: ignore[assignment]
                raise error
            if len(rest) < length:
                break
            found.append(rest[:length])
            rest = rest[length:]
        self._rest = rest
        return found
