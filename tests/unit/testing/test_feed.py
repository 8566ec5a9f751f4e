"""What a simulation is fed with: messages of files, of captures, answers."""
from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from kit.pcap import ip, link, pcap, udp

from osip.core.errors import OsipError
from osip.testing.feed import Reply, call_id_of, inputs_of, listing, of_capture, of_file, pieces, replies

ASK = b"OPTIONS sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCall-ID: c1\r\n\r\n"
OTHER = ASK.replace(b"Call-ID: c1", b"i: c2")
OK = ASK.replace(b"OPTIONS sip:b@192.0.2.2 SIP/2.0", b"SIP/2.0 200 OK")
A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"


@pytest.mark.parametrize(("raw", "count"), [
    (ASK, 1), (ASK + OK, 2), (ASK.replace(b"\r", b"") + b"\n\n" + OK.replace(b"\r", b""), 2), (b"\n\n" + ASK, 1),
    (b"rubbish\n\n" + ASK, 1), (ASK + b"a body\r\nINFO x SIP/2.0 in the text\r\n", 1), (b"", 0), (b"\n \n", 0),
    (ASK + b"v=0\r\n\r\n" + OK, 2), (ASK + b"body\r\n" + OK, 1)])
def test_messages_of_a_text(raw: bytes, count: int) -> None:
    found = pieces(raw)
    assert len(found) == count and b"".join(found).strip() == raw.strip()


def test_files_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "two").write_bytes(ASK.replace(b"\r", b"") + OK.replace(b"\r", b""))
    assert [one.data for one in of_file(str(tmp_path / "two"))] == [ASK, OK], "line ends are those of SIP"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ASK)))
    assert [one.data for one in inputs_of(["-", str(tmp_path / "two")])] == [ASK, ASK, OK]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    for path in ("-", str(tmp_path / "none")):
        with pytest.raises(OsipError):
            of_file(path)


@pytest.fixture
def capture(tmp_path: Path) -> str:
    rows = [(10.0, ASK, A, B), (10.1, OK, B, A), (11.0, OTHER, C, B), (12.5, OTHER, B, A), (12.5, ASK, A, B),
            (9999.0, OTHER, C, B)]
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([(at, link(ip(udp(data), 17, *ends), 1)) for at, data, *ends in rows]))
    return str(path)


def test_a_capture_as_its_server_saw_it(capture: str) -> None:
    found, own, at = of_capture(capture)
    assert (own, at) == (B, 10.0)
    assert [(one.data, one.source, round(one.wait, 3)) for one in found] == [
        (ASK, "udp:192.0.2.1:5060", 0.0), (OTHER, "udp:192.0.2.3:5060", 1.0), (ASK, "udp:192.0.2.1:5060", 1.5),
        (OTHER, "udp:192.0.2.3:5060", 3600.0)]


def test_choosing_from_a_capture(capture: str) -> None:
    assert [one.data for one in of_capture(capture, index=2)[0]] == [OK] and of_capture(capture, index=2)[1] == A
    assert [one.data for one in of_capture(capture, call_id="c2")[0]] == [OTHER] * 2
    for server in (A, A + ":5060"):
        assert [one.data for one in of_capture(capture, server=server)[0]] == [OK, OTHER]
    for more, text in (({"index": 7}, "no number 7"), ({"call_id": "x"}, "no message of the call"),
                       ({"server": "10.9.9.9"}, "no message went to 10.9.9.9; they went to 192.0.2.1:5060")):
        with pytest.raises(OsipError, match=text):
            of_capture(capture, **more)     # type: ignore[arg-type]


def test_a_capture_without_sip(tmp_path: Path) -> None:
    (tmp_path / "e.pcap").write_bytes(pcap([]))
    with pytest.raises(OsipError, match="holds no SIP"):
        of_capture(str(tmp_path / "e.pcap"))
    assert listing(str(tmp_path / "e.pcap")) == []


def test_listing(capture: str) -> None:
    rows = listing(capture)
    assert rows[1] == (2, "0.100", "c1", "udp:192.0.2.2:5060 -> 192.0.2.1:5060  SIP/2.0 200 OK")
    assert [row[2] for row in rows] == ["c1", "c1", "c2", "c2", "c1", "c2"]


def test_no_call_id() -> None:
    from osip.testing.capture import Captured
    assert call_id_of(Captured(0, "", "", b"x")) == ""


def test_answers() -> None:
    assert replies(["486", "486 Busy Here", "10.0.0.2:5070=180", "sip:b@10.0.0.2=200 OK", "wait=2.5"]) == [
        Reply(486), Reply(486, "Busy Here"), Reply(180, "", "10.0.0.2:5070"), Reply(200, "OK", "sip:b@10.0.0.2"),
        Reply(0, wait=2.5)]
    for word in ("busy", "99", "700", "wait=x", ""):
        with pytest.raises(OsipError, match="is no answer"):
            replies([word])
