"""Stream connections on a fake stream and a fake clock: framing, deadlines, queues, aliases, the table."""
from __future__ import annotations

from typing import Any

import pytest

from osip.core.net import connections
from osip.core.net.connections import CLOSED, GATHERED, OPEN, Connection, Connections, StreamLimits
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.run.config import Config
from osip.core.run.timers import Timers

LOCAL = LocalSocket("tcp", "192.0.2.1", 5060)
PEER = ("192.0.2.7", 40000)
DEST = Dest("tcp", *PEER)


def message(number: int = 1, via: str = "h;branch=z9hG4bK1", body: str = "") -> bytes:
    return (f"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP {via}\r\nCSeq: {number} OPTIONS\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


class Stream:
    """A loop transport that remembers what was done to it."""

    def __init__(self, peer: Any = PEER) -> None:
        self.peer, self.written, self.calls, self.buffered = peer, b"", [], 0

    def get_extra_info(self, name: str) -> Any:
        return self.peer if name == "peername" else None

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


class Bench:
    """A table with its receiver, wheel and clock."""

    def __init__(self, queue: int = 1000, pong: bool = True, per_address: int = 0, **settings: Any) -> None:
        config = Config()
        for name, value in settings.items():
            config.set(name, value)
        self.now = 1000.0
        self.timers = Timers(self.now)
        self.table = Connections(StreamLimits(config, queue, pong, per_address), self.timers, worker=3, clock=lambda: self.now)
        self.table.receiver = self                      # type: ignore[assignment]
        self.calls: list[Any] = []
        self.sources: list[Any] = []

    def batch_start(self) -> None:
        self.calls.append("start")

    def receive(self, raw: bytes, source: Any) -> None:
        self.calls.append(raw)
        self.sources.append(source)
        if b"CSeq: 666" in raw:
            raise KeyError("broken on purpose")

    def batch_end(self) -> None:
        self.calls.append("end")

    def accept(self, peer: Any = PEER) -> tuple[Connection, Stream]:
        conn, stream = Connection(self.table, LOCAL), Stream(peer)
        conn.connection_made(stream)
        return conn, stream

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.timers.run(self.now)


def test_whole_messages_are_one_batch_with_one_source() -> None:
    bench = Bench()
    conn, _ = bench.accept()
    conn.data_received(message(1) + message(2, body="abc"))
    assert bench.calls == ["start", message(1), message(2, body="abc"), "end"]
    source = bench.sources[0]
    assert (source.socket, source.host, source.port, source.conn) == (LOCAL, *PEER, conn.id)
    assert bench.sources[1] is source and conn.id & 255 == 3


class Answering(Bench):
    """A bench that answers each message twice, on the connection `to`."""
    to: Connection

    def receive(self, raw: bytes, source: Any) -> None:
        super().receive(raw, source)
        assert self.to.write(b"a", DEST) and self.to.write(b"b", DEST)
        if b"CSeq: 7" in raw:
            self.to.close()


def writes(stream: Stream) -> list[bytes]:
    """Note each write of a stream by itself."""
    found: list[bytes] = []
    stream.write = found.append                         # type: ignore[method-assign]
    return found


def test_what_a_batch_sends_leaves_together() -> None:
    bench = Answering()
    conn, stream = bench.accept()
    bench.to, found = conn, writes(stream)
    conn.data_received(message(1) + message(2))
    assert found == [b"abab"] and conn.sent == 4
    assert conn.write(b"c", DEST) and found == [b"abab", b"c"]          # outside of a batch at once


def test_another_connection_gets_it_together_too() -> None:
    bench = Answering()
    conn, _ = bench.accept()
    bench.to, stream = bench.accept(("10.9.9.9", 5))
    found = writes(stream)
    conn.data_received(message(1) + message(2))
    assert found == [b"abab"]


def test_nothing_overtakes_what_was_gathered() -> None:
    bench = Answering()
    conn, stream = bench.accept()
    bench.to, found = conn, writes(stream)
    conn.data_received(message(1) + b"\r\n\r\n" + message(2))
    assert found == [b"ab", b"\r\n", b"ab"]


def test_what_was_gathered_leaves_before_a_close() -> None:
    bench = Answering()
    conn, stream = bench.accept()
    bench.to, found = conn, writes(stream)
    conn.data_received(message(7))
    assert found == [b"ab"] and stream.calls == ["close"]


def test_what_was_gathered_counts_against_the_queue() -> None:
    bench = Bench(queue=10)
    conn, stream = bench.accept()
    found = writes(stream)
    assert bench.table.begin_batch() and not bench.table.begin_batch()
    assert conn.write(b"x" * 6, DEST) and not conn.write(b"y" * 6, DEST) and not found
    bench.table.end_batch()
    assert found == [b"x" * 6] and bench.table.ready is None


def test_a_connection_that_fails_costs_no_other_its_messages() -> None:
    bench = Bench()
    broken, stream = bench.accept()
    fine, other = bench.accept(("10.9.9.9", 5))
    found = writes(other)

    def fail(data: bytes) -> None:
        raise RuntimeError("the handler is closed")
    stream.write = fail                                 # type: ignore[method-assign]
    bench.table.begin_batch()
    assert broken.write(b"x", DEST) and fine.write(b"y", DEST)
    bench.table.end_batch()
    assert found == [b"y"]


def test_much_does_not_wait_for_the_end() -> None:
    bench = Bench(queue=10 * GATHERED)
    conn, stream = bench.accept()
    found = writes(stream)
    bench.table.begin_batch()
    assert conn.write(b"x" * GATHERED, DEST) and found == [b"x" * GATHERED]
    bench.table.end_batch()
    assert found == [b"x" * GATHERED]


def test_what_a_batch_puts_off_is_done_before_its_answers_leave() -> None:
    bench = Answering(queue=10 * GATHERED)
    bench.to, stream = bench.accept()
    stream.write = lambda data: bench.calls.append(len(data))       # type: ignore[method-assign]
    bench.to.data_received(message(1))
    assert bench.calls == ["start", message(1), "end", 2]
    bench.calls.clear()
    bench.table.begin_batch()
    bench.to.write(b"x" * GATHERED, DEST)
    assert bench.calls == ["end", GATHERED, "start"], "much leaves in the middle"
    bench.table.end_batch()


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_any_split_gives_the_same_messages(size: int) -> None:
    bench = Bench()
    conn, _ = bench.accept()
    raw = message(1, body="x" * 40) + b"\r\n\r\n" + message(2)
    for at in range(0, len(raw), size):
        conn.data_received(raw[at:at + size])
    assert [call for call in bench.calls if isinstance(call, bytes)] == [message(1, body="x" * 40), message(2)]


@pytest.mark.parametrize("pong, answer", [(True, b"\r\n"), (False, b"")])
def test_double_crlf_is_answered(pong: bool, answer: bytes) -> None:
    conn, stream = Bench(pong=pong).accept()
    conn.data_received(b"\r\n\r\n")
    assert stream.written == answer


def test_an_exception_costs_one_message_only() -> None:
    bench = Bench()
    conn, _ = bench.accept()
    conn.data_received(message(666) + message(2))
    assert bench.calls == ["start", message(666), message(2), "end"]
    assert bench.table.failures == 1 and conn.state == OPEN


def test_garbage_closes_after_what_was_whole() -> None:
    bench = Bench()
    conn, stream = bench.accept()
    conn.data_received(message(1) + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert bench.calls == ["start", message(1), "end"]
    assert stream.calls == ["close"] and conn.state == CLOSED and len(bench.table) == 0
    assert bench.table.faults == 1


def test_idle_connections_close_and_traffic_or_a_hold_keeps_them() -> None:
    bench = Bench(tcp_connection_lifetime=10)
    conn, stream = bench.accept()
    bench.advance(9)
    conn.data_received(message())
    bench.advance(9)
    assert conn.write(b"x", Dest("tcp", *PEER)) and conn.state == OPEN
    bench.advance(9)
    conn.hold_until = bench.now + 20
    bench.advance(19)
    assert stream.calls == []
    bench.advance(2)
    assert stream.calls == ["close"] and len(bench.table) == 0


def test_a_half_message_has_its_time() -> None:
    bench = Bench(tcp_max_msg_time=4)
    conn, stream = bench.accept()
    conn.data_received(message()[:30])
    bench.advance(3)
    conn.data_received(message()[30:40])                # dripping does not help
    bench.advance(0.8)
    assert stream.calls == []
    bench.advance(0.5)
    assert stream.calls == ["close"]


def test_each_half_message_has_its_own_time() -> None:
    bench = Bench(tcp_max_msg_time=4)
    conn, stream = bench.accept()
    conn.data_received(message()[:30])
    bench.advance(3)
    conn.data_received(message()[30:] + message()[:30])
    bench.advance(3)
    conn.data_received(message()[30:])
    bench.advance(30)
    assert stream.calls == [] and conn.received == 2


def test_queue_is_bounded() -> None:
    bench = Bench(queue=100)
    conn, stream = bench.accept()
    stream.buffered = 90
    dest = Dest("tcp", *PEER)
    assert [conn.write(b"x" * size, dest) for size in (11, 10)] == [False, True]
    assert bench.table.dropped == 1 and stream.written == b"x" * 10


def test_messages_wait_bounded_while_connecting_and_leave_in_order() -> None:
    bench = Bench(queue=5)
    conn = Connection(bench.table, LOCAL, *PEER)
    bench.table.add(conn)
    dest = Dest("tcp", *PEER)
    assert [conn.write(data, dest) for data in (b"abc", b"de", b"f")] == [True, True, False]
    stream = Stream()
    conn.connection_made(stream)
    assert stream.written == b"abcde" and conn.write(b"g", dest) and stream.written == b"abcdeg"


def test_a_failed_connection_returns_what_waited() -> None:
    bench = Bench()
    conn = Connection(bench.table, LOCAL, *PEER)
    bench.table.add(conn)
    dest = Dest("tcp", *PEER)
    conn.write(b"abc", dest)
    assert conn.failed() == [(b"abc", dest)]
    assert bench.table.find(dest) is None and not conn.write(b"d", dest)


def test_back_pressure_only_on_accepted_connections() -> None:
    bench = Bench()
    conn, stream = bench.accept()
    conn.pause_writing()
    conn.resume_writing()
    assert stream.calls == ["pause_reading", "resume_reading"]
    ours, own_stream = Connection(bench.table, LOCAL, "192.0.2.8", 5060), Stream()
    ours.connection_made(own_stream)
    ours.pause_writing()
    assert own_stream.calls == []


def test_a_peer_that_never_reads_is_cut_off() -> None:
    bench = Bench()
    conn, stream = bench.accept()
    conn.pause_writing()
    for _ in range(int(connections.STUCK) + 1):
        conn.write(b"x", Dest("tcp", *PEER))            # traffic towards it does not count
        bench.advance(1)
    assert stream.calls == ["pause_reading", "abort"]


def test_the_table_is_bounded() -> None:
    bench = Bench(tcp_max_connections=2)
    bench.accept(("192.0.2.7", 1))
    first, _ = bench.accept(("192.0.2.7", 2))
    _, stream = bench.accept(("192.0.2.7", 3))
    assert stream.calls == ["abort"] and len(bench.table) == 2 and bench.table.refused == 1
    first.connection_lost(None)
    _, stream = bench.accept(("192.0.2.7", 3))
    assert stream.calls == []


def test_find_prefers_the_named_connection_then_the_address() -> None:
    bench = Bench()
    one, _ = bench.accept(("192.0.2.7", 1))
    two, _ = bench.accept(("192.0.2.7", 2))
    assert bench.table.find(Dest("tcp", "192.0.2.7", 1, conn=two.id)) is two
    two.connection_lost(None)
    assert bench.table.find(Dest("tcp", "192.0.2.7", 1, conn=two.id)) is one
    assert bench.table.find(Dest("tcp", "192.0.2.7", 2, conn=two.id)) is None


def test_a_newer_connection_to_the_same_peer_outlives_the_older() -> None:
    bench = Bench()
    old, _ = bench.accept()
    new, _ = bench.accept()
    old.connection_lost(None)
    assert bench.table.find(Dest("tcp", *PEER)) is new


@pytest.mark.parametrize("mode, via, port", [
    (0, "h:5071;alias", 0), (1, "h:5071", 0), (1, "h:5071;alias", 5071), (1, "h;alias;branch=x", 5060),
    (2, "h:5072", 5072), (1, "h:5071;branch=alias", 0), (2, "", 0),
])
def test_aliases_are_learned_from_requests(mode: int, via: str, port: int) -> None:
    bench = Bench(tcp_accept_aliases=mode)
    conn, _ = bench.accept()
    conn.data_received(message(via=via))
    assert conn.alias_port == port
    if port:
        assert bench.table.find(Dest("tcp", PEER[0], port)) is conn
        conn.connection_lost(None)
        assert bench.table.find(Dest("tcp", PEER[0], port)) is None


def test_an_alias_cannot_be_taken_over() -> None:
    bench = Bench()
    one, _ = bench.accept(("192.0.2.7", 1))
    two, _ = bench.accept(("192.0.2.7", 2))
    assert bench.table.alias(one.id, 5060) and not bench.table.alias(two.id, 5060)
    assert bench.table.find(Dest("tcp", "192.0.2.7", 5060)) is one
    assert bench.table.alias(one.id, 5070)              # a new port replaces the old
    assert bench.table.find(Dest("tcp", "192.0.2.7", 5060)) is None
    assert not bench.table.alias(999, 5060)


def test_listing() -> None:
    bench = Bench(tcp_connection_lifetime=60)
    conn, _ = bench.accept()
    bench.advance(10)
    assert conn.listing(bench.now) == {
        "ID": conn.id, "Type": "tcp", "State": "open", "Remote": "192.0.2.7:40000", "Local": "192.0.2.1:5060",
        "Lifetime": 50, "Alias port": 0, "Sent": 0, "Received": 0}


def test_one_address_has_its_share() -> None:
    bench = Bench(per_address=2)
    conns = [bench.accept(("192.0.2.7", port)) for port in (1, 2, 3)]
    assert [conn.state for conn, _ in conns] == [OPEN, OPEN, CLOSED] and conns[2][1].calls == ["abort"]
    assert bench.accept(("192.0.2.8", 1))[0].state == OPEN
    conns[0][0].close()
    conns[0][0].connection_lost(None)
    assert bench.accept(("192.0.2.7", 4))[0].state == OPEN and bench.table.refused == 1


def test_the_oldest_silent_connection_makes_room() -> None:
    bench = Bench(tcp_max_connections=3)
    busy, silent, other = [bench.accept(("192.0.2.7", port))[0] for port in (1, 2, 3)]
    busy.data_received(message())
    assert bench.accept(("192.0.2.8", 1))[0].state == CLOSED            # all have just come
    bench.advance(1.5)
    assert bench.accept(("192.0.2.8", 2))[0].state == OPEN
    assert (busy.state, silent.state, other.state) == (OPEN, CLOSED, OPEN) and bench.table.shed == 1
    for conn in (other, *list(bench.table)):
        conn.data_received(message())
    bench.advance(1.5)
    assert bench.accept(("192.0.2.8", 3))[0].state == CLOSED            # all are in use


def test_unfinished_messages_are_bounded_in_all() -> None:
    bench = Bench()
    bench.table.limits.unfinished = 1000
    small, big, other = [bench.accept(("192.0.2.7", port)) for port in (1, 2, 3)]
    start = message(1, body="x" * 900)
    small[0].data_received(start[:300])
    big[0].data_received(start[:600])
    other[0].data_received(message() + start[:90])
    assert bench.table.unfinished == 990 and len(bench.table) == 3
    other[0].data_received(start[90:110])
    assert big[0].state == CLOSED and "abort" in big[1].calls, "the one that holds most goes"
    assert (bench.table.unfinished, len(bench.table), bench.table.faults) == (410, 2, 1)
    small[0].data_received(start[300:])
    assert bench.table.unfinished == 110 and bench.calls.count(start) == 1
    other[0].data_received(b"x" * 60)
    other[0].connection_lost(None)
    assert bench.table.unfinished == 0
    late, _ = bench.accept(("192.0.2.7", 4))
    late.close()
    bench.table.weigh(late, 5000)
    assert bench.table.unfinished == 0, "one that is closed counts no more"


def test_handshakes_in_progress_take_room() -> None:
    bench = Bench(tcp_max_connections=3)
    bench.table.greeting = 2
    assert bench.accept(("192.0.2.7", 1))[0].state == OPEN and bench.accept(("192.0.2.7", 2))[0].state == CLOSED


def test_a_refused_connection_takes_nothing() -> None:
    bench = Bench(per_address=1)
    bench.accept(("192.0.2.7", 1))
    refused, _ = bench.accept(("192.0.2.7", 2))
    refused.data_received(message())
    assert not bench.calls


def test_ids_name_their_worker() -> None:
    bench = Bench()
    assert connections.worker_of(bench.accept()[0].id) == 3
