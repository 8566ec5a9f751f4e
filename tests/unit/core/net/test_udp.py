"""Which socket a datagram leaves from."""
from __future__ import annotations

import logging

import pytest

from kit.wire import Loop, Wire, message
from osip.core.net import udp
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.port import UdpPort
from osip.core.net.transport import Complaint
from osip.core.run.config import Config


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
