"""Write packet captures by hand, with every link layer and file form that osip reads."""
from __future__ import annotations

import struct
from ipaddress import ip_address


def ip(payload: bytes, proto: int, source: str, dest: str, ident: int = 1, offset: int = 0, more: bool = False) -> bytes:
    """Wrap a payload into an IP packet; IPv6 when the addresses are."""
    ends = ip_address(source).packed + ip_address(dest).packed
    if len(ends) == 8:
        flags = (0x2000 if more else 0) | offset // 8
        return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, flags, 64, proto, 0) + ends + payload
    if more or offset:
        payload = struct.pack(">BBHI", proto, 0, offset | more, ident) + payload
        proto = 44
    return struct.pack(">IHBB", 0x60000000, len(payload), proto, 64) + ends + payload


def udp(data: bytes, source_port: int = 5060, dest_port: int = 5060) -> bytes:
    """Wrap data into a UDP datagram."""
    return struct.pack(">HHHH", source_port, dest_port, 8 + len(data), 0) + data


def tcp(data: bytes, sequence: int, flags: int = 0x18, source_port: int = 40000, dest_port: int = 5060) -> bytes:
    """Wrap data into a TCP segment."""
    return struct.pack(">HHIIBBHHH", source_port, dest_port, sequence % 2**32, 0, 0x50, flags, 8192, 0, 0) + data


def link(packet: bytes, kind: int, vlan: bool = False) -> bytes:
    """Wrap an IP packet into a link layer by its number in pcap."""
    proto = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    if kind == 1:
        return b"\0" * 12 + (struct.pack(">HH", 0x8100, 7) if vlan else b"") + struct.pack(">H", proto) + packet
    if kind == 113:
        return b"\0" * 14 + struct.pack(">H", proto) + packet
    if kind == 276:
        return struct.pack(">H", proto) + b"\0" * 18 + packet
    return (struct.pack("<I", 2) if kind in (0, 108) else b"") + packet


def pcap(packets: list[tuple[float, bytes]], kind: int = 1, order: str = "<", nano: bool = False) -> bytes:
    """Return a pcap file of (time, link-layer packet)."""
    out = struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 65535, kind)
    for at, data in packets:
        part = round((at % 1) * (1e9 if nano else 1e6))
        out += struct.pack(order + "IIII", int(at), part, len(data), len(data)) + data
    return out


def pcapng(packets: list[tuple[float, bytes]], kind: int = 1, order: str = "<", simple: bool = False,
           resolution: int | None = None) -> bytes:
    """Return a pcapng file; `resolution` is the value of if_tsresol."""
    out = _block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    options = b"" if resolution is None else struct.pack(order + "HHB3x", 9, 1, resolution) + b"\0" * 4
    out += _block(1, struct.pack(order + "HHI", kind, 0, 65535) + options, order)
    out += _block(5, b"\0" * 12, order)             # statistics of the interface: not wanted
    unit = 1e6 if resolution is None else 2.0 ** (resolution & 127) if resolution & 128 else 10.0 ** resolution
    for at, data in packets:
        padded = data + b"\0" * (-len(data) % 4)
        if simple:
            out += _block(3, struct.pack(order + "I", len(data)) + padded, order)
        else:
            ticks = round(at * unit)
            out += _block(6, struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
                          + padded, order)
    return out


def _block(kind: int, body: bytes, order: str) -> bytes:
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size
