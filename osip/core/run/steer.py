"""Name the worker that owns a message, in the kernel where it can be done, so that a whole call meets in one process.

The owner is the sum of the Call-ID's first 64 bytes modulo the number of workers: a sum is what a classic BPF program,
which has no loops, can still compute. The program is attached to the group of UDP sockets that share a port
(SO_REUSEPORT). Socket 0 of a group takes what the program cannot place, and worker 0 looks at that itself; socket
n + 1 belongs to worker n.
"""
from __future__ import annotations

import ctypes
import socket
import struct

from osip.core.sip.message import peek_call_id

HASHED = 64
"""Bytes of a Call-ID that count."""

SO_ATTACH_REUSEPORT_CBPF = 51
_FIRST, _BLOCKS, _STRIDES = 16, 14, 32
_WINDOWS = ((2, b"all-"), (3, b"ll-i"), (4, b"l-id"), (5, b"-id:"))
# The scan looks at every fourth position, so of the seven bytes from "a" to ":" exactly one of four windows shows.

_LD_W_IND, _LD_B_IND, _LD_MEM, _LDX_IMM, _LDX_MEM, _ST = 0x40, 0x50, 0x60, 0x01, 0x61, 0x02
_ADD_X, _ADD, _SUB, _OR, _MOD, _TAX, _TXA = 0x0c, 0x04, 0x14, 0x44, 0x94, 0x07, 0x87
_JA, _JEQ, _JGT, _RET, _RET_A = 0x05, 0x15, 0x25, 0x06, 0x16
_LOWER = 0x20202020

Step = tuple[int, int, int, int]        # code, jump if true, jump if false, operand


def owner(raw: bytes, workers: int) -> int:
    """Return the number of the owning worker; 0 when there is one worker or no Call-ID to be found."""
    if workers == 1:
        return 0
    call_id = peek_call_id(raw)
    return sum(call_id[:HASHED]) % workers if call_id else 0


def owner_of(call_id: str | bytes, workers: int) -> int:
    """Return the number of the worker that owns the calls with this Call-ID."""
    if isinstance(call_id, str):
        call_id = call_id.encode("utf-8", "surrogateescape")
    return sum(call_id[:HASHED]) % workers


def program(workers: int) -> list[Step]:
    """Return the BPF program that answers 1 + the owner, or 0 when it finds no plain `Call-ID: value` line.

    It reads the UDP payload from offset 0. A load past the end of the datagram ends it with 0.
    """
    steps: list[Step] = []
    found: list[int] = []                       # jumps to the verification, patched once its place is known
    for block in range(_BLOCKS):
        _scan(steps, found, _FIRST + block * _STRIDES * 4)
    steps.append((_RET, 0, 0, 0))
    for at in found:
        steps[at] = (_JA, 0, 0, len(steps) - at - 1)
    _verify(steps)
    _sum(steps, workers)
    return steps


def _scan(steps: list[Step], found: list[int], first: int) -> None:
    """Look at 128 bytes; on a window X becomes the place of the line feed before the name."""
    tests: list[tuple[int, int]] = []
    for stride in range(_STRIDES):
        steps.append((_LDX_IMM, 0, 0, first + stride * 4))
        steps.append((_LD_W_IND, 0, 0, 0))
        steps.append((_OR, 0, 0, _LOWER))
        for place, text in _WINDOWS:
            tests.append((len(steps), place))
            steps.append((_JEQ, 0, 0, int.from_bytes(text, "big") | _LOWER))
    over = len(steps)
    steps.append((_JA, 0, 0, 0))
    for place, _ in _WINDOWS:
        for at, other in tests:
            if other == place:
                steps[at] = (_JEQ, len(steps) - at - 1, 0, steps[at][3])
        steps += [(_TXA, 0, 0, 0), (_SUB, 0, 0, place), (_TAX, 0, 0, 0)]
        found.append(len(steps))
        steps.append((_JA, 0, 0, 0))
    steps[over] = (_JA, 0, 0, len(steps) - over - 1)


def _verify(steps: list[Step]) -> None:
    """Make sure that X stands before a line that begins with the name, and move it to the value."""
    for offset, text in ((0, b"\nCal"), (4, b"l-ID")):
        steps += [(_LD_W_IND, 0, 0, offset), (_OR, 0, 0, _LOWER),
                  (_JEQ, 1, 0, int.from_bytes(text, "big") | _LOWER), (_RET, 0, 0, 0)]
    steps += [(_LD_B_IND, 0, 0, 8), (_JEQ, 1, 0, ord(":")), (_RET, 0, 0, 0),
              (_LD_B_IND, 0, 0, 9), (_JEQ, 0, 4, ord(" ")),
              (_TXA, 0, 0, 0), (_ADD, 0, 0, 10), (_TAX, 0, 0, 0), (_JA, 0, 0, 3),
              (_TXA, 0, 0, 0), (_ADD, 0, 0, 9), (_TAX, 0, 0, 0),
              (_LD_B_IND, 0, 0, 0), (_JGT, 1, 0, 0x20), (_RET, 0, 0, 0)]


def _sum(steps: list[Step], workers: int) -> None:
    """Add the bytes up to the first blank or control character; X is the place of the value."""
    steps += [(_TXA, 0, 0, 0), (_ST, 0, 0, 1), (0x00, 0, 0, 0), (_ST, 0, 0, 0)]     # M1 = X, M0 = 0
    size = 8
    for index in range(HASHED):
        steps += [(_LDX_MEM, 0, 0, 1), (_LD_B_IND, 0, 0, index), (_JGT, 1, 0, 0x20),
                  (_JA, 0, 0, (HASHED - index) * size - 4),
                  (_TAX, 0, 0, 0), (_LD_MEM, 0, 0, 0), (_ADD_X, 0, 0, 0), (_ST, 0, 0, 0)]
    steps += [(_LD_MEM, 0, 0, 0), (_MOD, 0, 0, workers), (_ADD, 0, 0, 1), (_RET_A, 0, 0, 0)]


def attach(sock: socket.socket, workers: int) -> bool:
    """Let the kernel steer the group of UDP sockets that `sock` belongs to; False when this system does not."""
    code = b"".join(struct.pack("HBBI", *step) for step in program(workers))
    buffer = ctypes.create_string_buffer(code, len(code))
    steps = len(code) // 8
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
                        struct.pack("HL", steps, ctypes.addressof(buffer)))
    except OSError:
        return False
    return True
