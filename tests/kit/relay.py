"""Stand between two SIP peers and lose datagrams, the same ones in every run."""

from __future__ import annotations

import hashlib
import re
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kit.peer import HOST, free_port

_START = re.compile(rb"SIP/2\.0 \d+|[A-Z]+")
_CALL_ID = re.compile(rb"^(?:Call-ID|i) *: *(\S+)", re.MULTILINE | re.IGNORECASE)
_CSEQ = re.compile(rb"^CSeq *: *(\d+ +\w+)", re.MULTILINE | re.IGNORECASE)
_SIPP_CALL = re.compile(rb"^(\d+)-\d+@.*$")


def letter(raw: bytes) -> bytes:
    """Name what a datagram says: start line, call and CSeq, so that its copies have the same name in every run."""
    found = [pattern(raw) for pattern in (_START.match, _CALL_ID.search, _CSEQ.search)]
    if None in found:
        return raw
    start, call, order = (match[match.lastindex or 0] for match in found if match)
    # SIPp's Call-ID holds its process id, which differs from run to run.
    return b"%s of %s in %s" % (start, _SIPP_CALL.sub(rb"\1", call), order)


def is_dropped(seed: int, way: str, name: bytes, copy: int, drop: float) -> bool:
    """Decide over the n-th copy of a message; the order in which other messages come has no part in it."""
    digest = hashlib.blake2b(b"%d %s %s %d" % (seed, way.encode(), name, copy), digest_size=4).digest()
    return int.from_bytes(digest, "big") < drop * (1 << 32)


@dataclass
class Toll:
    """Count one direction, and decide what it loses."""

    seed: int
    way: str
    drop: float
    passed: int = 0
    dropped: int = 0
    copies: dict[bytes, int] = field(default_factory=dict, repr=False)

    def takes(self, raw: bytes) -> bool:
        """Tell whether this datagram is lost, and count it."""
        name = letter(raw)
        copy = self.copies[name] = self.copies.get(name, 0) + 1
        lost = is_dropped(self.seed, self.way, name, copy, self.drop)
        self.dropped += lost
        self.passed += not lost
        return lost


@dataclass
class LossyRelay:
    """A relay between `near` and `far`; either end takes the relay for the other one.

    The near end talks to port `front`, the far end sees port `back`.  Addresses inside the messages are renamed to
    match, as a NAT with a SIP gateway does it, so that replies by Via and requests by Contact or Record-Route cross
    the relay as well.  All ports have five digits, hence no length changes.
    """

    near: int
    far: int
    drop: float
    seed: int
    front: int = field(default_factory=free_port)
    back: int = field(default_factory=free_port)
    forth: Toll = field(init=False)
    home: Toll = field(init=False)

    def __post_init__(self) -> None:
        self.forth, self.home = (Toll(self.seed, way, self.drop) for way in ("forth", "home"))

    def run(self, front: socket.socket, back: socket.socket, stop: socket.socket) -> None:
        """Relay until `stop` can be read."""
        ways = {
            front: (back, self.far, self.forth, _renamer({self.near: self.back, self.front: self.far})),
            back: (front, self.near, self.home, _renamer({self.back: self.near, self.far: self.front})),
        }
        with selectors.DefaultSelector() as selector:
            for sock in (front, back, stop):
                selector.register(sock, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is stop:
                        return
                    out, port, toll, rename = ways[key.fileobj]
                    try:
                        raw = key.fileobj.recv(65535)
                        if not toll.takes(raw):
                            out.sendto(rename(raw), (HOST, port))
                    except ConnectionRefusedError:
                        continue        # an ICMP report of an earlier datagram: nobody is there yet, or any more


def _renamer(ports: dict[int, int]):
    """Make a function that renames HOST:port pairs, all at once."""
    names = {f"{HOST}:{old}".encode(): f"{HOST}:{new}".encode() for old, new in ports.items()}
    if any(len(old) != len(new) for old, new in names.items()):
        raise ValueError("the ports of a relay need the same number of digits")
    pattern = re.compile(b"(?:" + b"|".join(map(re.escape, names)) + rb")(?!\d)")
    return lambda raw: pattern.sub(lambda match: names[match[0]], raw)


@contextmanager
def lossy_relay(near: int, far: int, drop: float = 0.05, seed: int = 1) -> Iterator[LossyRelay]:
    """Relay between two ports of 127.0.0.1 for the length of a block, dropping a share of datagrams each way."""
    relay = LossyRelay(near, far, drop, seed)
    end, stop = socket.socketpair()
    with end, stop, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
        for sock, port in ((front, relay.front), (back, relay.back)):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.bind((HOST, port))
        thread = threading.Thread(target=relay.run, args=(front, back, stop), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            end.send(b"x")
            thread.join(5.0)
