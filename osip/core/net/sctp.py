"""Move SIP over SCTP (RFC 4168): one socket for all associations of an address, message by message as with UDP.

The system makes an association with the first message to a peer, and closes it when it was idle for
`tcp_connection_lifetime` seconds. Messages go unordered over stream 0 (RFC 4168 section 5.1).
"""
from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
from typing import Any

from osip.core.errors import OsipError
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.transport import Receiver, make_socket
from osip.core.net.udp import BATCH, QUEUE, SHORTEST, UdpPort, UdpTransport

IPPROTO_SCTP = 132
NODELAY, AUTOCLOSE, EVENTS = 3, 4, 11           # options of a socket
SEND_RECEIVE, UNORDERED = 1, 1                  # kind of ancillary record, and its flag
MSG_NOTIFICATION = 0x8000
SEND_FAILED = 0x8003
_FAILED = struct.Struct("=HHII32si")            # what stands before the message that was not sent
_INFO = struct.pack("=HHHxxIIIIIi", 0, 0, UNORDERED, 0, 0, 0, 0, 0, 0)
_WANTED = bytes((0, 0, 0, 1, 0, 0, 0, 0))       # events: failed sends alone
_NO_SCTP = frozenset({errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPROTOTYPE})
LONGEST = 262144            # bytes of a message that comes in parts
PIECE = 65535
PARTIAL = 256               # peers whose message is not complete


def make_sctp_socket(local: LocalSocket, reuse_port: bool, tos: str | int) -> socket.socket:
    """Make and bind a socket; OsipError with words when the system has no SCTP."""
    try:
        return make_socket(local, socket.SOCK_SEQPACKET, reuse_port, tos, IPPROTO_SCTP)
    except OSError as error:
        if error.errno not in _NO_SCTP:
            raise
        raise OsipError(f"cannot listen on {local.text}: this system's kernel has no SCTP. Load it (modprobe sctp), or "
                        "remove the socket from the script") from error


class SctpPort(UdpPort):
    """One SCTP socket with all its associations."""
    __slots__ = ("_parts", "too_long")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sendto = self._send_message       # type: ignore[assignment]
        self._parts: dict[Any, bytes] = {}
        self.too_long = 0

    def _send_message(self, data: bytes, address: tuple[str, int]) -> int:
        return self._sock.sendmsg([data], [(IPPROTO_SCTP, SEND_RECEIVE, _INFO)], 0, address)

    def on_readable(self) -> None:
        """Hand over up to 64 messages; what one of them raises never costs the others."""
        self._receiver.batch_start()
        for _ in range(BATCH):
            try:
                raw, _, flags, address = self._sock.recvmsg(PIECE)
            except BlockingIOError:
                break
            except OSError:                     # an association that broke
                self.receive_errors += 1
                continue
            if flags & MSG_NOTIFICATION:
                self._on_notice(raw, address)
            elif not raw and not flags & socket.MSG_EOR:
                break
            else:
                self._on_piece(raw, bool(flags & socket.MSG_EOR), address)
        self._receiver.batch_end()

    def _on_piece(self, raw: bytes, is_last: bool, address: Any) -> None:
        """Put the parts of a message together."""
        before = self._parts.pop(address, b"")
        if not is_last:
            if len(before) + len(raw) > LONGEST or len(self._parts) >= PARTIAL:
                self.too_long += 1              # what follows cannot be parsed, and is dropped by that
                return
            self._parts[address] = before + raw
            return
        raw = before + raw
        if len(raw) < SHORTEST:
            self._on_short(raw)
            return
        source = self._sources.get(address)
        if source is None:
            source = self._new_source(address)
        self.received += 1
        try:
            self._receiver.receive(raw, source)
        except Exception as error:              # as with UDP: one message must not cost the others
            self.failures += 1
            self._complain("receive_failed", "socket=%s source=%s:%d", self.local.text, address[0], address[1],
                           error=error)

    def _on_notice(self, raw: bytes, address: Any) -> None:
        """Tell of a message that the system had taken and could not deliver."""
        if len(raw) < _FAILED.size or not address or int.from_bytes(raw[:2], "little") != SEND_FAILED:
            return
        self.send_errors += 1
        told = getattr(self._receiver, "on_unsent", None)
        if told is not None and len(raw) > _FAILED.size:
            told(raw[_FAILED.size:], Dest("sctp", address[0], address[1], self.local))


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
