"""Name the ends of SIP traffic: our sockets, where a message came from, where one goes."""
from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Final

from osip.core.accel import mypyc_attr

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "sctp": 5060, "ws": 80, "wss": 443, "hep_udp": 9060,
                 "hep_tcp": 9060, "hep_tls": 9061}
_IPV4: Final = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}").fullmatch
SECURE = frozenset({"tls", "wss"})
RELIABLE = frozenset({"tcp", "tls", "ws", "wss", "sctp", "hep_tcp", "hep_tls"})


def bracket(host: str) -> str:
    """Return `host` as it stands in a URI or Via: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def is_ip(host: str) -> bool:
    """Say whether `host` is an IP address literal (IPv6 with or without brackets)."""
    if _IPV4(host):             # nearly always, and a tenth of the price
        return True
    if not host or not (host[0].isdigit() or ":" in host):
        return False
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class LocalSocket:
    """One listening socket: `proto:host:port`, what it advertises, and its prebuilt Via start.

    `via_start` is `Via: SIP/2.0/UDP host:port;branch=` in bytes, ready for a branch id.
    """
    __slots__ = ("proto", "host", "port", "adv_host", "adv_port", "tag", "options", "text", "sent_by", "via_start",
                 "reliable", "is_ipv6", "is_udp", "index", "transport", "members")

    def __init__(self, proto: str, host: str, port: int, adv_host: str = "", adv_port: int = 0, tag: str = "",
                 options: dict[str, object] | None = None) -> None:
        self.proto, self.host, self.port, self.tag = proto, host, port, tag
        self.adv_host, self.adv_port = adv_host or host, adv_port or port
        self.options = options or {}
        self.text = f"{proto}:{bracket(host)}:{port}"
        self.reliable = proto in RELIABLE
        self.is_ipv6 = ":" in host
        self.is_udp = proto == "udp"
        self.index = 0
        self.transport: object = None
        self.members: tuple[LocalSocket, ...] = ()      # of a bond, which is no socket itself
        self.advertise(self.adv_host, self.adv_port)

    def advertise(self, host: str, port: int) -> None:
        """Set the address that Via and Record-Route show."""
        self.adv_host, self.adv_port = host, port
        self.sent_by = f"{bracket(host)}:{port}"
        self.via_start = f"Via: SIP/2.0/{self.proto.upper()} {self.sent_by};branch=".encode()

    def bound_to(self, port: int) -> None:
        """Take the port that the system chose for port 0."""
        advertised = self.adv_port or port
        self.port = port
        self.text = f"{self.proto}:{bracket(self.host)}:{port}"
        self.advertise(self.adv_host, advertised)

    def __repr__(self) -> str:
        return f"<socket {self.text}>"


class Source:
    """Where a message came from: our socket, the peer's address, and the connection id on streams (0 on UDP).

    `mark` is what our Via says of that connection, once it was asked for.
    """
    __slots__ = ("socket", "host", "port", "conn", "text", "mark")

    def __init__(self, socket: LocalSocket, host: str, port: int, conn: int = 0) -> None:
        self.socket, self.host, self.port, self.conn = socket, host, port, conn
        self.text = f"{host}:{port} {socket.text}"
        self.mark = ""


class CapturedSource(Source):
    """Where a captured message came from, the packet (net.hep.HepPacket) around it, and who sent that packet."""
    __slots__ = ("packet", "sender")

    def __init__(self, socket: LocalSocket, host: str, port: int, packet: Any, sender: Source | None = None) -> None:
        super().__init__(socket, host, port)
        self.packet = packet
        self.sender = sender


@mypyc_attr(free_list_len=1, acyclic=True)
class Dest:
    """Where a message goes: protocol, IP address and port, from which socket, on which connection (0 = any).

    With `only_reuse` no connection is made for it. `name` is the name that was asked for, if there was one, which a TLS
    certificate must show; `domain` is the TLS client domain to use ("" = the one that fits). `tried` says how
    many addresses of the same name a response was sent to before.
    """
    __slots__ = ("proto", "host", "port", "socket", "conn", "only_reuse", "name", "domain", "tried")

    def __init__(self, proto: str, host: str, port: int, socket: LocalSocket | None = None, conn: int = 0) -> None:
        self.proto, self.host, self.port, self.socket, self.conn = proto, host, port, socket, conn
        self.only_reuse = False
        self.name = self.domain = ""
        self.tried = 0

    def __repr__(self) -> str:
        return f"{self.proto}:{bracket(self.host)}:{self.port}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dest) and (self.proto, self.host, self.port) == (other.proto, other.host, other.port)

    def __hash__(self) -> int:
        return hash((self.proto, self.host, self.port))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A parsed `[proto:]host[:port]` as scripts and parameters write it; `proto` "" and `port` 0 when absent."""
    proto: str
    host: str
    port: int


def parse_endpoint(text: str) -> Endpoint:
    """Parse `[proto:]host[:port]`, host possibly `[v6]`; ValueError with words when it is not one."""
    rest, proto = text.strip(), ""
    head, colon, tail = rest.partition(":")
    if colon and head.lower() in DEFAULT_PORTS:
        proto, rest = head.lower(), tail
    if rest.startswith("["):
        host, closed, tail = rest[1:].partition("]")
        port = tail[1:] if tail.startswith(":") else ""
        if not closed or (tail and not port):
            raise ValueError(f'"{text}" is not [proto:]host[:port]')
    elif rest.count(":") > 1 and is_ip(rest):
        host, port = rest, ""
    else:
        host, _, port = rest.partition(":")
    if not host or (port and not port.isdigit()) or (port and not 0 < int(port) < 65536):
        raise ValueError(f'"{text}" is not [proto:]host[:port]')
    return Endpoint(proto, host, int(port or 0))
