"""Tell events to several addresses: `virtual:PARALLEL udp:… unix:…`, or FAILOVER, or ROUND-ROBIN."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from osip.api import Module, OsipError, param

Deliver = Callable[[str, dict[str, Any]], None]
_POLICIES = ("PARALLEL", "FAILOVER", "ROUND-ROBIN")


class Group:
    """The addresses behind one virtual address."""
    __slots__ = ("failed", "members", "policy", "turn")

    def __init__(self, policy: str, members: list[Deliver]) -> None:
        self.policy, self.members = policy, members
        self.failed = [-1e9] * len(members)
        self.turn = 0


class EventVirtual(Module):
    """Several destinations behind one address."""

    failover_timeout = param(30, ge=0, live=True, doc="Seconds for which one that failed is left out.")

    def mod_init(self) -> None:
        """Take the kind of address."""
        self.env.events.transports["virtual"] = self._connect

    def _connect(self, address: str) -> Deliver:
        policy, *rest = address.partition(":")[2].replace(",", " ").split() or [""]
        if policy.upper() not in _POLICIES or not rest:
            raise ValueError(f'"{address}" names no policy ({", ".join(_POLICIES)}) with addresses behind it')
        members = []
        for one in rest:
            connect = self.env.events.transports.get(one.partition(":")[0])
            if connect is None or one.startswith("virtual:"):
                raise ValueError(f'no module is loaded for the address "{one}"')
            members.append(connect(one))
        group = Group(policy.upper(), members)
        return lambda name, params: self._deliver(group, name, params)

    def _deliver(self, group: Group, name: str, params: dict[str, Any]) -> None:
        now, count = self.env.now, len(group.members)
        start = 0
        if group.policy == "ROUND-ROBIN":
            start, group.turn = group.turn, (group.turn + 1) % count
        order = [(start + step) % count for step in range(count)]
        # Those that failed lately come last: they are tried when nobody else takes it.
        order.sort(key=lambda number: group.failed[number] + self.failover_timeout > now)
        faults = []
        for number in order:
            try:
                group.members[number](name, params)
            except Exception as error:      # as Events does: a broken member costs the others nothing
                group.failed[number] = now
                faults.append(str(error))
                continue
            if group.policy != "PARALLEL":
                return
        if len(faults) == count or (faults and group.policy == "PARALLEL"):
            raise OsipError("; ".join(faults))
