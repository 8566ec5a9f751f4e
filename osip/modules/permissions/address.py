"""Keep a table of addresses: hosts and networks with port, protocol, pattern and a text for the script."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_PROTOCOLS = ("any", "udp", "tcp", "tls", "sctp", "ws", "wss", "hep_udp", "hep_tcp", "hep_tls", "bin", "smpp", "none")


@dataclass(frozen=True, slots=True)
class Address:
    """One row."""
    group: int
    network: Any
    port: int
    proto: str
    pattern: str | None
    info: str | None

    def fits(self, group: int, port: int, proto: str, pattern: str | None) -> bool:
        """Compare all but the address; 0 and "any" fit everything."""
        return ((not group or not self.group or group == self.group) and (not port or not self.port or port == self.port)
                and (proto in ("", "any") or self.proto == "any" or proto == self.proto)
                and (pattern is None or not self.pattern or fnmatchcase(pattern, self.pattern)))

    def shown(self) -> dict[str, Any]:
        """Return what management shows."""
        return {"grp": self.group, "ip": str(self.network.network_address), "mask": self.network.prefixlen,
                "port": self.port, "proto": self.proto, "pattern": self.pattern or "", "context_info": self.info or ""}


class Addresses:
    """Rows by prefix length and network: a look-up asks once for each length in use, longest first."""

    def __init__(self) -> None:
        self.rows: list[Address] = []
        self._by_prefix: dict[tuple[int, int, int], list[Address]] = {}
        self._lengths: dict[int, list[int]] = {4: [], 6: []}

    def add(self, row: Address) -> None:
        """Add a row."""
        self.rows.append(row)
        version, length = row.network.version, row.network.prefixlen
        key = (version, length, int(row.network.network_address))
        self._by_prefix.setdefault(key, []).append(row)
        if length not in self._lengths[version]:
            self._lengths[version] = sorted([*self._lengths[version], length], reverse=True)

    def find(self, ip: str) -> Iterator[Address]:
        """Yield the rows that an address lies in; ValueError when it is none."""
        address = ipaddress.ip_address(ip.strip("[]").partition("%")[0])
        if address.version == 6 and address.ipv4_mapped:
            address = address.ipv4_mapped
        bits, number = address.max_prefixlen, int(address)
        for length in self._lengths[address.version]:
            shift = bits - length
            yield from self._by_prefix.get((address.version, length, number >> shift << shift), ())


def read_row(row: Mapping[str, Any]) -> Address:
    """Read a row of the table; ValueError says what is wrong with it."""
    text = str(row["ip"]).strip()
    try:
        network = ipaddress.ip_network(f"{text}/{int(row['mask'])}" if "/" not in text else text, strict=False)
    except ValueError as error:
        # The default mask of the table is 32, which for IPv6 is rarely meant but allowed.
        raise ValueError(f"{text}/{row['mask']}: {error}") from None
    proto = str(row["proto"] or "any").strip().lower()
    if proto not in _PROTOCOLS:
        raise ValueError(f'{text}: unknown protocol "{proto}"; known: {", ".join(_PROTOCOLS)}')
    return Address(int(row["grp"] or 0), network, int(row["port"] or 0), proto, row["pattern"] or None,
                   None if row["context_info"] is None else str(row["context_info"]))
