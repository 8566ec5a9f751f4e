"""Which transport takes a message, and from which socket it leaves."""
from __future__ import annotations

from typing import Any

import pytest

from kit.playbook import make_worker
from kit.wire import Receiver, Wire, port_of
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.run.sender import Sender

UDP, TCP = LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("tcp", "10.0.0.9", 5060)


class Transport:
    def __init__(self, reached: bool = True) -> None:
        self.sent: list[tuple[bytes, Any]] = []
        self.reached = reached

    def send(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((data, dest.socket))
        return True

    def reaches(self, dest: Dest) -> bool:
        return self.reached


def sender(**transports: Transport) -> Sender:
    worker, _, _ = make_worker((), None, [UDP, TCP])
    return Sender(worker.env, dict(transports))


@pytest.mark.parametrize(("proto", "socket", "left_from"), [
    ("udp", UDP, UDP), ("udp", None, UDP), ("udp", TCP, UDP), ("tcp", TCP, TCP), ("tcp", UDP, TCP)])
def test_a_message_leaves_from_a_socket_of_its_protocol(proto: str, socket: Any, left_from: LocalSocket) -> None:
    transport = Transport()
    assert sender(**{proto: transport}).send(b"1", Dest(proto, "10.0.0.2", 5060, socket))
    assert transport.sent == [(b"1", left_from)]


def test_an_open_udp_socket_takes_it_at_once() -> None:
    wire, local = Wire(), LocalSocket("udp", "192.0.2.1", 5060)
    local.transport, _ = port_of(wire, Receiver())
    assert sender().send(b"1", Dest("udp", "10.0.0.2", 5060, local)) and wire.sent == [(b"1", ("10.0.0.2", 5060))]


@pytest.mark.parametrize(("dest", "transports"), [
    (Dest("udp", "10.0.0.2", 5060, UDP), {"tcp": Transport()}),
    (Dest("udp", "2001:db8::2", 5060), {"udp": Transport()})])
def test_what_nothing_can_send(dest: Dest, transports: dict[str, Transport]) -> None:
    assert not sender(**transports).send(b"1", dest)


@pytest.mark.parametrize("reached", [True, False])
def test_only_where_a_connection_is(reached: bool) -> None:
    dest, transport = Dest("tcp", "10.0.0.2", 5060, TCP), Transport(reached)
    dest.only_reuse = True
    assert sender(tcp=transport).send(b"1", dest) is reached
    assert bool(transport.sent) is reached
