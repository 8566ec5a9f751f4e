"""Tell events by datagrams: `udp:host:port` and `unix:/path`, each with a JSON-RPC notification."""
from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

from osip.api import Env, Module, is_ip, param, parse_endpoint, rpc

Deliver = Callable[[str, dict[str, Any]], None]
MOST_CONNECTED = 64
LATEST = 1.0        # seconds in which the network may tell that nobody listens


class Connected:
    """A UDP socket for one destination: on it the system tells when nobody listens there (RFC 1122 section 4.1.3.3).

    On the same machine it tells at once, else a moment later; what was sent last before it told is given back.
    """
    __slots__ = ("_instead", "_socket", "_timer")

    def __init__(self, family: int, where: Any) -> None:
        self._instead: Callable[[str], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(where)

    def offer(self, data: bytes, instead: Callable[[str], None]) -> None:
        """Send a datagram; OSError when it did not leave, or nobody listens. Is that known later, `instead` is called."""
        self._look()                            # what comes before goes elsewhere before this does
        self._socket.send(data)
        error = self._error()
        if error:
            raise OSError(error, os.strerror(error))
        self._instead = instead
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LATEST, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._look()

    def _look(self) -> None:
        error, instead = self._error(), self._instead
        if error and instead is not None:
            self._instead = None
            instead(os.strerror(error))

    def _error(self) -> int:
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def close(self) -> None:
        """Close the socket."""
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()


class Udp:
    """How events reach one UDP destination."""
    __slots__ = ("_family", "_module", "_where")

    def __init__(self, module: EventDatagram, family: int, where: tuple[str, int]) -> None:
        self._module, self._family, self._where = module, family, where

    def __call__(self, name: str, params: dict[str, Any]) -> None:
        """Send an event, wherever it ends."""
        self._module.send(self._family, self._where, name, params)

    def offer(self, name: str, params: dict[str, Any], instead: Callable[[str], None]) -> None:
        """Send an event; it is given back, or OSError is raised, where the system knows that nobody listens."""
        connected = self._module.connected(self._family, self._where)
        if connected is None:
            self(name, params)
        else:
            connected.offer(rpc.notification(name, params), instead)


class EventDatagram(Module):
    """Events by UDP and Unix datagrams."""

    sync_mode = param(0, kind=(int, str), removed="telling an event never holds a message up")

    def mod_init(self) -> None:
        """Take the two kinds of address."""
        self._sockets: dict[int, socket.socket] = {}
        self._connected: dict[tuple[str, int], Connected] = {}
        self.env.events.transports["udp"] = self._udp
        self.env.events.transports["unix"] = self._unix

    async def child_init(self, env: Env) -> None:
        """Start without sockets: each kind gets one when it is used."""
        self._sockets, self._connected = {}, {}

    async def destroy(self) -> None:
        """Close the sockets."""
        for one in (*self._sockets.values(), *self._connected.values()):
            one.close()

    def connected(self, family: int, where: tuple[str, int]) -> Connected | None:
        """Return the socket for one destination of a group (event_virtual); None when there are too many."""
        found = self._connected.get(where)
        if found is None and len(self._connected) < MOST_CONNECTED:
            found = self._connected[where] = Connected(family, where)
        return found

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
        return Udp(self, family, where)

    def _unix(self, address: str) -> Deliver:
        path = address.partition(":")[2]
        if not path.startswith("/"):
            raise ValueError(f'"{address}" is no path: write unix:/path')
        return lambda name, params: self.send(socket.AF_UNIX, path, name, params)

    def send(self, family: int, where: Any, name: str, params: dict[str, Any]) -> None:
        """Send an event; a full queue raises, which the caller logs: it is lost rather than the worker held up."""
        self._socket(family).sendto(rpc.notification(name, params), where)
