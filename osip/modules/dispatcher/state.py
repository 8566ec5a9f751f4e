"""Hold sets of destinations, their states and what was learned about them."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from osip.api import DEFAULT_PORTS, LocalSocket, ParseError, parse_uri

ACTIVE: Final = 0
INACTIVE: Final = 1
PROBING: Final = 2
WORDS = ("Active", "Inactive", "Probing")
STATE_OF = {"a": ACTIVE, "active": ACTIVE, "0": ACTIVE, "i": INACTIVE, "inactive": INACTIVE, "1": INACTIVE,
            "p": PROBING, "probing": PROBING, "2": PROBING}
"""What scripts and operators write for a state."""


class Destination:
    """One row: a URI with its state, weight and priority, and the addresses that its host stands for.

    `failures` counts failed probes since the last good one, `hits` how often it was chosen first; `dirty` asks for its
    state to be written. `order` is its place in the source.
    """
    __slots__ = ("uri", "host", "port", "socket", "state", "probe_mode", "weight", "priority", "attrs", "description",
                 "script_attrs", "failures", "addresses", "hits", "dirty", "order")

    def __init__(self, uri: str, state: int = ACTIVE, weight: int = 1, priority: int = 0, attrs: str = "",
                 description: str = "", socket: LocalSocket | None = None, probe_mode: int = 0) -> None:
        parsed = parse_uri(uri)
        if not parsed.is_sip:
            raise ParseError("not a SIP URI")
        self.uri, self.host = uri, parsed.host.lower()
        proto = "tls" if parsed.scheme == "sips" else (parsed.param("transport") or "udp").lower()
        self.port = parsed.port or DEFAULT_PORTS.get(proto, 5060)
        self.state, self.weight, self.priority = state, weight, priority
        self.attrs, self.description, self.socket, self.probe_mode = attrs, description, socket, probe_mode
        self.script_attrs = ""
        self.failures = self.hits = self.order = 0
        self.addresses: tuple[tuple[str, int], ...] = ()
        self.dirty = False

    def is_at(self, host: str, port: int) -> bool:
        """Say whether one of its addresses is this one; port 0 means any."""
        return any(host == address and port in (0, number) for address, number in self.addresses)


class Group:
    """One set: its destinations, higher priority first, and the position of the round robin."""
    __slots__ = ("id", "destinations", "turn", "taken")

    def __init__(self, number: int, destinations: Iterable[Destination] = ()) -> None:
        self.id = number
        self.destinations = sorted(destinations, key=lambda d: -d.priority)
        self.turn: Destination | None = None            # whose turn it is
        self.taken = 0                                  # how many calls of its turn it has had

    def find(self, uri: str) -> Destination | None:
        """Return the destination with this URI."""
        for destination in self.destinations:
            if destination.uri == uri:
                return destination
        return None

    def inherit(self, old: Group) -> None:
        """Take over the states of the same destinations from before a reload."""
        for destination in self.destinations:
            known = old.find(destination.uri)
            if known is not None:
                destination.state, destination.failures, destination.hits = known.state, known.failures, known.hits
                destination.script_attrs, destination.dirty = known.script_attrs, known.dirty
                destination.addresses = destination.addresses or known.addresses
        self.turn = self.find(old.turn.uri) if old.turn is not None else None
        self.taken = old.taken if self.turn is not None else 0


class Partition:
    """One collection of sets with its own source and its own AVPs."""
    __slots__ = ("name", "db_url", "table_name", "list_file", "dst_avp", "grp_avp", "cnt_avp", "sock_avp", "attrs_avp",
                 "script_attrs_avp", "ping_from", "ping_method", "persistent", "groups", "_by_host")

    def __init__(self, name: str) -> None:
        self.name = name
        self.db_url = self.list_file = ""
        self.table_name = "dispatcher"
        ending = "" if name == "default" else f"_{name}"
        self.dst_avp, self.grp_avp = f"ds_dst_failover{ending}", f"ds_grp_failover{ending}"
        self.cnt_avp, self.sock_avp = f"ds_cnt_failover{ending}", f"ds_sock_failover{ending}"
        self.attrs_avp = self.script_attrs_avp = ""
        self.ping_from = self.ping_method = ""
        self.persistent = True
        self.groups: dict[int, Group] = {}
        self._by_host: dict[str, list[tuple[Group, Destination]]] = {}

    def replace(self, groups: dict[int, Group], inherit: bool) -> None:
        """Put new sets in place of the old ones in one step; with `inherit` known destinations keep their states."""
        if inherit:
            for number, group in groups.items():
                old = self.groups.get(number)
                if old is not None:
                    group.inherit(old)
        self.groups = groups
        self.index()

    def index(self) -> None:
        """Note again which addresses belong to whom."""
        found: dict[str, list[tuple[Group, Destination]]] = {}
        for group in self.groups.values():
            for destination in group.destinations:
                for host in dict.fromkeys(host for host, _ in destination.addresses):
                    found.setdefault(host, []).append((group, destination))
        self._by_host = found

    def at(self, host: str, port: int) -> list[tuple[Group, Destination]]:
        """Return the destinations at an address; port 0 means any."""
        return [pair for pair in self._by_host.get(host, ()) if pair[1].is_at(host, port)]

    def all(self) -> list[tuple[Group, Destination]]:
        """List every destination with its set."""
        return [(group, destination) for group in self.groups.values() for destination in group.destinations]
