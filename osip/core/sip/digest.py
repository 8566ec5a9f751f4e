"""Compute and verify digest responses (RFC 7616, RFC 8760, RFC 3261 section 22.4)."""
from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.auth import Auth


def _md5(data: bytes) -> Any:
    # Digest wants MD5 for old phones; it is no seal here, which FIPS builds need to be told.
    return hashlib.md5(data, usedforsecurity=False)


def _sha512_256(data: bytes) -> Any:
    return hashlib.new("sha512_256", data)


_HASHES: Final[Mapping[str, Callable[[bytes], Any]]] = MappingProxyType(
    {"md5": _md5, "sha-256": hashlib.sha256, "sha-512-256": _sha512_256})


_MD5: Final[Any] = None if LEAF is None else LEAF.md5_hex
_RESPONSE: Final[Any] = None if LEAF is None else LEAF.md5_response
_IS_SAME: Final[Any] = hmac.compare_digest


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _hash(algorithm: str) -> Callable[[str], str]:
    """Return H() of an algorithm name, with or without its -sess."""
    make = _HASHES.get((algorithm or "MD5").lower().removesuffix("-sess"))
    if make is None:
        raise ParseError(f"unknown digest algorithm {algorithm}")
    return lambda text: make(_bytes(text)).hexdigest()


def is_known_algorithm(algorithm: str) -> bool:
    """Tell whether digest responses can be computed for an algorithm name; "" means MD5."""
    return (algorithm or "MD5").lower().removesuffix("-sess") in _HASHES


def digest_ha1(user: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """Return the stored form of a password: H(user:realm:password)."""
    if _MD5 is not None and algorithm in ("MD5", "md5", ""):
        found: str | None = _MD5(f"{user}:{realm}:{password}")
        if found is not None:
            return found
    return _hash(algorithm)(f"{user}:{realm}:{password}")


def digest_response(ha1: str, method: str, uri: str, nonce: str, algorithm: str = "MD5", qop: str = "",
                    nc: str = "", cnonce: str = "", body: bytes = b"") -> str:
    """Return the response for credentials; `ha1` is what `digest_ha1` gave, `qop` "", "auth" or "auth-int"."""
    if _RESPONSE is not None and algorithm in ("MD5", "md5", "") and qop in ("auth", ""):
        found: str | None = _RESPONSE(ha1, method, uri, nonce, nc, cnonce, qop)
        if found is not None:
            return found
    hashed = _hash(algorithm)
    if algorithm.lower().endswith("-sess"):
        ha1 = hashed(f"{ha1}:{nonce}:{cnonce}")
    mode = qop.lower()
    a2 = f"{method}:{uri}"
    if mode == "auth-int":
        a2 += ":" + hashed(body.decode("utf-8", "surrogateescape"))
    elif mode not in ("", "auth"):
        raise ParseError(f"unknown qop {qop}")
    ha2 = hashed(a2)
    if mode:
        return hashed(f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}")
    return hashed(f"{ha1}:{nonce}:{ha2}")


def verify_digest(credentials: Auth, method: str, ha1: str, body: bytes = b"") -> bool:
    """Tell whether credentials prove knowledge of the password behind `ha1`, in constant time.

    Whether the nonce is ours and fresh, and whether uri fits the request, is for the caller to say.
    """
    get = credentials.params.get
    try:
        expected = digest_response(ha1, method, get("uri", ""), get("nonce", ""), get("algorithm", ""), get("qop", ""),
                                   get("nc", ""), get("cnonce", ""), body)
    except ParseError:
        return False
    given = get("response", "").lower()
    return given.isascii() and bool(_IS_SAME(expected, given))


def answer_challenge(challenge: Auth, user: str, ha1: str, method: str, uri: str, cnonce: str = "",
                     count: int = 1, body: bytes = b"") -> Auth:
    """Build the credentials that answer a challenge; qop auth is chosen over auth-int."""
    offered = [word.strip().lower() for word in challenge.get("qop").split(",") if word.strip()]
    qop = "auth" if "auth" in offered else ("auth-int" if "auth-int" in offered else "")
    algorithm = challenge.get("algorithm")
    params = {"username": user, "realm": challenge.get("realm"), "nonce": challenge.get("nonce"), "uri": uri}
    nc = f"{count:08x}" if qop else ""
    params["response"] = digest_response(ha1, method, uri, params["nonce"], algorithm, qop, nc, cnonce, body)
    if algorithm:
        params["algorithm"] = algorithm
    if qop:
        params.update(qop=qop, nc=nc, cnonce=cnonce)
    elif algorithm.lower().endswith("-sess"):
        params["cnonce"] = cnonce
    if "opaque" in challenge.params:
        params["opaque"] = challenge.params["opaque"]
    return Auth("Digest", params)
