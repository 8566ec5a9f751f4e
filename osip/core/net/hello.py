"""Read the server name out of a TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3) before TLS itself does.

The name decides which domain serves, and with it whether a client certificate is demanded; later that is fixed.
"""
from __future__ import annotations

from typing import Final

HANDSHAKE: Final = 22
CLIENT_HELLO: Final = 1
MAX_HELLO: Final = 32768        # bytes on the wire; real ones have a few hundred, with post-quantum keys two thousand
_MAX_RECORD: Final = 16384 + 256
_SERVER_NAME: Final = 0


class NotTls(ValueError):
    """What came is no TLS ClientHello."""


def server_name(data: bytes | bytearray) -> str | None:
    """Return the name that a client asks for, "" when it names none, None when more bytes are needed.

    NotTls when the bytes are no ClientHello or it is too long.
    """
    hello = _hello(data)
    if hello is None:
        if len(data) >= MAX_HELLO:
            raise NotTls("ClientHello too long")
        return None
    try:
        return _name(hello)
    except IndexError:
        raise NotTls("bad ClientHello") from None


def _hello(data: bytes | bytearray) -> bytes | None:
    """Join the records of the ClientHello; None while some are missing."""
    body = bytearray()
    pos = 0
    while True:
        if pos < len(data) and data[pos] != HANDSHAKE or pos + 1 < len(data) and data[pos + 1] != 3:
            raise NotTls("not TLS")
        if pos + 5 > len(data):
            return None
        size = int.from_bytes(data[pos + 3:pos + 5], "big")
        if not 0 < size <= _MAX_RECORD:
            raise NotTls("bad TLS record")
        body += data[pos + 5:pos + 5 + size]
        if body and body[0] != CLIENT_HELLO:
            raise NotTls("TLS without a ClientHello")
        if len(body) >= 4:
            need = 4 + int.from_bytes(body[1:4], "big")
            if need > MAX_HELLO:
                raise NotTls("ClientHello too long")
            if len(body) >= need:
                return bytes(body[4:need])
        if pos + 5 + size > len(data):
            return None
        pos += 5 + size


def _name(hello: bytes) -> str:
    pos = 34                                            # version and random
    pos += 1 + hello[pos]                               # session id
    pos += 2 + (hello[pos] << 8 | hello[pos + 1])       # cipher suites
    pos += 1 + hello[pos]                               # compression
    if pos == len(hello):
        return ""                                       # no extensions
    end = pos + 2 + (hello[pos] << 8 | hello[pos + 1])
    pos += 2
    while pos < end:
        kind, size = hello[pos] << 8 | hello[pos + 1], hello[pos + 2] << 8 | hello[pos + 3]
        pos += 4
        if kind == _SERVER_NAME:
            return _host_name(hello[pos:pos + size])
        pos += size
    return ""


def _host_name(names: bytes) -> str:
    """Return the first host name of the extension's list."""
    pos = 2
    while pos + 3 <= len(names):
        size = names[pos + 1] << 8 | names[pos + 2]
        if names[pos] == 0:
            name = names[pos + 3:pos + 3 + size]
            return name.decode("ascii", "replace").lower().rstrip(".")
        pos += 3 + size
    return ""
