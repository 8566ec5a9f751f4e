"""Captures of every form give the same messages; broken ones give what they hold, or say what is wrong."""
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.pcap import ip, link, pcap, pcapng, tcp, udp

from osip.core.errors import OsipError
from osip.testing.capture import Captured, read_capture

A, B = "192.0.2.1", "192.0.2.2"
SIX = ("2001:db8::1", "2001:db8::2")
ASK = (b"OPTIONS sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCall-ID: c1\r\n"
       b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
OK = ASK.replace(b"OPTIONS sip:b@192.0.2.2 SIP/2.0", b"SIP/2.0 200 OK")
LONG = ASK.replace(b"Content-Length: 0", b"Content-Length: 3000") + b"x" * 3000
UDP_ENDS = ("udp:192.0.2.1:5060", "udp:192.0.2.2:5060")
TCP_ENDS = ("tcp:192.0.2.1:40000", "tcp:192.0.2.2:5060")


@pytest.fixture
def capture(tmp_path: Path):        # type: ignore[no-untyped-def]
    def read(data: bytes) -> list[Captured]:
        path = tmp_path / "some.pcap"
        path.write_bytes(data)
        return read_capture(path)
    return read


@pytest.mark.parametrize("kind", [0, 1, 12, 101, 108, 113, 228, 276])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", ["pcap", "nano", "pcapng", "simple", "decimal", "binary"])
def test_forms(capture, kind: int, order: str, form: str) -> None:      # type: ignore[no-untyped-def]
    packets = [(1000.25, link(ip(udp(ASK), 17, A, B), kind)), (1000.5, link(ip(udp(OK), 17, B, A), kind))]
    text = {"pcap": lambda: pcap(packets, kind, order), "nano": lambda: pcap(packets, kind, order, True),
            "pcapng": lambda: pcapng(packets, kind, order), "simple": lambda: pcapng(packets, kind, order, True),
            "decimal": lambda: pcapng(packets, kind, order, resolution=9),
            "binary": lambda: pcapng(packets, kind, order, resolution=0x80 | 20)}[form]()
    times = (0.0, 0.0) if form == "simple" else (1000.25, 1000.5)
    assert capture(text) == [(times[0], *UDP_ENDS, ASK), (times[1], *UDP_ENDS[::-1], OK)]


def test_what_is_no_sip_is_left_out(capture) -> None:       # type: ignore[no-untyped-def]
    packets = [(1.0, link(ip(udp(data), 17, A, B), 1)) for data in (b"\r\n\r\n", b"\x80\x00rtp", b"GET / HTTP/1.1\r\n\r\n")]
    packets += [(1.0, b"\xff" * 60), (1.0, b""), (1.0, link(ip(b"ping", 1, A, B), 1)), (1.0, link(ip(udp(ASK), 17, A, B), 1, True))]
    assert [one.data for one in capture(pcap(packets))] == [ASK], "only the one in a VLAN"
    assert capture(pcap(packets, 147)) == [], "a link layer that nobody knows"


@pytest.mark.parametrize("ends", [(A, B), SIX])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_fragments(capture, ends: tuple[str, str], order: tuple[int, ...]) -> None:     # type: ignore[no-untyped-def]
    whole = udp(LONG)
    pieces = [ip(whole[at:at + 1200], 17, *ends, ident=5, offset=at, more=at + 1200 < len(whole))
              for at in range(0, len(whole), 1200)]
    assert len(pieces) == 3
    packets = [(1.0, link(pieces[at], 1)) for at in order]
    assert [one.data for one in capture(pcap(packets))] == [LONG]
    assert capture(pcap(packets[:2])) == []


def segments(sizes: list[int], start: int) -> list[tuple[int, bytes]]:
    stream, out, at = ASK + LONG + b"\r\n\r\n" + OK, [], 0
    for size in [*sizes, len(stream)]:
        out.append((start + at, stream[at:at + size]))
        at += size
    return [one for one in out if one[1]]


@given(st.lists(st.integers(1, 2000), max_size=6), st.sampled_from([7, 2**32 - 100]), st.randoms(), st.booleans())
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_streams(tmp_path_factory, sizes, start, chance, shuffled) -> None:     # type: ignore[no-untyped-def]
    parts = segments(sizes, start + 1)
    if shuffled:
        chance.shuffle(parts)
    parts += parts[:2]                                  # sent again
    packets = [(0.0, link(ip(tcp(b"", start, 0x02), 6, A, B), 1))]
    packets += [(1.0, link(ip(tcp(data, sequence), 6, A, B), 1)) for sequence, data in parts]
    path = tmp_path_factory.mktemp("pcap") / "x"
    path.write_bytes(pcap(packets))
    found = read_capture(path)
    assert [one.data for one in found] == [ASK, LONG, OK]
    assert {(one.source, one.dest) for one in found} == {TCP_ENDS}


def test_a_stream_without_its_beginning(capture) -> None:       # type: ignore[no-untyped-def]
    middle = link(ip(tcp(LONG[2000:], 500), 6, A, B), 1)
    whole = link(ip(tcp(OK, 500 + len(LONG) - 2000), 6, A, B), 1)
    assert [one.data for one in capture(pcap([(1.0, middle), (1.0, whole)]))] == [OK]


def test_a_segment_sent_again_with_more_behind_it(capture) -> None:       # type: ignore[no-untyped-def]
    packets = [tcp(b"", 9, 2), tcp(ASK[:50], 10), tcp(ASK[:90], 10), tcp(ASK[90:], 100)]
    assert [one.data for one in capture(pcap([(1.0, link(ip(one, 6, A, B), 1)) for one in packets]))] == [ASK]


def test_broken_files(capture, tmp_path: Path) -> None:     # type: ignore[no-untyped-def]
    good = pcap([(1.0, link(ip(udp(ASK), 17, A, B), 1))] * 2)
    assert len(capture(good[:-10])) == 1, "what came before the end stays"
    for data in (b"", b"no capture at all", good[:24] + b"\xff" * 40, b"\x0a\x0d\x0d\x0a" + b"\xff" * 50):
        try:
            assert capture(data) == []
        except OsipError as error:
            assert "some.pcap is" in str(error)
    with pytest.raises(OsipError, match="No such file"):
        read_capture(tmp_path / "none")


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_no_bytes_bring_it_down(tmp_path_factory, data) -> None:        # type: ignore[no-untyped-def]
    packets = [(1.0, link(ip(udp(ASK), 17, A, B), 1)), (1.0, link(ip(tcp(OK, 9), 6, *SIX), 1))]
    text = bytearray(data.draw(st.sampled_from([pcap(packets), pcapng(packets), pcapng(packets, order=">")])))
    for _ in range(data.draw(st.integers(1, 6))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("pcap") / "x"
    path.write_bytes(text)
    try:
        assert len(read_capture(path)) <= 2
    except OsipError:
        pass
