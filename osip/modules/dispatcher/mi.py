"""Answer the management commands of dispatcher."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import MIError
from osip.modules.dispatcher.state import STATE_OF, WORDS, Destination, Group, Partition

if TYPE_CHECKING:
    from osip.modules.dispatcher.module import Dispatcher


def partition_of(ds: Dispatcher, name: str | None) -> Partition:
    """Return a partition by name; MIError 404 when there is none."""
    found = ds.partitions.get(name or "default")
    if found is None:
        raise MIError(404, "Partition not found", ", ".join(ds.partitions))
    return found


def set_state(ds: Dispatcher, state: str, group: str, address: str) -> None:
    """Set the state of the destinations of a set that have this URI or address."""
    wanted = STATE_OF.get(state.strip().lower())
    if wanted is None:
        raise MIError(400, "Bad state", "a active, i inactive, p probing")
    name, _, number = group.rpartition(":")
    partition = partition_of(ds, name.strip() or None)
    found = partition.groups.get(int(number)) if number.strip().lstrip("-").isdecimal() else None
    if found is None:
        raise MIError(404, "Group not found", ", ".join(map(str, partition.groups)))
    chosen = [d for d in found.destinations if matches(d, address)]
    if not chosen:
        raise MIError(404, "Destination not found", ", ".join(d.uri for d in found.destinations))
    for destination in chosen:
        ds.set_state(partition, found, destination, wanted, at_once=True)


def matches(destination: Destination, text: str) -> bool:
    """Say whether an operator means this destination: its URI, or its host and port."""
    text = text.strip().strip("<>")
    if text == destination.uri or f"sip:{text}" == destination.uri:
        return True
    bare = text.removeprefix("sip:").removeprefix("sips:").lower()
    host, _, port = bare.rpartition(":") if bare.count(":") == 1 else (bare, "", "")
    return host.strip("[]") == destination.host and (not port or port == str(destination.port))


def listing(ds: Dispatcher, full: bool, name: str | None) -> dict[str, Any]:
    """List partitions, sets and destinations."""
    partitions = [partition_of(ds, name)] if name is not None else list(ds.partitions.values())
    return {"PARTITIONS": [{"name": partition.name, "SETS": [_set(group, full) for group in partition.groups.values()]}
                           for partition in partitions]}


def _set(group: Group, full: bool) -> dict[str, Any]:
    return {"id": group.id, "Destinations": [_destination(d, full) for d in group.destinations]}


def _destination(destination: Destination, full: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"URI": destination.uri, "state": WORDS[destination.state],
                           "first_hit_counter": destination.hits}
    if not full:
        return out
    if destination.socket is not None:
        out["socket"] = destination.socket.text
    if destination.attrs:
        out["attr"] = destination.attrs
    if destination.script_attrs:
        out["script_attr"] = destination.script_attrs
    out |= {"weight": destination.weight, "priority": destination.priority}
    if destination.description:
        out["description"] = destination.description
    out["resolved_addresses"] = [f"{host}:{port}" for host, port in destination.addresses]
    return out


def push(ds: Dispatcher, attrs: str, ip: str, port: int, number: int | None, name: str | None) -> None:
    """Set the script's attributes of the destinations at an address."""
    if not ds.push_attrs(partition_of(ds, name), attrs, ip, port, number):
        raise MIError(404, "Destination not found")


def push_attrs(partition: Partition, attrs: str, ip: str, port: int, number: int | None) -> bool:
    """Set the script's attributes of the destinations at an address; False when there is none."""
    found = [d for group, d in partition.at(ip.strip("[]"), port) if number in (None, -1, group.id)]
    for destination in found:
        destination.script_attrs = attrs
    return bool(found)
