"""Open each listening socket once for every worker, before they are forked, and let the kernel steer the UDP ones."""
from __future__ import annotations

import ipaddress
import logging
import socket
from dataclasses import dataclass, field
from typing import Any

from osip.core.errors import OsipError
from osip.core.net.endpoint import LocalSocket
from osip.core.run import steer

_log = logging.getLogger("osip.core")


@dataclass(slots=True)
class Group:
    """The sockets of the system behind one `LocalSocket`.

    `workers` has one for each worker, or one alone that worker 0 serves for all. `strays` gets the datagrams whose
    owner the kernel could not tell; `is_steered` says that it could tell the others'.
    """
    workers: list[socket.socket] = field(default_factory=list)
    strays: socket.socket | None = None
    is_steered: bool = False

    def close(self) -> None:
        """Close them all."""
        for sock in (*self.workers, *([self.strays] if self.strays else [])):
            sock.close()


def transports_of(instance: Any, env: Any) -> dict[str, Any]:
    """Return the transports that a module makes, by protocol; most make one."""
    made = instance.make_transport(env)
    return made if isinstance(made, dict) else {instance.transport: made}


def bind_all(transports: dict[str, Any], sockets: list[LocalSocket], workers: int) -> dict[LocalSocket, Group]:
    """Return the group of every socket; OsipError when one cannot be opened."""
    groups: dict[LocalSocket, Group] = {}
    try:
        for local in sockets:
            transport = transports.get(local.proto)
            if transport is None:
                raise OsipError(f'nothing can listen on {local.text}: add loadmodule "proto_{local.proto}.so"')
            try:
                groups[local] = bind(transport, local, workers)
            except OSError as error:
                raise OsipError(f"cannot listen on {local.text}: {error.strerror or error}. Is another server using "
                                f"this port? Choose another one with -l {local.proto}:{local.host}:PORT") from error
    except BaseException:
        for group in groups.values():
            group.close()
        raise
    return groups


def bind(transport: Any, local: LocalSocket, workers: int) -> Group:
    """Open one socket for every worker; an empty group when worker 0 has to open it by itself."""
    if not hasattr(transport, "bind") or local.proto == "sctp":
        return Group()
    if not local.options.get("reuse_port"):
        transport.bind(local).close()           # with SO_REUSEPORT two servers could share a port without noticing
    if local.proto == "udp" and ipaddress.ip_address(local.host).is_multicast:
        return Group([transport.bind(local)])   # every socket of a multicast group gets every datagram
    group = Group()
    try:
        if local.proto == "udp":
            _bind_udp(transport, local, workers, group)
        else:
            group.workers = [transport.bind(local, reuse_port=True) for _ in range(workers)]
    except BaseException:
        group.close()
        raise
    return group


def _bind_udp(transport: Any, local: LocalSocket, workers: int, group: Group) -> None:
    # The kernel numbers the sockets of a group in the order in which they were bound.
    group.strays = transport.bind(local, reuse_port=True)
    for _ in range(workers):
        group.workers.append(transport.bind(local, reuse_port=True))
    group.is_steered = not local.options.get("reuse_port") and steer.attach(group.strays, workers)
    if not group.is_steered:
        _log.info("socket=%s is steered by the workers: the system cannot do it", local.text)
        group.strays.close()
        group.strays = None
