"""Turn the sockets of a script into `LocalSocket` values: names, interfaces, `*`, port ranges."""
from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from osip.core.errors import OsipError
from osip.core.net.endpoint import LocalSocket, is_ip

_SIOCGIFADDR = 0x8915


def interface_addresses(name: str) -> list[str]:
    """Return the addresses of a network interface, IPv4 first; empty when there is no such interface."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            packed = fcntl.ioctl(sock.fileno(), _SIOCGIFADDR, struct.pack("256s", name[:15].encode()))
            found.append(socket.inet_ntoa(packed[20:24]))
        except OSError:
            pass
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


def addresses_of(host: str) -> list[str]:
    """Return the IP addresses that a socket's host means: literal, `*`, interface or host name.

    OsipError when it means none.
    """
    if is_ip(host):
        return [str(ipaddress.ip_address(host.strip("[]")))]
    if host == "*":
        return all_addresses()
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
