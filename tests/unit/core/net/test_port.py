"""Batches, queues and bounds of a UDP port, on a scripted socket."""
from __future__ import annotations

from typing import Any

import pytest

from kit.wire import PEER, Receiver, Wire, message, port_of
from osip.core.net import port as port_module
from osip.core.net.endpoint import Dest


def test_batch_is_framed_and_bounded() -> None:
    wire, receiver = Wire([message(n) for n in range(port_module.BATCH + 6)]), Receiver()
    port, loop = port_of(wire, receiver)
    loop.readers[7]()
    assert receiver.calls == ["start", *[message(n) for n in range(port_module.BATCH)], "end"]
    assert len(wire.arriving) == 6 and port.received == port_module.BATCH
    loop.readers[7]()
    assert receiver.calls[-2:] == [message(port_module.BATCH + 5), "end"]


def test_the_clock_is_read_when_the_whole_batch_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, receiver = Wire([message(1), message(2)]), Receiver()
    unread: list[int] = []
    monkeypatch.setattr(receiver, "batch_start", lambda: unread.append(len(wire.arriving)))
    port, loop = port_of(wire, receiver)
    loop.readers[7]()
    loop.readers[7]()                                   # woken up for nothing
    assert unread == [0] and port.received == 2


def test_an_exception_costs_one_message_only(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire([message(1), message(22), message(22), message(3)])
    receiver = Receiver(failing=b"CSeq: 22")
    port, loop = port_of(wire, receiver)
    loop.readers[7]()
    assert receiver.calls == ["start", message(1), message(22), message(22), message(3), "end"]
    assert port.failures == 2
    assert [record.message.split()[0] for record in caplog.records] == ["receive_failed"]    # logged once


@pytest.mark.parametrize("raw, counter", [
    (b"", "keepalives"), (b"\r\n\r\n", "keepalives"), (b"\0\0\0\0", "keepalives"), (b"jaK", "short"),
    (ConnectionRefusedError(), "receive_errors"),
])
def test_noise_is_counted_and_not_delivered(raw: Any, counter: str) -> None:
    wire, receiver = Wire([raw, message()]), Receiver()
    port, loop = port_of(wire, receiver)
    loop.readers[7]()
    assert receiver.calls == ["start", message(), "end"]
    counts = {name: getattr(port, name) for name in ("keepalives", "short", "receive_errors")}
    assert counts == {**dict.fromkeys(counts, 0), counter: 1}


def test_sources_are_shared_and_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module, "CACHE", 2)
    peers = [("192.0.2.7", 1), ("192.0.2.7", 1), ("192.0.2.7", 2), ("192.0.2.7", 3)]
    receiver = Receiver()
    port, loop = port_of(Wire([(message(), peer) for peer in peers]), receiver)
    loop.readers[7]()
    assert [(s.host, s.port, s.conn) for s in receiver.sources] == [(*peer, 0) for peer in peers]
    assert receiver.sources[0] is receiver.sources[1]
    assert len(port._sources) == 1


def test_queue_keeps_order_is_bounded_and_drains() -> None:
    wire = Wire()
    port, loop = port_of(wire, Receiver(), limit=3)
    dest = Dest("udp", *PEER)
    wire.blocked = True
    assert [port.send(message(n), dest) for n in range(4)] == [True, True, True, False]
    assert (port.queued, port.dropped) == (3, 1)
    wire.blocked = False
    assert not port.send(message(9), dest)              # full: must not overtake either
    loop.writers[7]()
    assert wire.sent == [(message(n), PEER) for n in range(3)]
    assert 7 not in loop.writers and port.queued == 0
    assert port.send(message(5), dest) and wire.sent[-1] == (message(5), PEER)
    assert port.sent == 4


def test_send_errors_are_false_and_counted() -> None:
    wire = Wire()
    port, _ = port_of(wire, Receiver())
    wire.error = OSError(90, "Message too long")
    assert not port.send(message(), Dest("udp", *PEER))
    assert not port.send(message(), Dest("udp", "name.invalid", 5060))      # would have blocked on DNS
    assert port.send_errors == 2 and wire.sent == []


def test_a_waiting_datagram_that_fails_does_not_stop_the_queue() -> None:
    wire = Wire()
    port, loop = port_of(wire, Receiver())
    wire.blocked = True
    port.send(message(), Dest("udp", *PEER))
    wire.blocked, wire.error = False, ConnectionRefusedError()
    loop.writers[7]()
    assert port.send_errors == 1 and port.queued == 0


def test_close_is_final_and_repeatable() -> None:
    wire = Wire()
    port, loop = port_of(wire, Receiver())
    port.close()
    port.close()
    assert wire.closed and not loop.readers
