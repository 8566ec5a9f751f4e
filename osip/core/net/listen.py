"""Turn the sockets of a script into `LocalSocket` values: names, interfaces, `*`, port ranges."""
from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import socket
import struct
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from osip.core.errors import OsipError
from osip.core.net.endpoint import LocalSocket, is_ip

_SIOCGIFCONF = 0x8912
_IFREQ = 32 + (8 if struct.calcsize("L") == 8 else 0)       # a name of 16 bytes, then a union with an address in it


def _ipv4_addresses() -> list[tuple[str, str]]:
    """Return (interface, address) of every IPv4 address, the further ones of an interface too (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        room, used = 32, 32
        while used == room:                     # the system fills what it is given
            room *= 2
            buffer = array("B", bytes(room * _IFREQ))
            asked = struct.pack("iL", room * _IFREQ, buffer.buffer_info()[0])
            try:
                used = struct.unpack("iL", fcntl.ioctl(sock.fileno(), _SIOCGIFCONF, asked))[0] // _IFREQ
            except OSError:
                return []
    rows = [buffer[at * _IFREQ:(at + 1) * _IFREQ].tobytes() for at in range(used)]
    # A label like eth0:1 belongs to eth0.
    return [(row[:16].split(b"\0")[0].decode().partition(":")[0], socket.inet_ntoa(row[20:24])) for row in rows]


def interface_addresses(name: str) -> list[str]:
    """Return the addresses of a network interface, IPv4 first; empty when there is no such interface."""
    found = [address for interface, address in _ipv4_addresses() if interface == name]
    table = Path("/proc/net/if_inet6")
    if table.exists():
        for line in table.read_text().splitlines():
            fields = line.split()
            address = ipaddress.IPv6Address(int(fields[0], 16))
            if fields[5] == name and not address.is_link_local:
                found.append(str(address))
    return found


def all_addresses() -> list[str]:
    """Return the addresses of every interface, for `*`."""
    return [address for _, name in socket.if_nameindex() for address in interface_addresses(name)]


def every(host: str) -> str:
    """Return which addresses of this machine a socket's host means all of; "" when it means one, or an interface's.

    Via and Record-Route must name an address where we can be reached (RFC 3261 section 18.1.1): a socket on 0.0.0.0
    would have none to name, so it stands for one socket on each IPv4 address, as `*` does for both families.
    """
    if host == "*":
        return "address"
    address = ipaddress.ip_address(host.strip("[]")) if is_ip(host) else None
    return f"IPv{address.version} address" if address is not None and address.is_unspecified else ""


def addresses_of(host: str) -> list[str]:
    """Return the IP addresses that a socket's host means: literal, `*`, 0.0.0.0, `[::]`, interface or host name.

    OsipError when it means none.
    """
    which = every(host)
    if which:
        found = [address for address in all_addresses() if host == "*" or (":" in address) == (":" in host)]
        if not found:
            raise OsipError(f'cannot listen on "{host}": this machine has no {which}')
        return found
    if is_ip(host):
        return [str(ipaddress.ip_address(host.strip("[]")))]
    found = interface_addresses(host)
    if found:
        return found
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise OsipError(f'cannot listen on "{host}": not an address, interface or host name of this machine '
                        f"({error.strerror or error})") from None
    return [str(infos[0][4][0])]


async def own_names(address: str) -> list[str]:
    """Return the host names that the system knows for an address; empty when there are none."""
    try:
        found = await asyncio.get_running_loop().run_in_executor(None, socket.gethostbyaddr, address)
    except OSError:
        return []
    return [name for name in dict.fromkeys((found[0], *found[1])) if not is_ip(name)]


def is_name(host: str) -> bool:
    """Say whether the host of a socket is a host name: no address, no `*`, no interface."""
    return host != "*" and not is_ip(host) and not interface_addresses(host)


def name_aliases(sockets: Iterable[Any]) -> list[tuple[str | None, str, int | None, bool]]:
    """Return the aliases that sockets bring which are given by host name: (protocol, name, port, subdomains)."""
    return [(socket.proto, socket.host, socket.port, bool(socket.options.get("accept_subdomain")))
            for socket in sockets if is_name(socket.host)]


def expand(proto: str, host: str, port: int, adv_host: str = "", adv_port: int = 0, tag: str = "",
           options: dict[str, object] | None = None) -> list[LocalSocket]:
    """Make the sockets that one host and port mean: one for each address."""
    return [LocalSocket(proto, address, port, adv_host.strip("[]"), adv_port, tag, dict(options or {}))
            for address in addresses_of(host)]
