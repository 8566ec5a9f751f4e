"""Tell events by datagrams: `udp:host:port` and `unix:/path`, each with a JSON-RPC notification."""
from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from osip.api import Env, Module, is_ip, parse_endpoint, rpc

Deliver = Callable[[str, dict[str, Any]], None]
MOST_CONNECTED = 64


class Connected:
    """A UDP socket for one destination: on it the system tells when nobody listens there (RFC 1122 section 4.1.3.3).

    It does so soon after a datagram was sent, on the same machine at once. Only the last datagram is given back then.
    """
    __slots__ = ("_instead", "_socket")

    def __init__(self, family: int, where: Any) -> None:
        self._instead: Callable[[str], None] | None = None
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(where)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._on_readable)

    def offer(self, data: bytes, instead: Callable[[str], None]) -> None:
        """Send a datagram; OSError when it did not leave, of which that nobody listens is told in place of sending."""
        try:
            self._socket.send(data)
        except ConnectionRefusedError as error:
            self._give_back(str(error))
            raise
        self._instead = instead

    def _on_readable(self) -> None:
        try:
            self._socket.recv(1)                # events are not answered
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._give_back(str(error))

    def _give_back(self, why: str) -> None:
        instead, self._instead = self._instead, None
        if instead is not None:
            instead(why)

    def close(self) -> None:
        """Close the socket."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
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
