"""Chunks of HEP packets: what can be read and set as what."""
from __future__ import annotations

from typing import Any

import pytest

from osip.api import HepPacket
from osip.modules.sipcapture import chunk


def a_packet() -> HepPacket:
    return HepPacket("192.0.2.1", 5060, "192.0.2.2", 5062, b"pay", extra=[(3, 0x20, b"\0\7"), (0, 0x21, bytes((1, 2, 3, 4)))])


@pytest.mark.parametrize(("name", "data", "kind", "back"), [
    ("src_ip", "192.0.2.7", None, "192.0.2.7"), ("dst_ip", "2001:db8::1", None, "2001:db8::1"), ("src_port", "99", None, 99),
    ("0x0008", "0x10", None, 16), ("captagid", "7", None, 7), ("proto_type", "100", None, 100), ("proto_id", "6", None, 6),
    ("timestamp", "17", None, 17), ("timestamp_us", "5", None, 5), ("payload", "new", None, "new"),
    ("correlation_id", "c", None, "c"), ("auth_key", "k", None, "k"), ("0x30", "text", None, "text"),
    ("0x30", "258", "uint16", "\1\2"), ("0x20", "1", "uint8", "\1"), ("0x30", "10.0.0.1", "inet4-addr", "\n\0\0\1")])
def test_setting_and_reading_back(name: str, data: str, kind: str | None, back: Any) -> None:
    packet, number = a_packet(), chunk.number_of(name)
    chunk.put(packet, number, data, kind, 5)
    found = chunk.get(packet, number, "octet-string")
    assert found is not None and found[0] == back
    assert found[1] == (5 if number >= 0x20 else 0)


@pytest.mark.parametrize(("name", "kind", "expected"), [
    ("0x20", "uint16", (7, 3)), ("0x20", "utf8-string", ("\0\7", 3)), ("0x21", "inet4-addr", ("1.2.3.4", 0)),
    ("0x21", "uint32", (0x01020304, 0)), ("0x22", "uint8", None), ("proto_family", "uint8", (2, 0)),
    ("correlation_id", "utf8-string", None), ("src_port", "uint16", (5060, 0))])
def test_reading(name: str, kind: str, expected: Any) -> None:
    assert chunk.get(a_packet(), chunk.number_of(name), kind) == expected


def test_removing() -> None:
    packet = a_packet()
    assert chunk.remove(packet, 0x20) and not chunk.remove(packet, 0x20)
    packet.correlation = "c"
    assert chunk.remove(packet, 17) and not chunk.remove(packet, 17) and not chunk.remove(packet, 3)
    assert packet.extra == [(0, 0x21, bytes((1, 2, 3, 4)))] and packet.source == "192.0.2.1"


@pytest.mark.parametrize(("name", "data", "kind"), [
    ("src_port", "70000", None), ("src_port", "x", None), ("proto_type", "256", None), ("src_ip", "host", None),
    ("0x0001", "2", None), ("0x30", "300", "uint8"), ("0x30", "x", "uint8"), ("0x30", "x", "inet4-addr"), ("0x30", "x", "float")])
def test_what_cannot_be_set(name: str, data: str, kind: str | None) -> None:
    with pytest.raises((ValueError, OSError)):
        chunk.put(a_packet(), chunk.number_of(name), data, kind, 0)


def test_what_cannot_be_read() -> None:
    for kind in ("inet6-addr", "float"):
        with pytest.raises(ValueError, match="no"):
            chunk.get(a_packet(), 0x20, kind)


@pytest.mark.parametrize("text", ["", "source", "0", "-1", "0x10000"])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="no chunk"):
        chunk.number_of(text)
    assert chunk.vendor_of(None) == 0 and chunk.vendor_of("0x10") == 16
    for vendor in ("x", "65536"):
        with pytest.raises(ValueError, match="no vendor"):
            chunk.vendor_of(vendor)
