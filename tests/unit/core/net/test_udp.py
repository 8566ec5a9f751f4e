"""Batches, queues and bounds of a UDP port, on a scripted socket."""
from __future__ import annotations

import logging
from typing import Any

import pytest

from osip.core.net import udp
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.transport import Complaint
from osip.core.net.udp import UdpPort
from osip.core.run.config import Config

PEER = ("192.0.2.7", 5070)


def message(number: int = 1) -> bytes:
    return b"OPTIONS sip:a@b SIP/2.0\r\nCSeq: %d OPTIONS\r\n\r\n" % number


class Wire:
    """A socket that hands out what it was given and refuses to send while `blocked`."""

    def __init__(self, arriving: list[Any] | None = None) -> None:
        self.arriving = arriving or []
        self.sent: list[tuple[bytes, Any]] = []
        self.blocked = False
        self.error: Exception | None = None
        self.closed = False

    def fileno(self) -> int:
        return 7

    def recvfrom(self, size: int) -> Any:
        if not self.arriving:
            raise BlockingIOError
        item = self.arriving.pop(0)
        if isinstance(item, Exception):
            raise item
        return item if isinstance(item, tuple) else (item, PEER)

    def sendto(self, data: bytes, address: Any) -> int:
        if self.blocked:
            raise BlockingIOError
        if self.error is not None:
            raise self.error
        self.sent.append((data, address))
        return len(data)

    def close(self) -> None:
        self.closed = True


class Loop:
    def __init__(self) -> None:
        self.readers: dict[int, Any] = {}
        self.writers: dict[int, Any] = {}

    def add_reader(self, fileno: int, call: Any) -> None:
        self.readers[fileno] = call

    def add_writer(self, fileno: int, call: Any) -> None:
        self.writers[fileno] = call

    def remove_reader(self, fileno: int) -> None:
        self.readers.pop(fileno, None)

    def remove_writer(self, fileno: int) -> None:
        self.writers.pop(fileno, None)


class Receiver:
    def __init__(self, failing: bytes = b"never") -> None:
        self.calls: list[Any] = []
        self.sources: list[Any] = []
        self.failing = failing

    def batch_start(self) -> None:
        self.calls.append("start")

    def receive(self, raw: bytes, source: Any) -> None:
        self.calls.append(raw)
        self.sources.append(source)
        if self.failing in raw:
            raise KeyError("broken on purpose")

    def batch_end(self) -> None:
        self.calls.append("end")


def port_of(wire: Wire, receiver: Receiver, limit: int = 4) -> tuple[UdpPort, Loop]:
    loop = Loop()
    port = UdpPort(LocalSocket("udp", "192.0.2.1", 5060), wire, loop, receiver,  # type: ignore[arg-type]
                   Complaint(logging.getLogger("osip.test")), limit)
    return port, loop


def test_batch_is_framed_and_bounded() -> None:
    wire, receiver = Wire([message(n) for n in range(udp.BATCH + 6)]), Receiver()
    port, loop = port_of(wire, receiver)
    loop.readers[7]()
    assert receiver.calls == ["start", *[message(n) for n in range(udp.BATCH)], "end"]
    assert len(wire.arriving) == 6 and port.received == udp.BATCH
    loop.readers[7]()
    assert receiver.calls[-2:] == [message(udp.BATCH + 5), "end"]


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
    monkeypatch.setattr(udp, "CACHE", 2)
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


@pytest.mark.parametrize(("mhomed", "host", "own"), [(1, "192.0.2.7", "10.0.0.2"), (0, "192.0.2.7", "10.0.0.1"),
                                                     (1, "192.0.2.8", "10.0.0.1")])
def test_mhomed_asks_the_system_for_the_socket(mhomed: int, host: str, own: str,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "source_address", {"192.0.2.7": "10.0.0.2", "192.0.2.8": "10.0.0.77"}.get)
    config = Config()
    config.set("mhomed", mhomed)
    transport = udp.UdpTransport(config)
    wires = {}
    for address in ("10.0.0.1", "10.0.0.2"):
        local, wires[address] = LocalSocket("udp", address, 5060), Wire()
        local.transport = UdpPort(local, wires[address], Loop(), None, Complaint(logging.getLogger("osip.test")), 10)
        transport.ports.append(local.transport)
    assert transport.send(message(), Dest("udp", host, 5060))
    assert [address for address, wire in wires.items() if wire.sent] == [own]


def test_a_socket_that_was_shut_lends_another_one() -> None:
    transport = udp.UdpTransport(Config())
    wires, locals_ = [Wire(), Wire()], [LocalSocket("udp", "10.0.0.1", 5060), LocalSocket("udp", "10.0.0.1", 5080)]
    for local, wire in zip(locals_, wires, strict=True):
        local.transport = UdpPort(local, wire, Loop(), None, Complaint(logging.getLogger("osip.test")), 10)
        transport.ports.append(local.transport)
    transport.shut(locals_[0])
    assert (wires[0].closed, wires[1].closed) == (True, False)
    assert transport.send(message(), Dest("udp", "192.0.2.7", 5060, locals_[0])) and len(wires[1].sent) == 1
    transport.shut(locals_[1])
    assert not transport.send(message(), Dest("udp", "192.0.2.7", 5060, locals_[0]))
