"""Tell events by datagrams: `udp:host:port` and `unix:/path`, each with a JSON-RPC notification."""
from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from osip.api import Env, Module, is_ip, parse_endpoint, rpc

Deliver = Callable[[str, dict[str, Any]], None]


class EventDatagram(Module):
    """Events by UDP and Unix datagrams."""

    def mod_init(self) -> None:
        """Take the two kinds of address."""
        self._sockets: dict[int, socket.socket] = {}
        self.env.events.transports["udp"] = self._udp
        self.env.events.transports["unix"] = self._unix

    async def child_init(self, env: Env) -> None:
        """Start without sockets: each kind gets one when it is used."""
        self._sockets = {}

    async def destroy(self) -> None:
        """Close the sockets."""
        for one in self._sockets.values():
            one.close()

    def _socket(self, family: int) -> socket.socket:
        found = self._sockets.get(family)
        if found is None:
            found = self._sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
            found.setblocking(False)
        return found

    def _udp(self, address: str) -> Deliver:
        place = parse_endpoint(address)
        if not is_ip(place.host) or not place.port:
            raise ValueError(f'"{address}" is no address: write udp:192.0.2.1:5050')
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        where = (place.host.strip("[]"), place.port)
        return lambda name, params: self._send(family, where, name, params)

    def _unix(self, address: str) -> Deliver:
        path = address.partition(":")[2]
        if not path.startswith("/"):
            raise ValueError(f'"{address}" is no path: write unix:/path')
        return lambda name, params: self._send(socket.AF_UNIX, path, name, params)

    def _send(self, family: int, where: Any, name: str, params: dict[str, Any]) -> None:
        # A full queue raises, which the caller logs: an event is lost rather than the worker held up.
        self._socket(family).sendto(rpc.notification(name, params), where)
