"""Read and change the session description."""

from __future__ import annotations

from typing import Any

import pytest

from kit.builtin import Words
from osip.core.sip.edits import splice
from osip.core.sip.message import parse
from osip.script.builtins.sdp import parse_selector, parse_stream

SDP = (
    "v=0\r\no=- 1 2 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 4004 RTP/AVP 18\r\na=sendonly\r\n"
)
HEAD = (
    "INVITE sip:b@h SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1:5066;branch=z9hG4bKabc\nFrom: <sip:a@h>;tag=1\nTo: <sip:b@h>\n"
    "Call-ID: c\nCSeq: 1 INVITE\nContent-Type: application/sdp\n"
)


def offer(words: Words) -> Any:
    return words.ctx(f"{HEAD}Content-Length: {len(SDP)}\n\n" + SDP.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("sdp", None, SDP),
        ("sdp.line", "c=", "c=IN IP4 10.0.0.1"),
        ("sdp.line", "a=rtpmap[1]", "a=rtpmap:8 PCMA/8000"),
        ("sdp.line", "a=rtpmap[9]", None),
        ("sdp.line", "o=/[4]", "IP4"),
        ("sdp.line", "o=/IP", "IP4"),
        ("sdp.line", "o=/[99]", None),
        ("sdp.line", "m=[2]", "m=audio 4004 RTP/AVP 18"),
        ("sdp.session", "t=", "t=0 0"),
        ("sdp.session", "a=rtpmap", None),
        ("sdp.stream", "video", "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"),
        ("sdp.stream", "audio[1]/a=", "a=sendonly"),
        ("sdp.stream", "audio[0]/a=rtpmap[1]/PCM", "PCMA/8000"),
        ("sdp.stream", "[1]/m=/[1]", "4002"),
        ("sdp.stream", "text", None),
        ("sdp.stream.idx", "audio[1]", 2),
        ("sdp.stream.idx", "text", None),
    ],
)
def test_read(name: str, key: str | None, value: Any) -> None:
    words = Words()
    assert words.get(offer(words), name, key) == value


@pytest.mark.parametrize(
    ("name", "key", "value", "removed", "added"),
    [
        ("sdp.line", "c=", "c=IN IP4 192.0.2.9", "c=IN IP4 10.0.0.1\r\n", "c=IN IP4 192.0.2.9\r\n"),
        ("sdp.line", "c=", None, "c=IN IP4 10.0.0.1\r\n", ""),
        ("sdp.line", "m=/4000", "5000", "m=audio 4000", "m=audio 5000"),
        ("sdp.line", "m=/8", None, "RTP/AVP 0 8", "RTP/AVP 0"),
        ("sdp.session", "b=", "b=AS:64", "", "t=0 0\r\nb=AS:64\r\n"),
        ("sdp.stream", "audio[1]/a=", "a=inactive", "a=sendonly", "a=inactive"),
        ("sdp.stream", "video", None, "m=video 4002", ""),
        ("sdp.stream", "video/a=fmtp", "a=fmtp:96 x", "", "H264/90000\r\na=fmtp:96 x\r\n"),
    ],
)
def test_write(name: str, key: str, value: Any, removed: str, added: str) -> None:
    words = Words()
    ctx = offer(words)
    assert words.set(ctx, name, value, key)
    text = words.get(ctx, "sdp")
    assert isinstance(text, str) and added in text and (not removed or removed not in text)
    assert words.get(ctx, "rb") == SDP  # the received one stays
    sent = parse(splice(ctx.msg.raw, ctx.edit))
    assert sent.body.decode() == text and sent.content_length == len(text)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("sdp.line", "x=", None),
        ("sdp.line", "x=", "y=1"),
        ("sdp.line", "x=/[1]", "y"),
        ("sdp.stream", "text/a=", "a=x"),
    ],
)
def test_what_cannot_be_written(name: str, key: str, value: Any) -> None:
    words = Words()
    ctx = offer(words)
    assert not words.set(ctx, name, value, key) and words.get(ctx, "sdp") == SDP


def test_whole() -> None:
    words = Words()
    ctx = words.ctx()  # its body is text
    assert (
        words.get(ctx, "sdp") is None
        and not words.set(ctx, "sdp", None)
        and not words.set(ctx, "sdp.line", "c=1", "c=")
    )
    assert words.set(ctx, "sdp", SDP) and words.get(ctx, "sdp") == SDP
    assert words.set(ctx, "sdp", None) and words.get(ctx, "sdp") is None


@pytest.mark.parametrize("text", ["a[x]", "a[1", "a=]"])
def test_bad_selectors(text: str) -> None:
    for parse_one in (parse_selector, parse_stream):
        with pytest.raises(ValueError, match="selector"):
            parse_one(text)
