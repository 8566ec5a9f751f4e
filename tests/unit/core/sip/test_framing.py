"""Check the cutting of streams into messages."""

from __future__ import annotations

import random

import pytest

from osip.core.errors import ParseError
from osip.core.sip import framing
from osip.core.sip.framing import PING, Framer, content_length, starts_as_sip


def message(body: bytes = b"", length: bytes | None = None) -> bytes:
    size = b"%d" % len(body) if length is None else length
    return b"MESSAGE sip:a SIP/2.0\r\nTo: x\r\nContent-Length: " + size + b"\r\n\r\n" + body


ONE, TWO = message(b"one"), message(b"")
BARE = b"SIP/2.0 200 OK\r\nTo: x\r\n\r\n"


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"", []),
        (ONE, [ONE]),
        (ONE + TWO + BARE, [ONE, TWO, BARE]),
        (b"\r\n\r\n", [PING]),
        (b"\r\n", []),
        (b"\r\n\r\n\r\n\r\n", [PING, PING]),
        (b"\r\n\r\n" + ONE + b"\r\n" + TWO + b"\r\n\r\n", [PING, ONE, TWO, PING]),
        (ONE[:-1], []),
        (message(b"\r\n\r\n"), [message(b"\r\n\r\n")]),
        (b"BYE sip:a SIP/2.0\r\nl:2\r\n\r\nab", [b"BYE sip:a SIP/2.0\r\nl:2\r\n\r\nab"]),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_any_step(stream: bytes, expected: list, step: int) -> None:
    framer = Framer()
    out = []
    for start in range(0, len(stream), step):
        out += framer.feed(stream[start : start + step])
    assert out == expected


def test_pending() -> None:
    framer = Framer()
    assert framer.feed(ONE + ONE[:10]) == [ONE]
    assert framer.pending == 10
    assert framer.feed(ONE[10:]) == [ONE]
    assert framer.pending == 0


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"GET / HTTP/1.1\r\n", 400),
        (b"\x16\x03\x01\x02", 400),
        (b"rubbish\r\n", 400),
        (message(length=b"-1"), 400),
        (message(length=b"1x"), 400),
        (message(length=b""), 400),
        (message(length=b"99999999999"), 400),
        (message(length=b"1\r\nl: 2"), 400),
        (message(length=b"101"), 513),
        (b"BYE sip:a SIP/2.0\r\nX: " + b"x" * 300, 513),
        (b"BYE sip:a SIP/2.0\r\nX: " + b"x" * 300 + b"\r\n\r\n", 513),
        (b"\rx", 400),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_refused(stream: bytes, code: int, step: int) -> None:
    framer = Framer(max_head=200, max_body=100)
    with pytest.raises(ParseError) as caught:
        for start in range(0, len(stream), step):
            framer.feed(stream[start : start + step])
    assert caught.value.code == code


def test_what_came_before_the_fault_is_kept() -> None:
    with pytest.raises(ParseError) as caught:
        Framer().feed(ONE + b"GET / HTTP/1.1\r\n\r\n")
    assert caught.value.partial == [ONE]


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"A\r\nContent-Length: 5\r\n", 5),
        (b"A\r\nL :6\r\n", 6),
        (b"A\r\nCONTENT-LENGTH\t:\r\n 7\r\n", 7),
        (b"A\r\n", 0),
        (b"A\r\nX-l: 4\r\n", 0),
        (b"A\r\nl: 5\r\nl: 5\r\n", 5),
    ],
)
def test_content_length(head: bytes, length: int) -> None:
    assert content_length(head) == length


@pytest.mark.parametrize(("message", "answer"), [
    (b"SIP/2.0 200 OK\r\n", True), (b"INVITE sip:a@b SIP/2.0\r\nVia: x", True), (b"junk", False),
    (b"GET / HTTP/1.1\r\n", False), (b"", False), (b"INVITE sip:a@b SIP/2.0", False)])
def test_what_starts_as_sip(message: bytes, answer: bool) -> None:
    assert starts_as_sip(message) is answer


PIECES = (ONE, TWO, BARE, b"\r\n", b"\r\n\r\n", b"BYE sip:a SIP/2.0\r\nl : 2 \r\n\r\nab", b"CONTENT-length:\t1\r\n",
          b"ACK sip:a SIP/2.0\r\nContent-Length: 2\r\nl: 2\r\n\r\nab", b"Contact: x\r\nLx: y\r\n", b"X: a\r\n b\r\n",
          b"sip/2.0 200 ok\r\n", b"SIP/2.0 20", b"A  SIP/2.0\r\n", b"A b\rc SIP/2.0\r\n", b"C:\n", b"l:1\r\n 2\r\n", b"To: x\r\n")


def framed(stream: bytes, slowly: bool) -> tuple[list, str]:
    """What comes of a stream in one piece; slowly, its first byte comes alone, so that nothing is whole at once."""
    framer, out = Framer(2000, 50), []
    try:
        for part in (stream[:1], stream[1:]) if slowly else (stream,):
            out += framer.feed(part)
    except ParseError as error:
        return out + (error.partial or []), error.reason
    return out, f"{framer.pending}"


@pytest.mark.skipif(framing._MEASURE is None, reason="there is only the twin")
def test_the_short_way_frames_as_the_long_one_does() -> None:
    rng, short = random.Random(11), 0
    for _ in range(20000):
        stream = b"".join([rng.choice(PIECES) for _ in range(rng.randint(1, 6))])
        if rng.random() < 0.5:
            at = rng.randrange(len(stream))
            stream = stream[:at] + bytes([rng.choice(b"\r\n :;lL0129\0\xff A")]) + stream[at + rng.randint(0, 1):]
        short += framing._MEASURE(stream, 0, 2000, 50) > 0
        assert framed(stream, False) == framed(stream, True), stream
    assert short > 2000
