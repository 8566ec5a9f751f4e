"""Session descriptions: what is left after codecs and streams are taken away or moved."""
from __future__ import annotations

import pytest

from osip.core.sip.sdp import parse_sdp
from osip.modules.sipmsgops import sdp

AUDIO = (b"m=audio 4000 RTP/AVP 0 96 97\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 x=1\r\na=rtcp-fb:96 nack\r\n"
         b"a=rtpmap:97 G726-32/8000\r\n")
BODY = b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n" + AUDIO + b"a=ptime:20\r\nm=image 4002 udptl t38\r\n"


@pytest.mark.parametrize(("name", "clock", "line", "gone", "kept"), [
    ("opus", None, b"0 97", b":96 ", b"rtpmap:97"), ("OPUS", "48000", b"0 97", b":96 ", b"rtpmap:97"),
    ("PCMU", "8000", b"96 97", b"\0", b"rtpmap:96"), ("g726-32", "", b"0 96", b":97 ", b"rtcp-fb:96"),
])
def test_a_codec_goes_with_its_lines(name: str, clock: str | None, line: bytes, gone: bytes, kept: bytes) -> None:
    left = sdp.delete_codecs(BODY, sdp.by_name(name, clock))
    assert left is not None
    assert b"m=audio 4000 RTP/AVP " + line + b"\r\n" in left and gone not in left and kept in left
    assert b"a=ptime:20\r\nm=image 4002 udptl t38\r\n" in left


@pytest.mark.parametrize(("name", "clock"), [("speex", None), ("opus", "8000"), ("PCMU", "16000"), ("", None)])
def test_nothing_to_take_away(name: str, clock: str | None) -> None:
    assert sdp.delete_codecs(BODY, sdp.by_name(name, clock)) is None or not name


def test_a_stream_without_codecs_is_refused_by_port_0() -> None:
    left = sdp.delete_codecs(BODY, lambda name, clock: bool(name))
    assert left is not None
    audio = parse_sdp(left).media[0]
    assert audio.port == 0 and audio.formats == ["0"]
    assert b"rtpmap" not in left


@pytest.mark.parametrize(("name", "up", "line"), [
    ("opus", True, b"96 0 97"), ("opus", False, b"0 97 96"), ("PCMU", True, None), ("G726-32", False, None)])
def test_moving(name: str, up: bool, line: bytes | None) -> None:
    left = sdp.move_codecs(BODY, sdp.by_name(name, None), up)
    assert left is None if line is None else left == BODY.replace(b"0 96 97", line, 1)


def test_streams() -> None:
    left = sdp.delete_streams(BODY, lambda media: media.kind == "audio")
    assert left is not None and left.endswith(b"t=0 0\r\nm=image 4002 udptl t38\r\n") and b"ptime" not in left
    assert sdp.delete_streams(BODY, lambda media: media.kind == "text") is None


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_line_ends_stay(end: bytes) -> None:
    body = BODY.replace(b"\r\n", end)
    left = sdp.delete_codecs(body, sdp.by_name("opus", None))
    assert left is not None and left.count(b"\r\n") == (left.count(b"\n") if end == b"\r\n" else 0)


@pytest.mark.parametrize(("old", "new", "kind"), [
    (b"s=-", b"s=-\r\nc=IN IP4 0.0.0.0", 1), (b"s=-", b"s=-\r\nc=IN IP6 ::", 1), (b"s=-", b"s=-\r\nc=IN IP4 1.1.1.1",
        -1),
    (b"a=ptime", b"a=sendonly\r\na=ptime", 2), (b"udptl t38", b"udptl t38\r\na=inactive", -1),
    (b"t=0 0", b"t=0 0\r\na=inactive", 2)])
def test_hold(old: bytes, new: bytes, kind: int) -> None:
    assert sdp.hold_kind(BODY.replace(old, new, 1)) == kind
