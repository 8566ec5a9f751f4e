"""Tell events to several addresses: `virtual:PARALLEL udp:… unix:…`, or FAILOVER, or ROUND-ROBIN.

FAILOVER and ROUND-ROBIN give an event to the next address when one cannot be reached, also when that is found out later;
what was sent and got lost on its way cannot be known, except by answers (`reliable_mode` of event_stream).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from osip.api import Complaint, Module, OsipError, param

Deliver = Callable[[str, dict[str, Any]], None]
_POLICIES = ("PARALLEL", "FAILOVER", "ROUND-ROBIN")


@runtime_checkable
class Offers(Protocol):
    """A way to a destination that gives an event back when it turns out later that it could not be delivered."""

    def offer(self, name: str, params: dict[str, Any], instead: Callable[[str], None]) -> None:
        """Deliver an event; `instead` is called with the reason when that fails."""


class Group:
    """The addresses behind one virtual address."""
    __slots__ = ("failed", "members", "policy", "turn")

    def __init__(self, policy: str, members: list[Deliver]) -> None:
        self.policy, self.members = policy, members
        self.failed = [-1e9] * len(members)
        self.turn = 0


class EventVirtual(Module):
    """Several destinations behind one address."""

    sync_mode = param(0, kind=(int, str), removed="telling an event never holds a message up")
    failover_timeout = param(30, ge=0, live=True, doc="Seconds for which one that failed is left out.")

    def mod_init(self) -> None:
        """Take the kind of address."""
        self._complain = Complaint(self.env.log, clock=lambda: self.env.now)
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
        if group.policy == "PARALLEL":
            self._tell_all(group, name, params)
            return
        now, count = self.env.now, len(group.members)
        start = 0
        if group.policy == "ROUND-ROBIN":
            start, group.turn = group.turn, (group.turn + 1) % count
        order = [(start + step) % count for step in range(count)]
        # Those that failed lately come last: they are tried when nobody else takes it.
        order.sort(key=lambda number: group.failed[number] + self.failover_timeout > now)
        self._offer(group, order, name, dict(params))

    def _tell_all(self, group: Group, name: str, params: dict[str, Any]) -> None:
        faults = []
        for member in group.members:
            try:
                member(name, params)
            except Exception as error:      # as Events does: a broken member costs the others nothing
                faults.append(str(error))
        if faults:
            raise OsipError("; ".join(faults))

    def _offer(self, group: Group, order: list[int], name: str, params: dict[str, Any]) -> None:
        """Give an event to the first member that takes it; OsipError when none does.

        A member that takes it may find out later that it cannot be reached; then those after it are asked.
        """
        faults = []
        for at, number in enumerate(order):
            member = group.members[number]
            try:
                if isinstance(member, Offers):
                    member.offer(name, params, lambda why, rest=order[at:]: self._go_on(group, rest, name, params, why))
                else:
                    member(name, params)
                return
            except Exception as error:
                group.failed[number] = self.env.now
                faults.append(str(error))
        raise OsipError("; ".join(faults))

    def _go_on(self, group: Group, order: list[int], name: str, params: dict[str, Any], why: str) -> None:
        """Ask the members after the first of `order`, which gave an event back."""
        group.failed[order[0]] = self.env.now
        try:
            if len(order) == 1:
                raise OsipError(why)
            self._offer(group, order[1:], name, params)
        except OsipError as error:
            self._complain("virtual", "nobody took event=%s of a group of %d, the last said: %s", name, len(group.members), error)
