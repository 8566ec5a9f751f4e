"""HEP packets: all versions, broken ones, streams; tshark reads what we write."""
from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.server import kamailio_server

from osip.core.errors import ParseError
from osip.core.net.hep import (
    HEP_LOG,
    LONGEST,
    HepFramer,
    HepPacket,
    decode_hep,
    encode_hep,
)

SIP = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCall-ID: one\r\nCSeq: 1 OPTIONS\r\n\r\n"


def packet(version: int = 3, **more: Any) -> HepPacket:
    ends = ("2001:db8::1", 5060, "2001:db8::2", 5070) if more.pop("six", False) else \
        ("192.0.2.1", 5060, "192.0.2.2", 5070)
    return HepPacket(*ends, SIP, seconds=1_700_000_000, microseconds=123_456, capture_id=7, version=version, **more)


@pytest.mark.parametrize("made", [
    packet(), packet(six=True), packet(protocol=6, kind=HEP_LOG, auth_key="k\u00e9y", correlation="call@x"), packet(2),
    packet(2, six=True), packet(extra=[(9, 1, b"own"), (0, 19, b"node")])], ids=lambda made: f"v{made.version}")
@pytest.mark.parametrize("compress", [False, True])
def test_round_trip(made: HepPacket, compress: bool) -> None:
    assert decode_hep(encode_hep(made, compress)) == made


def test_version_1_has_no_time() -> None:
    raw = encode_hep(packet(1))
    assert raw[:8] == b"\x01\x10\x02\x11\x13\xc4\x13\xce" and raw[16:] == SIP
    assert decode_hep(raw) == HepPacket("192.0.2.1", 5060, "192.0.2.2", 5070, SIP, version=1)


def test_version_2_with_the_time_counted_as_header() -> None:
    raw = encode_hep(packet(2))
    assert decode_hep(raw[:1] + bytes((raw[1] + 12,)) + raw[2:]) == packet(2)


@pytest.mark.parametrize("raw", [
    b"", b"HEP3", b"HEP3\x00\x05", b"HEP3\xff\xff", b"HEP3\x00\x06", b"HEP3\x00\x0c\0\0\0\1\0\0",
    b"HEP3\x00\x0c\0\0\0\3\0\7", b"\1\x10\x02", b"\1\x10\x09\x11" + bytes(40), b"\2\x10\x02\x11" + bytes(20), SIP,
    encode_hep(packet(), True)[:-20], b"HEP3\x00\x0d\0\0\0\x10\0\7x"])
def test_broken(raw: bytes) -> None:
    with pytest.raises(ParseError):
        decode_hep(raw)


@given(st.binary(max_size=200), st.integers(0, 120))
def test_anything_is_a_packet_or_a_parse_error(junk: bytes, at: int) -> None:
    good = encode_hep(packet())
    for raw in (junk, b"HEP3" + junk, b"\2" + junk, good[:at] + junk + good[at + len(junk):]):
        try:
            decode_hep(raw)
        except ParseError:
            pass


def test_a_bomb_does_not_grow() -> None:
    import zlib
    bomb = zlib.compress(bytes(30_000_000))
    raw = encode_hep(HepPacket("192.0.2.1", 1, "192.0.2.2", 2, b""))
    chunk = b"\0\0\0\x10" + (len(bomb) + 6).to_bytes(2, "big") + bomb
    raw = b"HEP3" + (len(raw) + len(chunk)).to_bytes(2, "big") + raw[6:] + chunk
    assert len(decode_hep(raw).payload) == LONGEST


@pytest.mark.parametrize("bad", [HepPacket("192.0.2.1", 1, "2001:db8::1", 2, b""), HepPacket("", 1, "", 2, b""),
                                 HepPacket("192.0.2.1", 1, "192.0.2.2", 2, bytes(65500))])
def test_what_cannot_be_wrapped(bad: HepPacket) -> None:
    with pytest.raises(ValueError, match="no address|at most"):
        encode_hep(bad)


@given(st.lists(st.integers(1, 40), max_size=60))
def test_streams_split_anywhere(cuts: list[int]) -> None:
    packets = [encode_hep(packet()), encode_hep(packet(six=True)), encode_hep(packet(kind=HEP_LOG))]
    stream, framer, found = b"".join(packets), HepFramer(), []
    for cut in [*cuts, len(stream)]:
        found += framer.feed(stream[:cut])
        stream = stream[cut:]
    assert found == packets and framer.pending == 0


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n", b"HEX", b"HEP3\0\1", b"\0"])
def test_junk_on_a_stream(junk: bytes) -> None:
    framer, good = HepFramer(), encode_hep(packet())
    with pytest.raises(ParseError) as caught:
        framer.feed(good + junk)
    assert caught.value.partial == [good]


KAMAILIO = """listen=udp:127.0.0.1:5060
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "siptrace.so"
modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:%d")
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", %d)
modparam("siptrace", "hep_capture_id", 2001)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)
request_route { sl_send_reply("200", "OK"); }
"""


@pytest.mark.peer("kamailio")
@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_kamailio_sends_is_read(version: int, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inlet:
        inlet.bind(("127.0.0.1", 0))
        inlet.settimeout(10)
        (tmp_path / "trace.cfg").write_text(KAMAILIO % (inlet.getsockname()[1], version))
        with kamailio_server(tmp_path / "trace.cfg", tmp_path / "run") as server:
            found = [decode_hep(inlet.recv(9999)) for _ in "12"]
    request, reply = found
    assert request.payload.startswith(b"OPTIONS sip:") and reply.payload.startswith(b"SIP/2.0 200 OK")
    assert (request.version, request.protocol, request.dest_port) == (version, 17, server.port)
    assert (request.source, request.source_port) == (reply.dest, reply.dest_port)
    if version > 1:
        assert abs(request.seconds - time.time()) < 60 and request.capture_id == 2001
