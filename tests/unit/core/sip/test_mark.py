"""Marks: what they are made of, and who shares one."""
from __future__ import annotations

from hashlib import blake2b, md5

import pytest

from osip.core.sip.mark import mark_copy, mark_identity, md5_hex, seal
from osip.core.sip.message import parse

HEAD = (b"%b sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP %b\r\nFrom: <sip:a@b>;tag=a-1\r\nTo: <sip:b@c>%b\r\nCall-ID: x@y\r\n"
        b"CSeq: %d %b\r\n\r\n")


def made(method: bytes = b"INVITE", via: bytes = b"h:5070;branch=z9hG4bKx", to: bytes = b"", cseq: int = 70000) -> bytes:
    return HEAD % (method, via, to, cseq, method)


def hashed(text: str) -> str:
    return f"{hash(text.encode()) % 2**64:016x}"


@pytest.mark.parametrize("text", ["", "a", "ä", "\udcff", "x" * 55, "x" * 56, "x" * 63, "x" * 64, "x" * 200])
def test_md5(text: str) -> None:
    assert md5_hex(text) == md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(("raw", "text"), [
    (made(), "secretx@ya-170000z9hG4bKx"), (made(via=b"h"), "secretx@ya-170000"), (made(cseq=0), "secretx@ya-10z9hG4bKx"),
    (made(via=b'h;x="1";branch=z9hG4bKx'), "secretx@ya-170000z9hG4bKx")])
def test_the_mark_of_an_identity(raw: bytes, text: str) -> None:
    assert mark_identity(parse(raw), "secret") == hashed(text)                  # type: ignore[arg-type]


def test_a_bad_request_has_a_mark_of_its_bytes() -> None:
    raw = made().replace(b"CSeq: 70000", b"CSeq: x")
    assert mark_identity(parse(raw), "secret") == hashed("secret" + raw.decode())           # type: ignore[arg-type]


@pytest.mark.parametrize(("via", "text"), [
    (b"h:5070;branch=z9hG4bKx", "z9hG4bKxh:5070"), (b"h;branch=z9hG4bKx;rport", "z9hG4bKxh"),
    (b"h:05070;branch=z9hG4bKx", "z9hG4bKxh:5070"), (b"[::1]:5070;branch=z9hG4bKx", "z9hG4bKx[::1]:5070"),
    (b"h;branch=old", "SIP/2.0/UDP h;branch=old|a-1|x@y|70000|sip:b@c"), (b"h", "SIP/2.0/UDP h|a-1|x@y|70000|sip:b@c")])
def test_copies_share_a_mark(via: bytes, text: str) -> None:
    for method, to in ((b"INVITE", b""), (b"CANCEL", b""), (b"ACK", b";tag=b")):
        assert mark_copy(parse(made(method, via, to))) == md5_hex(text)         # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, 26, 95, 96, 97, 400])
def test_seal(size: int) -> None:
    key, text = bytes(range(32)), "x" * size
    assert seal(key, text) == blake2b(key + text.encode(), digest_size=16).hexdigest()
    assert seal(key, text) != seal(key[::-1], text)
    assert seal(key, text + "\xe9") == blake2b(key + (text + "\xe9").encode(), digest_size=16).hexdigest()
