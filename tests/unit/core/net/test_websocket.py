"""WebSockets as bytes: handshakes good and bad, frames whole, split, fragmented and hostile, both sides."""
from __future__ import annotations

import gc
import struct
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osip.core.net.websocket import MAX_HTTP, WebSocket, WsLimits
from osip.core.sip.framing import PING

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEADERS = {"Host": "h", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
           "Sec-WebSocket-Version": "13", "Origin": "http://page", "Sec-WebSocket-Protocol": "sip"}
SIP = b"OPTIONS sip:a@b SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n"
TEXT, BINARY, CONT, CLOSE, A_PING, A_PONG = 1, 2, 0, 8, 9, 10


def upgrade(line: str = "GET / HTTP/1.1", **change: str | None) -> bytes:
    headers = dict(HEADERS)
    for name, value in change.items():
        headers[name.replace("_", "-")] = value     # type: ignore[assignment]
    return (line + "\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items() if v is not None) + "\r\n").encode()


def frame(opcode: int, data: bytes, fin: bool = True, size: int | None = None, mask: bool = True) -> bytes:
    """Make a client's frame; `size` is what it claims to be."""
    length = len(data) if size is None else size
    bit = 0x80 if mask else 0
    head = bytes([(0x80 if fin else 0) | opcode])
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", length)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", length)
    return head + (b"\0\0\0\0" if mask else b"") + data


def server(limits: WsLimits | None = None, **change: Any) -> WebSocket:
    socket = WebSocket(limits or WsLimits(**change))
    assert socket.feed(upgrade()) == []
    assert socket.open and socket.take_output().startswith(b"HTTP/1.1 101 ")
    return socket


def close_code(out: bytes) -> int:
    assert out[0] == 0x88, out
    return int(struct.unpack("!H", out[2:4])[0])


def test_handshake_names_the_subprotocol_and_the_key() -> None:
    socket = WebSocket(WsLimits())
    socket.feed(upgrade())
    out = socket.take_output()
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in out
    assert b"Sec-WebSocket-Protocol: sip\r\n" in out


def test_handshake_in_single_bytes_and_a_frame_behind_it() -> None:
    socket = WebSocket(WsLimits())
    found = [item for byte in upgrade() + frame(TEXT, SIP) for item in socket.feed(bytes([byte]))]
    assert found == [SIP]
    assert WebSocket(WsLimits()).feed(upgrade() + frame(TEXT, SIP)) == [SIP]


@pytest.mark.parametrize(("request_bytes", "status"), [
    (upgrade("GET /other HTTP/1.1"), 404),
    (upgrade("POST / HTTP/1.1"), 405),
    (upgrade("GET / HTTP/1.0"), 505),
    (upgrade(Upgrade="h2c"), 426),
    (upgrade(Upgrade=None), 426),
    (upgrade(Origin=None), 403),
    (upgrade(Sec_WebSocket_Protocol=None), 400),
    (upgrade(Sec_WebSocket_Protocol="chat"), 400),
    (upgrade(Sec_WebSocket_Key="short"), 400),
    (upgrade(Sec_WebSocket_Version="8"), 400),
    (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
    (SIP, 400),
    (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    (b"\r\n\r\n", 400),
    (b"A" * 40, 400),
    (b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HTTP, 431),
])
def test_what_is_no_handshake_is_answered_and_closed(request_bytes: bytes, status: int) -> None:
    socket = WebSocket(WsLimits())
    assert socket.feed(request_bytes) == []
    assert socket.take_output().startswith(b"HTTP/1.1 %d " % status)
    assert socket.finished and not socket.open and socket.fault
    assert socket.pending == 0
    assert socket.feed(upgrade()) == [] and socket.take_output() == b""


@pytest.mark.parametrize(("limits", "request_bytes"), [
    (WsLimits("/ws"), upgrade("GET /ws HTTP/1.1")),
    (WsLimits("ws"), upgrade("GET /ws?token=1 HTTP/1.1")),
    (WsLimits(require_origin=False), upgrade(Origin=None)),
    (WsLimits(), upgrade(Sec_WebSocket_Protocol="chat, sip")),
    (WsLimits(), upgrade(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")),
])
def test_accepted_handshakes(limits: WsLimits, request_bytes: bytes) -> None:
    socket = WebSocket(limits)
    socket.feed(request_bytes)
    out = socket.take_output()
    assert socket.open and b" 101 " in out and b"deflate" not in out


@pytest.mark.parametrize(("data", "found"), [
    (frame(TEXT, SIP), [SIP]),
    (frame(BINARY, SIP), [SIP]),
    (frame(BINARY, SIP + b"\xff"), [SIP + b"\xff"]),
    (frame(TEXT, SIP) * 3, [SIP] * 3),
    (frame(TEXT, SIP[:9], False) + frame(CONT, SIP[9:30], False) + frame(CONT, SIP[30:]), [SIP]),
    (frame(TEXT, SIP[:9], False) + frame(A_PING, b"x") + frame(CONT, SIP[9:]), [SIP]),
    (frame(TEXT, b"\r\n\r\n"), [PING]),
    (frame(TEXT, b"\r\n") + frame(TEXT, b"") + frame(A_PONG, b""), []),
    (frame(TEXT, b"\r\n" + SIP), [SIP]),
    (frame(TEXT, SIP + b"a" * 70000), [SIP + b"a" * 70000]),
])
def test_messages_whole_and_split_anywhere(data: bytes, found: list[Any]) -> None:
    assert server().feed(data) == found
    step = max(1, len(data) // 40)
    socket = server()
    assert [item for at in range(0, len(data), step) for item in socket.feed(data[at:at + step])] == found
    assert not socket.finished and socket.pending == 0


@pytest.mark.parametrize(("data", "code", "reason"), [
    (frame(TEXT, b"a" * 10, size=2 << 30), 1009, "too large"),
    (frame(TEXT, b"", size=1 << 62), 1009, "too large"),
    (frame(TEXT, b"a", False) + frame(CONT, b"a", False) * 9, 1009, "fragments"),
    (frame(TEXT, b"a" * 600, False) + frame(CONT, b"a" * 600, False), 1009, "too large"),
    (frame(TEXT, b"\xff\xfe"), 1007, "UTF-8"),
    (frame(TEXT, SIP, mask=False), 1002, "mask"),
    (frame(3, b""), 1002, "opcode"),
    (frame(CONT, b"x"), 1002, "continuation"),
    (frame(A_PING, b"p" * 126), 1002, "control"),
    (frame(A_PING, b"") * 40, 1008, "pings"),
    (frame(TEXT, b"junk") * 9, 1008, "not SIP"),
    (frame(TEXT, b"GET / HTTP/1.1\r\n\r\n"), 1008, "not SIP"),
])
def test_hostile_frames_are_refused_with_little_memory(data: bytes, code: int, reason: str) -> None:
    socket = server(size=1000)
    socket.feed(data)
    out = socket.take_output()
    assert close_code(out[out.rindex(b"\x88"):]) == code
    assert socket.finished and reason in socket.fault and socket.pending == 0
    assert socket.wrap(SIP) == b"" and socket.feed(frame(TEXT, SIP)) == []


def test_what_came_before_a_fault_is_delivered() -> None:
    assert server().feed(frame(TEXT, SIP) + frame(3, b"")) == [SIP]


def test_ping_is_answered_and_close_is_echoed() -> None:
    socket = server()
    socket.feed(frame(A_PING, b"abc"))
    assert socket.take_output() == b"\x8a\x03abc"
    socket.feed(frame(CLOSE, struct.pack("!H", 1000)))
    assert close_code(socket.take_output()) == 1000
    assert socket.finished and socket.fault == ""


def test_sent_messages_are_text_or_binary() -> None:
    socket = server()
    assert socket.wrap(b"abc") == b"\x81\x03abc"
    assert socket.wrap("é".encode()) == b"\x81\x02\xc3\xa9"
    assert socket.wrap(b"\xff") == b"\x82\x01\xff"
    assert socket.ping() == b"\x89\x00"
    assert close_code(socket.close()) == 1001
    assert socket.wrap(b"abc") == b"" and socket.ping() == b"" and socket.close() == b""


@given(st.lists(st.binary(min_size=1, max_size=300).map(lambda raw: SIP + raw), max_size=6),
       st.lists(st.integers(1, 400), max_size=60), st.randoms())
def test_any_split_of_any_frames_gives_the_same_messages(messages: list[bytes], cuts: list[int], dice: Any) -> None:
    stream = b"".join(frame(BINARY, m[:40], False) + frame(CONT, m[40:]) if dice.random() < 0.3 else frame(BINARY, m)
                      for m in messages)
    socket, found = server(), []
    for size in [*cuts, len(stream) + 1]:
        found += socket.feed(stream[:size])
        stream = stream[size:]
    assert found == messages and socket.pending == 0


def joined() -> tuple[WebSocket, WebSocket]:
    near, far = WebSocket(WsLimits(), "ws://192.0.2.1:80/", "http://192.0.2.2"), WebSocket(WsLimits())
    near.start()
    far.feed(near.take_output())
    near.feed(far.take_output())
    return near, far


@pytest.mark.parametrize("data", [
    b"", frame(TEXT, b"x" * 1000, fin=False), frame(TEXT, b"x" * 1000, fin=False) + b"\xff" * 50, frame(TEXT, b"", size=2 << 30),
    frame(TEXT, b"x" * 1000, size=5000)], ids=["open", "part", "fault", "claim", "half"])
def test_what_is_freed_needs_no_collector(data: bytes) -> None:
    """A flood of connections must not wait in memory for the collector of circles, which comes rarely."""
    web = server()
    web.feed(data)
    side = weakref.ref(web._side)
    gc.collect()
    gc.disable()
    try:
        web.free()
        assert side() is None
    finally:
        gc.enable()


def test_a_client_meets_our_server() -> None:
    near, far = joined()
    assert near.open and far.open
    assert far.feed(near.wrap(SIP)) == [SIP]
    assert near.feed(far.wrap(SIP)) == [SIP]
    for size in (0, 1, 125, 126, 65535, 65536, 100000):
        message = (SIP + b"m" * size)[:max(size, len(SIP))]
        assert near.feed(far.wrap(message)) == far.feed(near.wrap(message)) == [message]
    far.feed(near.close())
    assert far.finished and close_code(far.take_output()) == 1001


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", b"HTTP/1.1 200 OK\r\n\r\n", b"SIP/2.0 200 OK\r\n",
    b"\x15\x03\x01", b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: wrong\r\n\r\n"])
def test_a_client_gives_up_on_other_answers(answer: bytes) -> None:
    near = WebSocket(WsLimits(), "ws://192.0.2.1:80/")
    near.start()
    assert b"Sec-WebSocket-Protocol: sip\r\n" in near.take_output()
    assert near.feed(answer) == [] and near.finished and not near.open and near.fault
    assert near.take_output() == b""
