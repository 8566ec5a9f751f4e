"""The server name of a ClientHello, as OpenSSL writes it and as strangers might."""
from __future__ import annotations

import ssl

import pytest
from hypothesis import given, strategies as st

from osip.core.net.hello import MAX_HELLO, NotTls, server_name


def hello(name: str | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return out.read()


NAMED, BARE = hello("Sip.Example.com"), hello(None)


def cut(data: bytes, size: int) -> bytes:
    """Spread the hello over records of `size` bytes."""
    body = data[5:]
    return b"".join(data[:3] + len(part).to_bytes(2, "big") + part
                    for part in (body[at:at + size] for at in range(0, len(body), size)))


@pytest.mark.parametrize(("data", "name"), [
    (NAMED, "sip.example.com"), (BARE, ""), (cut(NAMED, 50), "sip.example.com"), (cut(NAMED, 3), "sip.example.com"),
    (NAMED + b"more", "sip.example.com"), (hello("10.0.0.1"), ""),
])
def test_names(data: bytes, name: str) -> None:
    assert server_name(data) == name


@pytest.mark.parametrize("data", [cut(NAMED, 50), NAMED], ids=["records", "one"])
def test_every_cut_waits(data: bytes) -> None:
    assert {server_name(data[:size]) for size in range(len(data))} == {None}


@pytest.mark.parametrize("data", [
    b"OPTIONS sip:a SIP/2.0\r\n", b"\x00", b"\x16\x02", b"\x15\x03\x01\x00\x02\x01\x00", b"\x16\x03\x01\xff\xff",
    b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\x00\x01\x02", b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
    b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", cut(b"\x16\x03\x01\x00\x00\x01\x00\x7f\xff" + bytes(MAX_HELLO), 9)[:MAX_HELLO],
])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(NotTls):
        server_name(data)


@given(st.binary(max_size=200), st.integers(0, len(NAMED)))
def test_garbage_never_breaks_it(tail: bytes, kept: int) -> None:
    try:
        assert server_name(NAMED[:kept] + tail) is None or True
    except NotTls:
        pass
