"""Write the URI that a header had before (or got) into a Record-Route parameter, and read it back from either end.

The parameter holds the exclusive or of the two URIs: whoever knows one of them learns the other. So the same text
turns the caller's requests into what the called party knows, and the called party's into what the caller knows. A
checksum over both, keyed by the password, says whether a URI at hand is one of the two.
"""
from __future__ import annotations

import base64
import binascii
from hashlib import blake2b, shake_256

_CHECK, _LENGTH = 4, 2


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _checksum(one: bytes, two: bytes, password: str) -> bytes:
    key = blake2b(_encode(password), digest_size=32).digest()
    return blake2b(b"\0".join(sorted((one, two))), digest_size=_CHECK, key=key).digest()


def _stream(password: str, salt: bytes, size: int) -> bytes:
    return shake_256(_encode(password) + salt).digest(size) if password else bytes(size)


def _xor(one: bytes, two: bytes) -> bytes:
    return bytes([a ^ b for a, b in zip(one, two, strict=True)])


def cover(old: str, new: str, display: str | None, password: str) -> str:
    """Return the parameter's value; `display` is the display name that was set along with the new URI, if one was."""
    one, two = _encode(old), _encode(new)
    check = _checksum(one, two, password)
    size = max(len(one), len(two))
    mixed = _xor(one.ljust(size, b"\0"), two.ljust(size, b"\0"))
    plain = size.to_bytes(_LENGTH, "big") + mixed + (b"" if display is None else b"=" + _encode(display))
    text = check + _xor(plain, _stream(password, check, len(plain)))
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode("ascii")


def uncover(value: str, known: str, password: str) -> tuple[str, str | None] | None:
    """Return the other URI and the display name that went with the new one; None when `known` is neither."""
    try:
        text = base64.urlsafe_b64decode(_encode(value) + b"=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return None
    check, hidden = text[:_CHECK], text[_CHECK:]
    plain = _xor(hidden, _stream(password, check, len(hidden)))
    size = int.from_bytes(plain[:_LENGTH], "big")
    mixed, rest = plain[_LENGTH:_LENGTH + size], plain[_LENGTH + size:]
    one = _encode(known)
    if len(mixed) != size or len(one) > size:
        return None
    two = _xor(one.ljust(size, b"\0"), mixed).rstrip(b"\0")
    if _checksum(one, two, password) != check:
        return None
    display = rest[1:].decode("utf-8", "surrogateescape") if rest[:1] == b"=" else None
    return two.decode("utf-8", "surrogateescape"), display
