"""A TLS layer between two pieces of memory: no socket, every split; handshakes over sockets are in
tests/modules/test_proto_tls.py."""
from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.certificates import Authority

from osip.core.net.endpoint import LocalSocket
from osip.core.net.tls import TlsDomain, TlsLayer


class Below:
    """The loop's transport: what is written waits here."""

    def __init__(self) -> None:
        self.out = b""
        self.is_closed = self.is_aborted = self.is_paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 4711) if name == "peername" else default

    def write(self, data: bytes) -> None:
        self.out += data

    def take(self) -> bytes:
        data, self.out = self.out, b""
        return data

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def get_write_buffer_size(self) -> int:
        return len(self.out)


class Upper:
    """The connection above."""
    id, state, host = 7, 0, ""
    local = LocalSocket("tls", "127.0.0.1", 5061)

    def __init__(self) -> None:
        self.stream: Any = None
        self.got: list[bytes] = []
        self.is_lost = False

    def connection_made(self, stream: Any) -> None:
        self.stream, self.state = stream, 1

    def data_received(self, data: bytes) -> None:
        self.got.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def close(self) -> None:
        self.state = 2
        self.stream.close()


class Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call, self.is_cancelled = call, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Owner:
    """The transport, as far as a layer needs it."""
    proto, handshake_time = "tls", 5.0
    handshakes_done = handshakes_failed = 0
    on_session: Any = None
    watcher: Any = None

    def __init__(self, domain: TlsDomain | None) -> None:
        self.domains = self.connections = self
        self.faults = 0
        self.open = 0
        self.domain, self.asked, self.said, self.has_room = domain, "", "", True
        self.timers: list[Timer] = []

    def server(self, local: LocalSocket, name: str) -> TlsDomain | None:
        self.asked = name
        return self.domain

    def begin(self, layer: TlsLayer, host: str) -> bool:
        self.open += self.has_room
        return self.has_room

    def ended(self, layer: TlsLayer) -> None:
        self.open = 0

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(call))
        return self.timers[-1]

    def complain(self, what: str, text: str, *args: Any) -> None:
        self.said = text % args


class Pair:
    """A server layer and OpenSSL's own client."""

    def __init__(self, folder: Path, with_domain: bool = True) -> None:
        authority = Authority(folder)
        files = authority.issue("srv", hosts=("a.b",))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.cert, files.key)
        self.owner = Owner(TlsDomain("d", context) if with_domain else None)
        self.upper, self.below = Upper(), Below()
        self.layer = TlsLayer(self.owner, self.upper, True)         # type: ignore[arg-type]
        trusted = ssl.create_default_context(cafile=str(authority.files.cert))
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = trusted.wrap_bio(self._in, self._out, server_hostname="a.b")
        self.layer.connection_made(self.below)

    def move(self, size: int = 100_000) -> None:
        """Carry what waits both ways, `size` bytes at a time to the server."""
        data = self._out.read()
        for at in range(0, len(data), size):
            self.layer.data_received(data[at:at + size])
        self._in.write(self.below.take())

    def shake(self, size: int = 100_000) -> None:
        for _ in range(4):
            try:
                self.client.do_handshake()
            except ssl.SSLWantReadError:
                self.move(size)
        self.move(size)


@pytest.mark.parametrize("size", [1, 5, 100_000])
def test_any_split(tmp_path: Path, size: int) -> None:
    pair = Pair(tmp_path)
    pair.shake(size)
    assert pair.owner.asked == "a.b" and pair.upper.stream is pair.layer and pair.owner.open == 0
    assert pair.owner.timers[0].is_cancelled and pair.owner.handshakes_done == 1
    pair.client.write(b"x" * 40_000)
    pair.move(size)
    assert b"".join(pair.upper.got) == b"x" * 40_000
    pair.layer.write(b"answer")
    pair.move()
    assert pair.client.read(100) == b"answer"
    assert pair.layer.get_extra_info("ssl_object").version() == "TLSv1.3"
    assert pair.layer.get_extra_info("peername") == ("192.0.2.1", 4711)


def test_both_sides_say_goodbye(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.shake()
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.unwrap()
    pair.move()
    assert pair.upper.state == 2 and pair.below.is_closed
    assert pair.client.unwrap() is None                     # the server's close_notify came
    pair.layer.write(b"too late")
    assert not pair.below.out
    pair.layer.connection_lost(None)
    assert pair.upper.is_lost


def test_back_pressure_goes_through(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.shake()
    pair.layer.pause_reading()
    assert pair.below.is_paused
    pair.layer.resume_reading()
    assert not pair.below.is_paused and pair.layer.get_write_buffer_size() == 0


@pytest.mark.parametrize(("with_domain", "data", "words"), [
    (True, b"OPTIONS sip:a SIP/2.0\r\n", "not TLS"), (False, None, "no TLS domain of type server is for a.b")])
def test_faults_before_the_handshake(tmp_path: Path, with_domain: bool, data: bytes | None, words: str) -> None:
    pair = Pair(tmp_path, with_domain)
    if data is not None:
        pair.layer.data_received(data)
    else:
        pair.shake()
    assert words in pair.owner.said and pair.below.is_closed and pair.upper.stream is None
    assert pair.owner.faults == pair.owner.handshakes_failed == 1 and pair.owner.open == 0
    pair.layer.data_received(b"more")                       # nothing listens any more
    pair.layer.connection_lost(None)
    assert not pair.upper.is_lost


def test_garbage_within_a_session_ends_it(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.shake()
    pair.layer.data_received(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert pair.owner.faults == 1 and pair.owner.handshakes_failed == 0 and pair.below.is_closed and not pair.upper.got


def test_a_handshake_has_its_time(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.owner.timers[0].call()
    assert "no handshake in 5.0 s" in pair.owner.said and pair.below.is_closed


def test_no_room(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.owner.has_room = False
    below = Below()
    TlsLayer(pair.owner, Upper(), True).connection_made(below)      # type: ignore[arg-type]
    assert below.is_aborted
