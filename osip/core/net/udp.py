"""Move SIP over UDP: the sockets of a worker, and which of them a datagram leaves from."""
from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from osip.core.accel import DATAGRAM
from osip.core.net.endpoint import Dest, LocalSocket, is_ip
from osip.core.net.port import CACHE, QUEUE, UdpPort
from osip.core.net.transport import Complaint, Receiver, make_socket, set_multicast, source_address


class UdpTransport:
    """All UDP sockets of a worker.

    `config` has the global parameters `maxbuffer`, `tos`, `mhomed` and `mcast_*`. On the fast path `local.transport` is the port
    of that socket, which has the same `send`.
    """
    proto = "udp"

    def __init__(self, config: Any, log: logging.Logger | None = None, limit: int = QUEUE) -> None:
        self.ports: list[UdpPort] = []
        self._more: list[UdpPort] = []          # they only receive
        self._config, self._limit = config, limit
        self._complain = Complaint(log or logging.getLogger("osip.udp"))
        self._bound: dict[LocalSocket, socket.socket] = {}
        self._routes: dict[str, UdpPort] = {}
        self._gathering: Any = None

    def bind(self, local: LocalSocket, reuse_port: bool = False) -> socket.socket:
        """Make the socket; `open` uses it."""
        sock = make_socket(local, socket.SOCK_DGRAM, reuse_port, self._config.tos)
        wanted = self._config.maxbuffer
        # the system doubles what is asked for and reports the double
        if wanted * 2 > sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
        set_multicast(sock, local, self._config.mcast_loopback, self._config.mcast_ttl)
        self._bound[local] = sock
        return sock

    def open(self, local: LocalSocket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
             bound: socket.socket | None = None) -> None:
        """Start to receive on a socket."""
        sock = bound or self._bound.pop(local, None)
        if sock is None:
            sock = self.bind(local)
            del self._bound[local]
        port = self._make_port(local, sock, loop, receiver)
        self.ports.append(port)
        self._routes.clear()
        local.transport = port

    def listen_also(self, local: LocalSocket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
                    bound: socket.socket) -> None:
        """Receive on one more socket of the system with the same address; what is sent leaves from the first one."""
        self._more.append(self._make_port(local, bound, loop, receiver))

    def _make_port(self, local: LocalSocket, sock: socket.socket, loop: asyncio.AbstractEventLoop,
                   receiver: Receiver) -> UdpPort:
        if DATAGRAM is None:
            return UdpPort(local, sock, loop, receiver, self._complain, self._limit)
        # It builds upon this file, so it cannot be imported before.
        from osip.core.net.batch import BatchPort, Gathering

        if self._gathering is None:
            self._gathering = Gathering(DATAGRAM.Batch())
        return BatchPort(local, sock, loop, receiver, self._complain, self._limit, self._gathering)

    def send(self, data: bytes, dest: Dest) -> bool:
        """Send from the socket that `dest` names, else from the one that fits."""
        local = dest.socket
        port: Any = local.transport if local is not None else None
        if port is None:                        # none was named, or a reload has closed it
            port = self._port_for(dest.host)
        return port is not None and port.send(data, dest)

    def _port_for(self, host: str) -> UdpPort | None:
        port = self._routes.get(host)
        if port is None:
            is_ipv6 = ":" in host
            fitting = [port for port in self.ports if port.local.is_ipv6 == is_ipv6]
            if not fitting:
                self._complain("no_socket", "dest=%s reason=no UDP socket of its address family", host)
                return None
            port = fitting[0]
            if self._config.mhomed and is_ip(host):
                own = source_address(host)
                port = next((port for port in fitting if port.local.host == own), port)
            if len(self._routes) >= CACHE:
                self._routes.clear()
            self._routes[host] = port
        return port

    def shut(self, local: LocalSocket) -> None:
        """Close one socket; what is still sent from it leaves from another one."""
        for ports in (self.ports, self._more):
            for port in [port for port in ports if port.local is local]:
                port.close()
                ports.remove(port)
        local.transport = None
        self._routes.clear()

    @property
    def waiting(self) -> int:
        """Count the bytes that arrived and were not read yet."""
        return sum(port.waiting for port in (*self.ports, *self._more))

    def close(self) -> None:
        """Close every socket, opened or only bound."""
        for port in (*self.ports, *self._more):
            port.close()
        self.ports.clear()
        self._more.clear()
        for sock in self._bound.values():
            sock.close()
        self._bound.clear()
        self._routes.clear()
