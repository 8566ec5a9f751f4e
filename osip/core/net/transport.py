"""Say what a transport is, what it reports to, and which socket options its sockets get."""
from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

from osip.core.errors import OsipError
from osip.core.net.endpoint import Dest, LocalSocket, Source

TOS_WORDS = {"IPTOS_LOWDELAY": 0x10, "LOWDELAY": 0x10, "IPTOS_THROUGHPUT": 0x08, "IPTOS_RELIABILITY": 0x04,
             "IPTOS_MINCOST": 0x02, "IPTOS_LOWCOST": 0x02}


class Receiver(Protocol):
    """What takes messages from a transport: the worker.

    A batch is `batch_start`, `receive` for each message, `batch_end`; then what was sent meanwhile leaves, if the
    transport has gathered it. One that gathers much ends the batch and starts another. A receiver may also have
    `on_unsent(data, dest)`: a message that `send` had accepted could not be delivered (its connection failed).
    """

    def batch_start(self) -> None:
        """Read the clock."""

    def receive(self, raw: bytes, source: Source) -> None:
        """Take one message; what it raises is logged and counted, and the batch goes on."""

    def batch_end(self) -> None:
        """Do what was put off until the whole batch was seen, and must be done before what was sent leaves."""


class Transport(Protocol):
    """What moves messages of one protocol between a worker and the network."""

    def bind(self, local: LocalSocket, reuse_port: bool = False) -> socket.socket:
        """Make the operating system's socket; done before the workers fork when there are several."""

    def open(self, local: LocalSocket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
             bound: socket.socket | None = None) -> None:
        """Start to receive on a socket, bound before or now; sets `local.transport`."""

    def send(self, data: bytes, dest: Dest) -> bool:
        """Send one message now or as soon as it can leave; False when it certainly will not."""

    def shut(self, local: LocalSocket) -> None:
        """Receive nothing more on one socket; on streams the connections that came by it stay."""

    def close(self) -> None:
        """Stop and close everything; a second call does nothing."""


class Complaint:
    """Log a trouble that strangers can repeat at will: once in `every` seconds, with the number left out."""
    __slots__ = ("_log", "_every", "_clock", "_last")

    def __init__(self, log: logging.Logger, every: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._every, self._clock = log, every, clock
        self._last: dict[str, list[float]] = {}     # what -> [when it was last logged, left out since]

    def __call__(self, what: str, text: str, *args: Any, error: BaseException | None = None) -> None:
        """Log `text % args` unless a line about the same `what` was logged a moment ago."""
        now = self._clock()
        entry = self._last.get(what)
        if entry is not None and now - entry[0] < self._every:
            entry[1] += 1
            return
        left_out = int(entry[1]) if entry else 0
        self._last[what] = [now, 0]
        more = f" left_out={left_out}" if left_out else ""
        self._log.log(logging.ERROR if error else logging.WARNING, what + " " + text + more, *args, exc_info=error)


def tos_value(text: str | int) -> int:
    """Return the byte that a `tos` setting means: a number or one of the IPTOS words; ValueError otherwise."""
    word = str(text).strip()
    if word.upper() in TOS_WORDS:
        return TOS_WORDS[word.upper()]
    value = int(word, 0)
    if not 0 <= value <= 255:
        raise ValueError(f"tos {word} is not between 0 and 255")
    return value


def make_socket(local: LocalSocket, kind: int, reuse_port: bool, tos: str | int = "",
                protocol: int = 0) -> socket.socket:
    """Make and bind a non-blocking socket for `local`; OSError when the address cannot be taken."""
    sock = socket.socket(socket.AF_INET6 if local.is_ipv6 else socket.AF_INET, kind, protocol)
    try:
        sock.setblocking(False)
        if local.is_ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port or local.options.get("reuse_port"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        set_tos(sock, local.options.get("tos") or tos)
        sock.bind((local.host, local.port))
    except BaseException:
        sock.close()
        raise
    if not local.port:
        local.bound_to(sock.getsockname()[1])
    return sock


def set_tos(sock: socket.socket, tos: Any) -> None:
    """Set the type of service of what the socket sends; "" leaves it. OsipError when it is not one."""
    if tos in ("", None):
        return
    try:
        value = tos_value(tos)
    except ValueError as error:
        raise OsipError(f"bad tos: {error}") from error
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, value)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, value)


def set_multicast(sock: socket.socket, local: LocalSocket, loopback: int, ttl: int) -> None:
    """Set whether this machine hears what it sends to a group, and how far that goes; join when `local` is a group."""
    group = ipaddress.ip_address(local.host)
    if group.version == 6:
        if group.is_multicast:
            joined = group.packed + struct.pack("@I", 0)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joined)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, loopback)
        if ttl >= 0:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
        return
    if group.is_multicast:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group.packed + bytes(4))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, loopback)
    if ttl >= 0:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)


def source_address(host: str) -> str:
    """Return the local address from which the system would send to this IP address; "" when there is no route."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))                # on UDP this asks the routing table and sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return ""
