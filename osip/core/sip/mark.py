"""Mark requests: short texts that are the same for every copy of a request and differ between requests.

Where a mark only has to be told again by the server that made it, Python's hash of bytes does, which is keyed by
process (forked workers share the key); where it must outlive a restart, MD5. Nobody gains by two requests that share
a mark.
"""
from __future__ import annotations

from hashlib import blake2b, md5
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.message import READER, Request


def _md5_hex(text: str) -> str:
    return md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


_QUICK: Final[Any] = None if LEAF is None else LEAF.md5_hex
_SEAL: Final[Any] = None if LEAF is None else LEAF.seal
_IDENTITY: Final[Any] = None if READER is None else READER.mark_identity
_COPY: Final[Any] = None if READER is None else READER.mark_copy


def md5_hex(text: str) -> str:
    """Return the MD5 digest of a text in hex."""
    if _QUICK is not None:
        found: str | None = _QUICK(text)
        if found is not None:
            return found
    return _md5_hex(text)


def seal(key: bytes, text: str) -> str:
    """Return what only those who have a key can tell of a text: 32 hex digits of BLAKE2b.

    The key stands before the text: for BLAKE2 that is as good as its own keying, which hashes a block more.
    """
    if _SEAL is not None:
        found: str | None = _SEAL(key, text)
        if found is not None:
            return found
    return blake2b(key + text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def mark_identity(request: Request, secret: str) -> str:
    """Return a mark that only we can tell, of Call-ID, From tag, CSeq number and branch: 16 hex digits.

    A bad request has one too.
    """
    if _IDENTITY is not None:
        found: str | None = _IDENTITY(request, secret)
        if found is not None:
            return found
    try:
        text = f"{secret}{request.call_id}{request.from_tag}{request.cseq}{request.via1_branch}"
    except ParseError:                  # a message that is answered because it is bad
        text = secret + request.raw.decode("utf-8", "surrogateescape")
    return f"{hash(text.encode('utf-8', 'surrogateescape')) & 0xffffffffffffffff:016x}"


def mark_copy(request: Request) -> str:
    """Return a mark that a request shares with its copies, its CANCEL and its ACK (RFC 3261 section 16.11)."""
    if _COPY is not None:
        found: str | None = _COPY(request)
        if found is not None:
            return found
    key = request.via1_branch
    if key.startswith("z9hG4bK"):
        key += request.via1.sent_by
    else:               # RFC 2543: what stays the same from INVITE to CANCEL and ACK
        key = f"{request.via1}|{request.from_tag}|{request.call_id}|{request.cseq}|{request.ruri}"
    return _md5_hex(key)
