"""The sockets behind one address: one for each worker, opened before they are forked."""
from __future__ import annotations

import socket
from typing import Any

import pytest

from kit.peer import free_port
from osip.core.errors import OsipError
from osip.core.net.endpoint import LocalSocket
from osip.core.net.tcp import TcpTransport
from osip.core.net.udp import UdpTransport
from osip.core.run.config import Config
from osip.core.run.group import Group, bind, bind_all
from osip.core.run.timers import Timers


@pytest.fixture
def transports() -> dict[str, Any]:
    return {"udp": UdpTransport(Config()), "tcp": TcpTransport(Config(), Timers()), "sctp": object()}


def ports(group: Group) -> set[int]:
    found = [*group.workers, *([group.strays] if group.strays else [])]
    return {sock.getsockname()[1] for sock in found}


def test_one_for_each_worker(transports: dict[str, Any]) -> None:
    port = free_port()
    udp, tcp = LocalSocket("udp", "127.0.0.1", port), LocalSocket("tcp", "127.0.0.1", port)
    groups = bind_all(transports, [udp, tcp], 3)
    assert len(groups[udp].workers) == len(groups[tcp].workers) == 3
    assert ports(groups[udp]) == ports(groups[tcp]) == {port}
    assert groups[udp].is_steered is (groups[udp].strays is not None) and groups[tcp].strays is None
    for group in groups.values():
        group.close()
    bind(transports["udp"], udp, 2).close()


def test_a_busy_port_says_what_to_do(transports: dict[str, Any]) -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", port))
        with pytest.raises(OsipError, match=f"cannot listen on udp:127.0.0.1:{port}.*-l udp"):
            bind_all(transports, [LocalSocket("tcp", "127.0.0.1", port), LocalSocket("udp", "127.0.0.1", port)], 2)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as free:
        free.bind(("127.0.0.1", port))          # what had been opened before was closed


def test_a_protocol_that_nothing_provides(transports: dict[str, Any]) -> None:
    with pytest.raises(OsipError, match="proto_ws"):
        bind_all(transports, [LocalSocket("ws", "127.0.0.1", 80)], 2)


def test_without_the_kernel(transports: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osip.core.run.steer.attach", lambda sock, workers: False)
    group = bind(transports["udp"], LocalSocket("udp", "127.0.0.1", free_port()), 2)
    assert len(group.workers) == 2 and group.strays is None and not group.is_steered
    group.close()


def test_what_worker_0_has_alone(transports: dict[str, Any]) -> None:
    group = bind(transports["udp"], LocalSocket("udp", "239.1.2.3", free_port()), 3)
    assert len(group.workers) == 1 and not group.is_steered, "each of several would get every datagram"
    group.close()
    assert bind(transports["sctp"], LocalSocket("sctp", "127.0.0.1", 5060), 3).workers == []
