"""A network in memory: keep what the server sends, answer its DNS queries."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from osip.core.errors import OsipError, ParseError
from osip.core.net.dns import Answer, DnsError, Naptr, Srv
from osip.core.net.connections import WORKER_BITS
from osip.core.net.endpoint import (
    DEFAULT_PORTS,
    Dest,
    LocalSocket,
    bracket,
    is_ip,
    parse_endpoint,
)
from osip.core.net.listen import addresses_of, every
from osip.core.sip.message import Message, parse

ANYWHERE = "192.0.2.1"
"""The address of sockets that the script binds to `*` or to an interface that this machine does not have."""


class Sent:
    """One message that left the server. `repeat`: the same bytes went to the same place before; `taken`: a test
    has looked at it."""
    __slots__ = ("_msg", "at", "data", "dest", "repeat", "taken")

    def __init__(self, data: bytes, dest: Dest, at: float, repeat: bool) -> None:
        self.data, self.dest, self.at, self.repeat = data, dest, at, repeat
        self.taken = False
        self._msg: Any = None

    @property
    def msg(self) -> Any:
        """The message, parsed."""
        if self._msg is None:
            self._msg = parse(self.data)
        return self._msg

    @property
    def is_request(self) -> bool:
        """Say whether it is a request."""
        return not self.data.startswith(b"SIP/2.0 ")

    @property
    def where(self) -> str:
        """Where it went: `udp:10.0.0.2:5060`."""
        return f"{self.dest.proto}:{bracket(self.dest.host)}:{self.dest.port}"

    @property
    def title(self) -> str:
        """Its first line and destination, for people."""
        first = self.data.partition(b"\r\n")[0].decode("utf-8", "replace")
        return f"{first.removesuffix(' SIP/2.0')} -> {self.where}{' (repeat)' if self.repeat else ''}"

    def goes_to(self, text: str) -> bool:
        """Say whether it went to `[proto:]host[:port]`."""
        end = parse_endpoint(text)
        return (end.host == self.dest.host and end.port in (0, self.dest.port)
                and end.proto in ("", self.dest.proto))


class Network:
    """What one server sent, in order. `down` are hosts, or host:port, that refuse messages."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.sent: list[Sent] = []
        self.down: set[str] = set()
        self.seen: Callable[[Sent], None] | None = None
        self._clock = clock
        self._known: set[tuple[bytes, Dest]] = set()
        self._peers: dict[int, tuple[str, str, int]] = {}

    def connection(self, proto: str, host: str, port: int) -> int:
        """Return the id of the connection that a peer's messages come on, 0 on UDP."""
        if proto == "udp":
            return 0
        end = (proto, host, port)
        known = next((id for id, other in self._peers.items() if other == end), 0)
        if not known:
            known = len(self._peers) + 1 << WORKER_BITS         # as the first worker counts them
            self._peers[known] = end
        return known

    def send(self, data: bytes, dest: Dest) -> bool:
        """Take a message from the server; False when its destination is down."""
        if dest.host in self.down or f"{bracket(dest.host)}:{dest.port}" in self.down:
            return False
        if dest.conn in self._peers:            # the way it came: what the Via says does not count then
            dest = Dest(*self._peers[dest.conn], dest.socket, dest.conn)
        key = (data, dest)
        sent = Sent(data, dest, self._clock(), key in self._known)
        self._known.add(key)
        self.sent.append(sent)
        if self.seen is not None:
            self.seen(sent)
        return True


class Wire:
    """Stands where a worker has a transport."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def send(self, data: bytes, dest: Dest) -> bool:
        """Hand a message to the network in memory."""
        return self._network.send(data, dest)

    def close(self) -> None:
        """There is nothing to close."""


class Names:
    """The DNS that the server sees. A name that nobody added does not exist."""

    def __init__(self) -> None:
        self.queries: list[tuple[str, str]] = []
        self._records: dict[tuple[str, str], list[Any]] = {}
        self._dead: set[str] = set()

    def add(self, name: str, *addresses: str) -> None:
        """Give a name addresses (A, AAAA)."""
        for address in addresses:
            if not is_ip(address):
                raise OsipError(f'dns {name}: "{address}" is no address')
            self._put("AAAA" if ":" in address else "A", name, address.strip("[]"))

    def srv(self, name: str, target: str, port: int, priority: int = 0, weight: int = 0) -> None:
        """Add an SRV record: `srv("_sip._udp.example.com", "gw1.example.com", 5060)`."""
        self._put("SRV", name, Srv(priority, weight, port, target.lower()))

    def naptr(self, name: str, service: str, replacement: str, order: int = 0, preference: int = 0) -> None:
        """Add a NAPTR record: `naptr("example.com", "SIP+D2T", "_sip._tcp.example.com")`."""
        self._put("NAPTR", name, Naptr(order, preference, "s", service.lower(), replacement))

    def fail(self, name: str) -> None:
        """Let queries for a name go unanswered."""
        self._dead.add(name.lower())

    def _put(self, kind: str, name: str, record: Any) -> None:
        self._records.setdefault((kind, name.lower()), []).append(record)

    async def query(self, kind: str, name: str) -> Answer:
        """Answer a query."""
        self.queries.append((kind, name))
        if name.lower() in self._dead:
            raise DnsError(f"DNS query {kind} {name}: no answer")
        return Answer(tuple(self._records.get((kind, name.lower()), ())), 60.0)


def sockets_of(listens: Any, addresses: dict[str, str]) -> list[LocalSocket]:
    """Return the sockets of a script; a host that is no address stands for one of `addresses` or for `ANYWHERE`."""
    found = []
    for listen in listens:
        host = addresses.get(listen.host)
        if host is None:
            host = addresses_of(listen.host)[0] if is_ip(listen.host) and not every(listen.host) else ANYWHERE
        found.append(LocalSocket(listen.proto, host, listen.port or DEFAULT_PORTS[listen.proto],
                                 listen.adv_host.strip("[]"), listen.adv_port, listen.tag, dict(listen.options or {})))
    return found or [LocalSocket("udp", ANYWHERE, 5060)]


def read(sent: Sent) -> Message | None:
    """Return a sent message parsed, None when it is no SIP."""
    try:
        return sent.msg         # type: ignore[no-any-return]
    except ParseError:
        return None
