"""Which worker owns a message, asked in Python and in the kernel."""
from __future__ import annotations

import random
import select
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from kit.message import request, response
from osip.core.run.steer import attach, owner, owner_of, program


def test_a_whole_call_meets_in_one_worker() -> None:
    for number in range(50):
        invite = request(call_id=f"call-{number}")
        found = {owner(raw, 7) for raw in (invite, request("BYE", call_id=f"call-{number}", cseq=2), response(invite,
            200),
                                           invite.replace(b"Call-ID:", b"i:"), invite.replace(b"Call-ID", b"CALL-id"))}
        assert found == {owner_of(f"call-{number}", 7)}


def test_calls_are_spread() -> None:
    counts = Counter(owner(request(call_id=f"{number}@host"), 4) for number in range(2000))
    assert set(counts) == {0, 1, 2, 3} and min(counts.values()) > 400


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n", b"noise", request().replace(b"Call-ID: call-1\r\n", b"")])
def test_without_call_id_the_first_worker(raw: bytes) -> None:
    assert owner(raw, 4) == 0 and owner(raw, 1) == 0


WORKERS = 3


@pytest.fixture
def group() -> Iterator[tuple[list[socket.socket], socket.socket]]:
    """A group of sockets that the kernel steers, and one to send with."""
    socks: list[socket.socket] = []
    port = 0
    for _ in range(WORKERS + 1):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", port))
        port = sock.getsockname()[1]
        socks.append(sock)
    if not attach(socks[0], WORKERS):
        pytest.skip("this system does not steer sockets")
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("127.0.0.1", port))
    yield socks, sender
    for sock in (*socks, sender):
        sock.close()


def place(group: tuple[list[socket.socket], socket.socket], raw: bytes) -> int:
    """Return the number of the socket that the kernel gives a datagram to."""
    socks, sender = group
    sender.send(raw)
    ready = select.select(socks, [], [], 5)[0]
    assert len(ready) == 1 and ready[0].recv(65535) == raw
    return socks.index(ready[0])


def test_the_kernel_and_we_agree(group: tuple[list[socket.socket], socket.socket]) -> None:
    rng = random.Random(7)
    for _ in range(1000):
        size = rng.choice((1, 2, 10, 30, 63, 64, 65, 200))
        call_id = "".join(rng.choice("abcXYZ0189-.@%!+") for _ in range(size))
        raw = request(call_id=call_id).replace(b"Call-ID: ", rng.choice(
            (b"Call-ID: ", b"Call-ID:", b"CALL-ID: ", b"call-id: ", b"Call-Id: ")))
        padding = b"\r\nX-Filler: " + b"y" * rng.randrange(1100)
        raw = raw.replace(b"\r\n", padding + b"\r\n", 1)
        assert place(group, raw) == owner(raw, WORKERS) + 1, raw


@pytest.mark.parametrize("raw", [
    request().replace(b"Call-ID: call-1\r\n", b""),
    request().replace(b"Call-ID: call-1", b"i: call-1"),
    request().replace(b"Call-ID: call-1", b"Call-ID :  call-1"),
    request().replace(b"Call-ID: call-1", b"Call-ID:  call-1"),
    request().replace(b"Call-ID: call-1", b"Call-ID: \r\n call-1"),
    request().replace(b"Call-ID", b"Call-IX"),
    b"\r\n\r\n", b"\0\0\0\0", b"x" * 1400, b"",
], ids=range(10))
def test_what_the_kernel_leaves_to_us(group: tuple[list[socket.socket], socket.socket], raw: bytes) -> None:
    assert place(group, raw) == 0


def test_the_program_fits_and_jumps_inside() -> None:
    steps = program(64)
    assert len(steps) <= 4096, "the kernel takes no more"
    for at, (code, true, false, operand) in enumerate(steps[:-1]):      # the last one returns
        far = operand if code == 0x05 else max(true, false)
        assert 0 <= true < 256 and 0 <= false < 256 and at + 1 + far < len(steps)


def test_a_system_that_cannot() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        assert not attach(sock, 2)
