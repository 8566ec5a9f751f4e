"""Check session descriptions: sections, places, values."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip.sdp import parse_sdp

BODY = (
    b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 1.1.1.1/127\r\n"
    b"a=sendonly\r\nt=0 0\r\nm=audio 5000/2 RTP/AVP 0 8 101\r\n"
    b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n\r\n"
    b"m=video 0 RTP/AVP 31\nc=IN IP6 ::1\na=inactive\n"
)


def test_sections() -> None:
    sdp = parse_sdp(BODY)
    audio, video = sdp.media
    assert (audio.kind, audio.port, audio.protocol, audio.formats) == ("audio", 5000, "RTP/AVP", ["0", "8", "101"])
    assert (video.kind, video.port) == ("video", 0)
    assert (sdp.address(audio), sdp.address(video)) == ("1.1.1.1", "::1")
    assert (sdp.session.direction, audio.direction, video.direction) == ("sendonly", "", "inactive")
    assert (audio.codec("0"), audio.codec("101"), audio.codec("8")) == ("PCMU/8000", "telephone-event/8000", "")
    assert audio.attributes("ptime") == ["20"] and audio.find("x") is None
    assert str(sdp.lines[0]) == "v=0" or repr(sdp.lines[0]) == "v=0"


def test_places() -> None:
    sdp = parse_sdp(BODY)
    for line in sdp.lines:
        assert BODY[line.start : line.end].decode() == f"{line.kind}={line.value}"
    assert BODY[sdp.media[1].start : sdp.media[1].end] == b"m=video 0 RTP/AVP 31\nc=IN IP6 ::1\na=inactive\n"
    assert sdp.session.start == 0 and BODY[sdp.session.end : sdp.session.end + 2] == b"m="


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"s=x\r\n",
        b"v=0\r\nrubbish\r\n",
        b"v=0\r\nm=audio\r\n",
        b"v=0\r\nm=audio x RTP/AVP 0\r\n",
        b"v=0\r\nm=audio 999999 RTP/AVP 0\r\n",
        b"v=0\r\n =x",
    ],
)
def test_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_sdp(body)


def test_any_byte_survives() -> None:
    assert parse_sdp(b"v=0\r\ns=\xff").session.lines[1].value.encode("utf-8", "surrogateescape") == b"\xff"
