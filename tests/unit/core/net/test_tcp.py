"""Which connection a message takes, on a loop that never connects; real streams are in tests/modules."""
from __future__ import annotations

from typing import Any

from osip.core.net.connections import CLOSED, Connection
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.tcp import TcpTransport
from osip.core.run.config import Config
from osip.core.run.timers import Timers

LOCAL = LocalSocket("tcp", "192.0.2.1", 5060)


class Stream:
    def __init__(self, peer: tuple[str, int]) -> None:
        self.peer, self.written, self.closed = peer, b"", False

    def get_extra_info(self, name: str) -> Any:
        return self.peer

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


class Offline(TcpTransport):
    """A transport whose connections stay in the making."""

    def __init__(self, **settings: Any) -> None:
        config = Config()
        for name, value in settings.items():
            config.set(name, value)
        super().__init__(config, Timers(), clock=lambda: 50.0)
        self.making: list[Connection] = []
        self._locals.append(LOCAL)

    async def _make(self, conn: Connection) -> None:
        raise AssertionError("not run")

    def _spawn(self, work: Any) -> None:
        self.making.append(work.cr_frame.f_locals["conn"])
        work.close()

    def accept(self, peer: tuple[str, int]) -> tuple[Connection, Stream]:
        conn, stream = Connection(self.connections, LOCAL), Stream(peer)
        conn.connection_made(stream)
        return conn, stream


def test_messages_share_the_connection_in_the_making() -> None:
    transport = Offline()
    dest = Dest("tcp", "192.0.2.7", 5060)
    assert transport.send(b"a", dest) and transport.send(b"b", Dest("tcp", "192.0.2.7", 5060))
    assert len(transport.making) == 1 and transport.reaches(dest)
    stream = Stream(("192.0.2.7", 5060))
    transport.making[0].connection_made(stream)
    assert stream.written == b"ab"


def test_a_named_connection_an_alias_and_the_address() -> None:
    transport = Offline()
    conn, stream = transport.accept(("192.0.2.7", 40000))
    assert transport.send(b"1", Dest("tcp", "192.0.2.99", 1, conn=conn.id))
    assert transport.send(b"2", Dest("tcp", "192.0.2.7", 40000))
    assert transport.alias(conn.id, 5060) and transport.send(b"3", Dest("tcp", "192.0.2.7", 5060))
    assert stream.written == b"123" and transport.making == []
    assert transport.disconnect(conn.id) and stream.closed and conn.state == CLOSED
    assert transport.send(b"4", Dest("tcp", "192.0.2.7", 5060, conn=conn.id)) and len(transport.making) == 1
    assert not transport.disconnect(conn.id) and not transport.alias(conn.id, 1)


def test_what_cannot_leave_is_refused() -> None:
    transport = Offline(tcp_max_connections=1)
    assert not transport.send(b"a", Dest("tcp", "name.example", 5060))
    assert not transport.send(b"a", Dest("tcp", "2001:db8::1", 5060))       # no socket of that family
    assert transport.send(b"a", Dest("tcp", "192.0.2.7", 5060))
    assert not transport.send(b"a", Dest("tcp", "192.0.2.8", 5060))         # one too many
    assert transport.connect_failures == 3
    transport.close()
    assert len(transport.connections) == 0 and not transport.send(b"a", Dest("tcp", "192.0.2.8", 5060))


def test_hold_prolongs_only() -> None:
    transport = Offline()
    conn, _ = transport.accept(("192.0.2.7", 40000))
    assert transport.hold(conn.id, 500.0) and transport.hold(conn.id, 400.0)
    assert conn.hold_until == 500.0 and not transport.hold(1, 1.0)
    assert transport.listing()[0]["Lifetime"] == 450
