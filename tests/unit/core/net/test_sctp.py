"""SCTP: over the kernel where it has some; a datagram socket stands in for one everywhere."""
from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from kit.stand_in_sctp import OPTIONS, StandInTransport, open_one
from osip.core.errors import OsipError
from osip.core.net import sctp
from osip.core.net.association import IPPROTO_SCTP
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.sctp import SctpTransport
from osip.core.run.config import Config


def has_sctp() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, IPPROTO_SCTP).close()
    except OSError:
        return False
    return True


async def test_messages_go_both_ways_unordered_over_stream_0() -> None:
    transport, local, inbox = open_one()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(5)
        try:
            peer.sendto(OPTIONS, ("127.0.0.1", local.port))
            await inbox.until(lambda: inbox.got)
            raw, source = inbox.got[0]
            assert raw == OPTIONS and (source.socket, source.port) == (local, peer.getsockname()[1])
            assert transport.send(b"SIP/2.0 200 OK\r\n\r\n", Dest("sctp", source.host, source.port, local))
            assert peer.recv(100) == b"SIP/2.0 200 OK\r\n\r\n"
            made = StandInTransport.made[0]
            (level, kind, content), = made.records
            assert (level, kind, len(content), struct.unpack_from("=HHH", content)) == (132, 1, 32, (0, 0, 1))
            assert made.options == {3: 1, 4: 120, 11: bytes((0, 0, 0, 1, 0, 0, 0, 0)), "backlog": 10}
            assert local.via_start.startswith(b"Via: SIP/2.0/SCTP 127.0.0.1:")
            assert not transport.send(OPTIONS, Dest("sctp", "name.example", 5060, local))
        finally:
            transport.close()


def test_a_kernel_without_sctp_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> Any:
        raise OSError(93, "Protocol not supported")
    monkeypatch.setattr(sctp, "make_socket", refuse)
    with pytest.raises(OsipError, match=r"sctp:127.0.0.1:5060: this system's kernel has no SCTP. Load it"):
        SctpTransport(Config()).bind(LocalSocket("sctp", "127.0.0.1", 5060))


@pytest.mark.skipif(not has_sctp(), reason="the kernel has no SCTP")
async def test_over_the_kernel() -> None:
    (one, near, box), (two, far, other) = open_one(SctpTransport), open_one(SctpTransport)
    try:
        assert one.send(OPTIONS * 900, Dest("sctp", "127.0.0.1", far.port, near))
        await other.until(lambda: other.got)
        raw, source = other.got[0]
        assert raw == OPTIONS * 900 and source.port == near.port
        assert two.send(OPTIONS, Dest("sctp", source.host, source.port, far))
        await box.until(lambda: box.got)
    finally:
        one.close()
        two.close()
