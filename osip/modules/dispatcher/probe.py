"""Ask destinations whether they are alive, and draw conclusions from the answers."""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from osip.api import OsipError
from osip.modules.dispatcher.source import find_socket
from osip.modules.dispatcher.state import ACTIVE, INACTIVE, PROBING, Destination, Group, Partition

if TYPE_CHECKING:
    from osip.modules.dispatcher.module import Dispatcher


def due(ds: Dispatcher, group: Group, destination: Destination) -> bool:
    """Say whether a destination is to be asked: one that an operator switched off is left alone."""
    if destination.state == INACTIVE or (ds.ds_probing_list and group.id not in ds.ds_probing_list):
        return False
    return destination.state == PROBING or bool(ds.ds_probing_mode) or destination.probe_mode == 1


def ask_all(ds: Dispatcher) -> None:
    """Send a probe to every destination that is due; one in several sets is asked once in each."""
    for partition in ds.partitions.values():
        for group, destination in partition.all():
            if due(ds, group, destination):
                ask(ds, partition, group, destination)


def ask(ds: Dispatcher, partition: Partition, group: Group, destination: Destination) -> None:
    """Send one probe; its outcome comes to `on_answer`."""
    hops = ds.ds_ping_maxfwd if ds.ds_ping_maxfwd >= 0 else 70
    socket = destination.socket or (find_socket(ds.env, ds.ds_probing_sock) if ds.ds_probing_sock else None)
    try:
        ds.tm.request(partition.ping_method or ds.ds_ping_method, destination.uri,
                      f"<{partition.ping_from or ds.ds_ping_from}>", f"<{destination.uri}>", socket=socket,
                      max_forwards=hops, callback=partial(_answered, ds, partition.name, group.id, destination.uri))
    except OsipError as error:
        ds.env.log.error("dispatcher: no probe sent destination=%s error=%s", destination.uri, error)
        on_answer(ds, partition, group, destination, 477)


def _answered(ds: Dispatcher, name: str, number: int, uri: str, code: int, response: Any) -> None:
    # A reload may have come in between, so the destination is looked up anew.
    partition = ds.partitions.get(name)
    group = partition.groups.get(number) if partition is not None else None
    destination = group.find(uri) if group is not None else None
    if code >= 200 and partition is not None and group is not None and destination is not None:
        on_answer(ds, partition, group, destination, code)


def on_answer(ds: Dispatcher, partition: Partition, group: Group, destination: Destination, code: int) -> None:
    """Take the outcome of a probe: a good one brings a destination back, enough bad ones take it out."""
    if destination.state == INACTIVE:
        return
    if 200 <= code < 300 or code in ds.options_reply_codes:
        ds.set_state(partition, group, destination, ACTIVE)
    elif destination.state == ACTIVE:
        ds.set_state(partition, group, destination, PROBING)


def resolve_now(ds: Dispatcher, destination: Destination) -> bool:
    """Note the addresses of a destination; False when its name must be asked for."""
    try:
        found = ds.env.resolve(destination.uri, destination.socket)
    except OsipError as error:
        ds.env.log.error("dispatcher: destination=%s has no address: %s", destination.uri, error)
        return True
    if found is None:
        return False
    destination.addresses = tuple(dict.fromkeys((each.host, each.port) for each in found))
    return True


async def resolve_all(ds: Dispatcher, partition: Partition) -> None:
    """Note the addresses of all destinations of a partition."""
    for _, destination in partition.all():
        if not resolve_now(ds, destination):
            try:
                found = await ds.env.resolve_wait(destination.uri, destination.socket)
            except OsipError as error:
                ds.env.log.error("dispatcher: destination=%s has no address: %s", destination.uri, error)
                continue
            destination.addresses = tuple(dict.fromkeys((each.host, each.port) for each in found))
    partition.index()
