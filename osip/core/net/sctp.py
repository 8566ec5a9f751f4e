"""Move SIP over SCTP (RFC 4168): one socket for all associations of an address, message by message as with UDP.

The system makes an association with the first message to a peer, and closes it when it was idle for
`tcp_connection_lifetime` seconds. Messages go unordered over stream 0 (RFC 4168 section 5.1).
"""
from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import Any

from osip.core.errors import OsipError
from osip.core.net.association import IPPROTO_SCTP, SctpPort
from osip.core.net.endpoint import LocalSocket
from osip.core.net.port import QUEUE, UdpPort
from osip.core.net.transport import Receiver, make_socket
from osip.core.net.udp import UdpTransport

NODELAY, AUTOCLOSE, EVENTS = 3, 4, 11           # options of a socket
_WANTED = bytes((0, 0, 0, 1, 0, 0, 0, 0))       # events: failed sends alone
_NO_SCTP = frozenset({errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPROTOTYPE})


def make_sctp_socket(local: LocalSocket, reuse_port: bool, tos: str | int) -> socket.socket:
    """Make and bind a socket; OsipError with words when the system has no SCTP."""
    try:
        return make_socket(local, socket.SOCK_SEQPACKET, reuse_port, tos, IPPROTO_SCTP)
    except OSError as error:
        if error.errno not in _NO_SCTP:
            raise
        raise OsipError(f"cannot listen on {local.text}: this system's kernel has no SCTP. Load it (modprobe sctp), or "
                        "remove the socket from the script") from error


class SctpTransport(UdpTransport):
    """All SCTP sockets of a worker; `config` as for UDP, and `tcp_connection_lifetime`."""
    proto = "sctp"
    make = staticmethod(make_sctp_socket)

    def __init__(self, config: Any, log: logging.Logger | None = None, limit: int = QUEUE) -> None:
        super().__init__(config, log or logging.getLogger("osip.sctp"), limit)

    def bind(self, local: LocalSocket, reuse_port: bool = False) -> socket.socket:
        """Make the socket; `open` uses it. OsipError when the system has no SCTP."""
        sock = self.make(local, reuse_port, self._config.tos)
        try:
            sock.setsockopt(IPPROTO_SCTP, NODELAY, 1)
            sock.setsockopt(IPPROTO_SCTP, AUTOCLOSE, self._config.tcp_connection_lifetime)
            sock.setsockopt(IPPROTO_SCTP, EVENTS, _WANTED)
            sock.listen(self._config.tcp_socket_backlog)
        except BaseException:
            sock.close()
            raise
        self._bound[local] = sock
        return sock

    def _make_port(self, local: LocalSocket, sock: socket.socket, loop: asyncio.AbstractEventLoop,
                   receiver: Receiver) -> UdpPort:
        return SctpPort(local, sock, loop, receiver, self._complain, self._limit)
