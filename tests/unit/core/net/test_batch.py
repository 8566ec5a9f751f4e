"""UDP in batches: what is gathered, when it leaves, and what happens to what the system refuses."""
from __future__ import annotations

import errno
import logging
import random
import socket
from typing import Any

import pytest

from osip.core.net import batch
from osip.core.net.batch import BatchPort, Gathering
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.transport import Complaint

PEER = Dest("udp", "192.0.2.7", 5070)
OTHER = Dest("udp", "192.0.2.8", 5070)


def message(number: int = 1) -> bytes:
    return b"OPTIONS sip:a@b SIP/2.0\r\nCSeq: %d OPTIONS\r\n\r\n" % number


def address(host: str, port: int) -> int:
    return int.from_bytes(socket.inet_pton(socket.AF_INET, host), "big") << 16 | port


class System:
    """Be the socket and the compiled batch; `faults` are taken one for each call that sends."""

    def __init__(self) -> None:
        self.arriving: list[Any] = []
        self.alone: list[bytes] = []
        self.together: list[list[bytes]] = []
        self.faults: list[tuple[int, int]] = []
        self.refusing = False

    def fileno(self) -> int:
        return 7

    def recvfrom(self, size: int) -> Any:
        raise AssertionError("a batch port does not read one datagram at a time")

    def sendto(self, data: bytes, where: Any) -> int:
        if self.refusing:
            raise OSError(errno.ENETUNREACH, "unreachable")
        self.alone.append(data)
        return len(data)

    def close(self) -> None:
        pass

    def receive(self, fileno: int) -> list[tuple[bytes, bytes]]:
        if self.arriving and isinstance(self.arriving[0], OSError):
            raise self.arriving.pop(0)
        out, self.arriving = self.arriving, []
        return out

    def send(self, fileno: int, items: list[Any], start: int) -> tuple[int, int]:
        count, fault = self.faults.pop(0) if self.faults else (len(items) - start, 0)
        self.together.append([item[0] for item in items[start:start + count]])
        return start + count, fault


class Loop:
    def __init__(self) -> None:
        self.writers: dict[int, Any] = {}

    def add_reader(self, fileno: int, call: Any) -> None:
        pass

    def add_writer(self, fileno: int, call: Any) -> None:
        self.writers[fileno] = call

    def remove_reader(self, fileno: int) -> None:
        pass

    def remove_writer(self, fileno: int) -> None:
        self.writers.pop(fileno, None)


class Answerer:
    """Answer each message with itself."""

    def __init__(self, dest: Dest = PEER) -> None:
        self.port: Any = None
        self.dest = dest
        self.sources: list[tuple[str, int]] = []
        self.unsent: list[bytes] = []
        self.ends: list[int] = []           # datagrams that had left at the end of each batch
        self.error: Exception | None = None

    def batch_start(self) -> None:
        pass

    def receive(self, raw: bytes, source: Any) -> None:
        self.sources.append((source.host, source.port))
        if b"CSeq: 666" in raw:
            raise KeyError("broken on purpose")
        assert self.port.send(raw, self.dest)

    def batch_end(self) -> None:
        self.ends.append(self.port.sent)
        if self.error is not None:
            raise self.error

    def on_unsent(self, data: bytes, dest: Dest) -> None:
        self.unsent.append(data)


@pytest.fixture
def system() -> System:
    return System()


def port_of(system: System, receiver: Answerer, limit: int = 4) -> BatchPort:
    port = BatchPort(LocalSocket("udp", "192.0.2.1", 5060), system, Loop(), receiver,      # type: ignore[arg-type]
                     Complaint(logging.getLogger("osip.test")), limit, Gathering(system))
    receiver.port = port
    return port


def arrive(system: System, port: BatchPort, numbers: Any) -> None:
    system.arriving += [(message(n), address("192.0.2.9", 5000 + n % 2)) for n in numbers]
    port.on_readable()


def test_the_clock_is_read_when_the_whole_batch_has_arrived(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Answerer()
    unread: list[int] = []
    monkeypatch.setattr(receiver, "batch_start", lambda: unread.append(len(system.arriving)))
    port = port_of(system, receiver)
    arrive(system, port, range(1, 5))
    arrive(system, port, ())                            # woken up for nothing
    assert unread == [0] and len(receiver.ends) == 1 and port.received == 4


def test_replies_of_a_batch_leave_together_once_the_host_is_known(system: System) -> None:
    receiver = Answerer()
    port = port_of(system, receiver)
    arrive(system, port, range(1, 5))
    assert system.alone == [message(1)] and system.together == [[message(2), message(3), message(4)]]
    assert (port.received, port.sent) == (4, 4)
    assert receiver.sources == [("192.0.2.9", 5001), ("192.0.2.9", 5000)] * 2 and len(port._sources) == 2
    assert port.send(message(9), PEER) and system.alone[-1] == message(9)      # no batch: at once


def test_what_a_batch_puts_off_is_done_before_its_answers_leave(system: System) -> None:
    receiver = Answerer()
    port = port_of(system, receiver)
    arrive(system, port, (0,))
    port._most = 3
    arrive(system, port, range(1, 6))
    assert receiver.ends == [1, 1, 4] and port.sent == 6, "once in the middle, for three that leave there"
    receiver.error = KeyError("the log is full")
    with pytest.raises(KeyError):
        arrive(system, port, (6,))
    assert port.sent == 7, "what it cannot do costs no answers"


def test_gathering_is_bounded(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "GATHERED", 3)
    port = port_of(system, Answerer())
    arrive(system, port, range(8))
    assert [len(data) for data in system.together] == [3, 3, 1]


def test_nothing_overtakes(system: System) -> None:
    port = port_of(system, Answerer())
    port.send(message(0), PEER)
    port._gathering.is_open = True
    assert port.send(message(1), PEER) and port.send(message(2), OTHER) and port.send(message(3), PEER)
    assert system.together == [[message(1)]] and system.alone == [message(0), message(2)]
    port.flush()
    assert system.together[-1] == [message(3)] and not port._gathering.ports


def test_an_exception_costs_one_message_only(system: System) -> None:
    port = port_of(system, Answerer())
    arrive(system, port, (1, 666, 2))
    assert system.alone + system.together[0] == [message(1), message(2)] and port.failures == 1
    assert not port._gathering.is_open


def test_a_refused_datagram_is_told_and_does_not_stop_the_others(system: System) -> None:
    receiver = Answerer()
    port = port_of(system, receiver)
    arrive(system, port, [0])
    system.faults = [(1, 0), (0, errno.ENETUNREACH)]
    arrive(system, port, (1, 2, 3))
    assert system.together == [[message(1)], [], [message(3)]]
    assert receiver.unsent == [message(2)] and (port.sent, port.send_errors) == (3, 1)
    system.refusing = True                      # the host has to prove itself again
    assert not port.send(message(4), PEER)


def test_what_must_wait_is_queued_in_order_and_bounded(system: System) -> None:
    receiver = Answerer()
    port = port_of(system, receiver, limit=2)
    arrive(system, port, [0])
    system.faults = [(1, errno.EAGAIN)]
    arrive(system, port, (1, 2, 3, 4))
    assert port.queued == 2 and port.dropped == 1 and receiver.unsent == [message(4)]
    port._loop.writers[7]()                     # type: ignore[attr-defined]
    assert system.alone == [message(0), message(2), message(3)]


def test_an_error_that_was_waiting_costs_no_message(system: System) -> None:
    port = port_of(system, Answerer())
    system.arriving = [ConnectionRefusedError()]
    arrive(system, port, [1])
    assert (port.receive_errors, port.received) == (1, 1)


def test_noise_is_counted(system: System) -> None:
    port = port_of(system, Answerer())
    system.arriving = [(b"\r\n\r\n", address("192.0.2.9", 1)), (b"jaK", address("192.0.2.9", 1))]
    port.on_readable()
    assert (port.keepalives, port.short, port.received) == (1, 1, 0)


@pytest.mark.parametrize("family, host", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_compiled_batch_moves_what_real_sockets_hold(family: int, host: str) -> None:
    datagram = pytest.importorskip("osip.core._accel.datagram", reason="the accelerator was not built")
    compiled = datagram.Batch()
    with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as two:
        one.bind((host, 0))
        two.bind((host, 0))
        two.settimeout(5)
        assert compiled.receive(one.fileno()) == []
        packed, port = socket.inet_pton(family, host), two.getsockname()[1]
        items = [(b"x" * size, packed, port, None) for size in (1, 0, 60000, *range(100, 170))]
        assert compiled.send(one.fileno(), items, 1) == (len(items), 0)
        got = [two.recvfrom(65535) for _ in items[1:]]
        assert [data for data, _ in got] == [item[0] for item in items[1:]]
        assert {peer[1] for _, peer in got} == {one.getsockname()[1]}
        texts = [random.Random(size).randbytes(size) for size in (9, 2111, 2112, 2113, 4225, 30000, 0, 1000)]
        for text in texts:
            two.sendto(text, one.getsockname())
        found = compiled.receive(one.fileno())
        assert [data for data, _ in found] == texts
        ports = {where & 0xffff if isinstance(where, int) else int.from_bytes(where[2:4], "big") for _, where in found}
        assert ports == {port}
        assert all((where >> 16).to_bytes(4, "big") == packed if isinstance(where, int) else where[8:24] == packed
                   for _, where in found)
        too_long = [(b"z" * 70000, packed, port, None)]
        assert compiled.send(one.fileno(), too_long, 0) == (0, errno.EMSGSIZE)
