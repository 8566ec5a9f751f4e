"""Messages in parts, and those that could not be delivered."""
from __future__ import annotations

import socket
import struct

import pytest

from kit.stand_in_sctp import OPTIONS, StandInTransport, open_one
from osip.core.net.association import MSG_NOTIFICATION, SEND_FAILED
from osip.core.net.endpoint import Dest


@pytest.mark.parametrize(("pieces", "got"), [
    ([(OPTIONS[:30], 0), (OPTIONS[30:], socket.MSG_EOR)], [OPTIONS]),
    ([(b"\r\n", socket.MSG_EOR), (OPTIONS, socket.MSG_EOR)], [OPTIONS]),
    ([(b"x" * 200_000, 0), (b"x" * 200_000, 0), (OPTIONS, socket.MSG_EOR)], [OPTIONS]),
    ([(struct.pack("=HHI", 0x8001, 0, 8), MSG_NOTIFICATION), (OPTIONS, socket.MSG_EOR)], [OPTIONS])])
async def test_parts_are_put_together(pieces: list[tuple[bytes, int]], got: list[bytes]) -> None:
    transport, local, inbox = open_one()
    StandInTransport.made[0].pieces = pieces
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        try:
            for _ in list(pieces):
                peer.sendto(b"any", ("127.0.0.1", local.port))
            await inbox.until(lambda: not pieces)
            assert [raw for raw, _ in inbox.got] == got
        finally:
            transport.close()


async def test_an_undelivered_message_is_told() -> None:
    transport, local, inbox = open_one()
    notice = struct.pack("=HHII32si", SEND_FAILED, 0, 48 + len(OPTIONS), 0, bytes(32), 7) + OPTIONS
    StandInTransport.made[0].pieces = [(notice, MSG_NOTIFICATION)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        try:
            peer.sendto(b"any", ("127.0.0.1", local.port))
            await inbox.until(lambda: inbox.unsent)
            (data, dest), = inbox.unsent
            assert data == OPTIONS and dest == Dest("sctp", "127.0.0.1", peer.getsockname()[1])
        finally:
            transport.close()
