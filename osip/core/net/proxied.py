"""Take the PROXY protocol, versions 1 and 2: a load balancer in front says who the peer really is."""
from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V1_MAX: Final = 107            # the longest line of version 1
_V2_MAX: Final = 16 + 4096      # more than any address and the usual attributes
_STREAMS: Final = {0x11: (4, 12), 0x21: (16, 36)}       # family and protocol -> bytes of an address, of the block


class Header(NamedTuple):
    """A PROXY header: its size in bytes, and the peer that it names ("" when the balancer speaks for itself)."""
    size: int
    host: str
    port: int


def parse_proxy(data: bytes | bytearray) -> Header | None:
    """Read the header at the start of a stream; None while it is incomplete, ValueError when there is none."""
    if data[:12] == SIGNATURE[:len(data[:12])]:
        return _version_2(bytes(data))
    if b"PROXY "[:len(data)] == data[:6]:
        return _version_1(bytes(data))
    raise ValueError("no PROXY header")


def _version_1(data: bytes) -> Header | None:
    end = data.find(b"\r\n", 0, _V1_MAX + 2)
    if end < 0:
        if len(data) >= _V1_MAX:
            raise ValueError("PROXY line too long")
        return None
    words = data[:end].decode("ascii", "replace").split(" ")
    if words[1] == "UNKNOWN":
        return Header(end + 2, "", 0)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6") or not words[4].isdigit() or not 0 < int(words[4]) < 65536:
        raise ValueError("bad PROXY line")
    address = ipaddress.ip_address(words[2])
    if address.version != int(words[1][3]):
        raise ValueError("bad PROXY line")
    return Header(end + 2, str(address), int(words[4]))


def _version_2(data: bytes) -> Header | None:
    if len(data) < 16:
        return None
    command, family, size = data[12], data[13], 16 + int.from_bytes(data[14:16], "big")
    if command not in (0x20, 0x21) or size > _V2_MAX:
        raise ValueError("bad PROXY header")
    if len(data) < size:
        return None
    if command == 0x20 or family not in _STREAMS:           # LOCAL, or an address that is none of a stream
        return Header(size, "", 0)
    width, block = _STREAMS[family]
    if size - 16 < block:
        raise ValueError("bad PROXY header")
    port = int.from_bytes(data[16 + 2 * width:18 + 2 * width], "big")
    if not port:
        raise ValueError("bad PROXY header")
    return Header(size, str(ipaddress.ip_address(data[16:16 + width])), port)


def trusted_network(text: str) -> str:
    """Check the address or network of a load balancer as it is written; ValueError with words."""
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f'"{text}" is no address and no network such as 10.0.0.0/8') from None
    return text.strip()


class TrustedPeers:
    """The addresses of load balancers, from texts such as `10.0.0.0/8`; ValueError for one that is none."""
    __slots__ = ("_networks",)

    def __init__(self, texts: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(text, strict=False) for text in texts]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, host: object) -> bool:
        address = ipaddress.ip_address(str(host))
        return any(address in network for network in self._networks)


class _Proxied:
    """A loop's transport that gives the address of the peer behind the balancer."""
    __slots__ = ("_below", "_peer", "write", "close", "abort", "pause_reading", "resume_reading",
                 "get_write_buffer_size", "set_protocol")

    def __init__(self, below: Any, peer: tuple[str, int]) -> None:
        self._below, self._peer = below, peer
        self.write, self.close, self.abort = below.write, below.close, below.abort
        self.pause_reading, self.resume_reading = below.pause_reading, below.resume_reading
        self.get_write_buffer_size, self.set_protocol = below.get_write_buffer_size, below.set_protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._peer if name == "peername" else self._below.get_extra_info(name, default)


class ProxiedLayer(asyncio.Protocol):
    """Stand between the loop and an accepted connection until the PROXY header is read, then step aside.

    Only trusted peers send one, and they must; others are connections as always.
    """
    __slots__ = ("_upper", "_trusted", "_loop", "_time", "_buffer", "_below", "_timer", "_complain", "_peer")

    def __init__(self, upper: asyncio.Protocol, trusted: TrustedPeers, loop: asyncio.AbstractEventLoop, time: float,
                 complain: Any) -> None:
        self._upper, self._trusted, self._loop, self._time, self._complain = upper, trusted, loop, time, complain
        self._buffer = bytearray()
        self._below: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._peer: tuple[str, int] = ("", 0)

    def connection_made(self, transport: Any) -> None:
        """Wait for the header of a trusted peer."""
        peer = transport.get_extra_info("peername")
        if not peer:
            transport.abort()
            return
        self._below, self._peer = transport, (peer[0], peer[1])
        if peer[0] not in self._trusted:
            transport.set_protocol(self._upper)
            self._upper.connection_made(transport)
            return
        self._timer = self._loop.call_later(self._time, self._fail, "no PROXY header in time")

    def data_received(self, data: bytes) -> None:
        """Gather the header, then hand the connection and what follows to its owner."""
        if self._timer is None:
            return
        self._buffer += data
        try:
            header = parse_proxy(self._buffer)
        except ValueError as error:
            self._fail(str(error))
            return
        if header is None:
            return
        self._timer.cancel()
        self._timer = None
        rest = bytes(self._buffer[header.size:])
        self._buffer.clear()
        self._below.set_protocol(self._upper)
        stream = _Proxied(self._below, (header.host, header.port)) if header.host else self._below
        self._upper.connection_made(stream)
        if rest:
            self._upper.data_received(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        """End before the header was whole."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, why: str) -> None:
        self._complain("bad_proxy_header", "source=%s:%d reason=%s", *self._peer, why)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._below.abort()
