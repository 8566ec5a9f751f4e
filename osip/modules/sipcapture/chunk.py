"""Read, set and remove the chunks of a HEP packet, by number or name and as one of its types."""
from __future__ import annotations

import socket
import struct

from osip.api import HepPacket

NAMES = {"proto_family": 1, "proto_id": 2, "src_ip": 3, "dst_ip": 4, "src_port": 7, "dst_port": 8, "timestamp": 9,
         "timestamp_us": 10, "proto_type": 11, "captagid": 12, "auth_key": 14, "payload": 15, "correlation_id": 17}
TYPES = ("utf8-string", "octet-string", "uint8", "uint16", "uint32", "inet4-addr", "inet6-addr")
_FIELDS = {2: "protocol", 3: "source", 4: "dest", 5: "source", 6: "dest", 7: "source_port", 8: "dest_port",
           9: "seconds", 10: "microseconds", 11: "kind", 12: "capture_id", 14: "auth_key",
           15: "payload", 17: "correlation"}
_MOST = {2: 255, 7: 65535, 8: 65535, 9: 0xFFFFFFFF, 10: 0xFFFFFFFF, 11: 255, 12: 0xFFFFFFFF}
_SIZES = {"uint8": "!B", "uint16": "!H", "uint32": "!I"}


def number_of(text: str) -> int:
    """Read a chunk: a name, or a number such as 0x0020; ValueError for others."""
    text = text.strip()
    if text.lower() in NAMES:
        return NAMES[text.lower()]
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 < number <= 0xFFFF:
        raise ValueError(f'"{text}" is no chunk: write its number (0x0020) or one of {", ".join(NAMES)}')
    return number


def vendor_of(text: str | None) -> int:
    """Read a vendor: a number; nothing is 0."""
    try:
        number = int(text or "0", 0)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFFFF:
        raise ValueError(f'"{text}" is no vendor: write a number such as 0x0003')
    return number


def get(packet: HepPacket, chunk: int, kind: str) -> tuple[str | int, int] | None:
    """Return value and vendor of a chunk; None when it is not there."""
    if chunk == 1:
        return (10 if ":" in packet.source else 2), 0
    if chunk in _FIELDS:
        value = getattr(packet, _FIELDS[chunk])
        if isinstance(value, bytes):
            return value.decode("utf-8", "surrogateescape"), 0
        return (value, 0) if value != "" else None
    for vendor, number, content in packet.extra:
        if number == chunk:
            return decode(content, kind), vendor
    return None


def put(packet: HepPacket, chunk: int, data: str, kind: str | None, vendor: int) -> None:
    """Set or add a chunk; ValueError when the data is not what it holds."""
    if chunk in _MOST:
        number = int(data, 0)
        if not 0 <= number <= _MOST[chunk]:
            raise ValueError(f"{number} does not fit into chunk {chunk:#06x}")
        setattr(packet, _FIELDS[chunk], number)
    elif chunk in (3, 4, 5, 6):
        socket.inet_pton(socket.AF_INET6 if ":" in data else socket.AF_INET, data)
        setattr(packet, _FIELDS[chunk], data)
    elif chunk == 15:
        packet.payload = data.encode("utf-8", "surrogateescape")
    elif chunk in _FIELDS:
        setattr(packet, _FIELDS[chunk], data)
    elif chunk in (1, 13, 16):
        raise ValueError(f"chunk {chunk:#06x} follows from the others")
    else:
        content = encode(data, kind or "utf8-string")
        packet.extra = [one for one in packet.extra if one[1] != chunk] + [(vendor, chunk, content)]


def remove(packet: HepPacket, chunk: int) -> bool:
    """Remove a chunk; False when it is not there, or when a packet cannot do without."""
    if chunk in (14, 17):
        had = bool(getattr(packet, _FIELDS[chunk]))
        setattr(packet, _FIELDS[chunk], "")
        return had
    kept = [one for one in packet.extra if one[1] != chunk]
    had = len(kept) < len(packet.extra)
    packet.extra = kept
    return had


def encode(data: str, kind: str) -> bytes:
    """Return the bytes of a value of a type."""
    if kind in _SIZES:
        try:
            return struct.pack(_SIZES[kind], int(data, 0))
        except struct.error:
            raise ValueError(f'"{data}" is no {kind}') from None
    if kind == "inet4-addr":
        return socket.inet_pton(socket.AF_INET, data)
    if kind == "inet6-addr":
        return socket.inet_pton(socket.AF_INET6, data)
    if kind in TYPES:
        return data.encode("utf-8", "surrogateescape")
    raise ValueError(f'"{kind}" is no type: there are {", ".join(TYPES)}')


def decode(content: bytes, kind: str) -> str | int:
    """Return the value of bytes of a type."""
    if kind in _SIZES:
        return int.from_bytes(content, "big") & 0x7FFFFFFF
    try:
        if kind == "inet4-addr":
            return socket.inet_ntop(socket.AF_INET, content)
        if kind == "inet6-addr":
            return socket.inet_ntop(socket.AF_INET6, content)
    except ValueError:
        raise ValueError(f"{len(content)} bytes are no {kind}") from None
    if kind in TYPES:
        return content.decode("utf-8", "surrogateescape")
    raise ValueError(f'"{kind}" is no type: there are {", ".join(TYPES)}')
