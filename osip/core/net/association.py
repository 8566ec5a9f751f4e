"""Read and write one SCTP socket: whole messages, also those that come in parts, and what could not be delivered."""
from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.port import BATCH, QUEUE, SHORTEST, UdpPort
from osip.core.net.transport import Complaint, Receiver

IPPROTO_SCTP = 132
SEND_RECEIVE, UNORDERED = 1, 1                  # kind of ancillary record, and its flag
MSG_NOTIFICATION = 0x8000
SEND_FAILED = 0x8003
_FAILED = struct.Struct("=HHII32si")            # what stands before the message that was not sent
_INFO = struct.pack("=HHHxxIIIIIi", 0, 0, UNORDERED, 0, 0, 0, 0, 0, 0)
LONGEST = 262144            # bytes of a message that comes in parts
PIECE = 65535
PARTIAL = 256               # peers whose message is not complete


class SctpPort(UdpPort):
    """One SCTP socket with all its associations."""
    __slots__ = ("_parts", "too_long")

    def __init__(self, local: LocalSocket, sock: socket.socket, loop: asyncio.AbstractEventLoop, receiver: Receiver,
                 complain: Complaint, limit: int = QUEUE) -> None:
        super().__init__(local, sock, loop, receiver, complain, limit)
        self._sendto = self._send_message
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
            source = self._source_of(address)
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
