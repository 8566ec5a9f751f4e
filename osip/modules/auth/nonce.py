"""Make nonces that need no memory until they are used, and remember the used ones (RFC 7616 sections 3.3 and 5.4).

A nonce is its time, random bits, what was offered with it, and a keyed hash over these; any worker can check it.
"""
from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any, Final

from osip.api import seal

ALGORITHMS: Final = ("md5", "sha-256", "sha-512-256")
QOPS: Final = ("auth", "auth-int")
_IS_SAME: Final[Any] = hmac.compare_digest
_BODY: Final = 8 + 16 + 2
_SIZE: Final = _BODY + 32
_RANDOM: Final = 64
"""How many nonces the system is asked for random bits at once."""
_AHEAD: Final = 5
"""Seconds that the clock may have gone back since a nonce was made."""
LIMIT: Final = 500_000
"""Used nonces that are remembered; with more, the older half is stale before its time."""


class Offer:
    """What a challenge offered: the names of algorithms and of qop values, in lower case."""
    __slots__ = ("algorithms", "bits", "qops", "text")

    def __init__(self, algorithms: tuple[str, ...] = ("md5",), qops: tuple[str, ...] = ()) -> None:
        self.algorithms, self.qops = algorithms, qops
        self.bits = sum(1 << ALGORITHMS.index(name) for name in set(algorithms)) \
            | sum(8 << QOPS.index(name) for name in set(qops))
        self.text = f"{self.bits:02x}"

    @classmethod
    def of(cls, bits: int) -> Offer:
        """Return the offer of these bits."""
        return cls(tuple(name for at, name in enumerate(ALGORITHMS) if bits >> at & 1),
                   tuple(name for at, name in enumerate(QOPS) if bits >> at & 8))

    def allows(self, algorithm: str, qop: str) -> bool:
        """Say whether an answer keeps to the offer; nobody may choose weaker ways than were offered.

        No qop at all is what clients of RFC 2069 send; it passes unless the body was to be protected.
        """
        if (algorithm.lower() or "md5").removesuffix("-sess") not in self.algorithms:
            return False
        return not self.qops or qop.lower() in self.qops or (not qop and "auth" in self.qops)


_OFFERS: Final = tuple([Offer.of(bits) for bits in range(1 << len(ALGORITHMS) + len(QOPS))])


class Nonces:
    """The nonces of one server. `key` is known to all workers, `lifetime` is in seconds."""
    __slots__ = ("_floor", "_key", "_limit", "_mark_key", "_random", "_second", "_stamp", "_used", "lifetime")

    def __init__(self, key: bytes, lifetime: int, limit: int = LIMIT) -> None:
        self._key = hashlib.sha256(key).digest()
        self._mark_key = hashlib.sha256(b"mark" + key).digest()
        self.lifetime = lifetime
        self._limit = limit
        self._floor = -1                            # nonces of that second and before have been forgotten
        self._used: dict[str, tuple[int, int]] = {}         # nonce -> (mark, nonce count) of the last request with it
        self._random: list[str] = []
        self._second, self._stamp = -1, ""

    def make(self, now: float, offer: Offer) -> str:
        """Return a new nonce for a challenge."""
        second = int(now) & 0xffffffff
        if second != self._second:
            self._second, self._stamp = second, f"{second:08x}"
        if not self._random:
            bits = os.urandom(8 * _RANDOM).hex()
            self._random = [bits[at:at + 16] for at in range(0, len(bits), 16)]
        body = self._stamp + self._random.pop() + offer.text
        return body + self._seal(body)

    def renew(self) -> None:
        """Take new random bits: a worker has its own, or two would make the same nonces."""
        self._random = []

    def offer(self, nonce: str) -> Offer | None:
        """Return what was offered with a nonce of ours; None when it is not ours."""
        body = nonce[:_BODY]
        if len(nonce) != _SIZE or not nonce.isascii() or not _IS_SAME(nonce[_BODY:], self._seal(body)):
            return None
        return _OFFERS[int(body[-2:], 16) % len(_OFFERS)]

    def is_fresh(self, nonce: str, now: float) -> bool:
        """Say whether a nonce of ours has not expired."""
        made = int(nonce[:8], 16)
        return -_AHEAD <= int(now) - made <= self.lifetime and made > self._floor

    def fingerprint(self, raw: bytes) -> int:
        """Return a number by which a message is known again: Python's keyed hash, whose key forked workers share."""
        return hash(self._mark_key + raw)

    def is_used(self, nonce: str, mark: int, count: int = 0) -> bool:
        """Say whether a nonce can no longer be used by the message of a mark; a retransmission is the same message.

        The nonce count must be above that of the last message (RFC 7616 section 3.4); 0 is what never is.
        """
        last = self._used.get(nonce)
        return last is not None and last[0] != mark and count <= last[1]

    def mark(self, nonce: str, mark: int, count: int = 0) -> None:
        """Note the message that used a nonce, if it is the first or has a higher nonce count than the last one."""
        last = self._used.get(nonce)
        if last is None or count > last[1]:
            self._used[nonce] = (mark, count)
            if len(self._used) > self._limit:
                self._forget()

    def used(self) -> list[tuple[str, int, int]]:
        """List what `mark` noted, for a worker that starts late."""
        return [(nonce, last[0], last[1]) for nonce, last in self._used.items()]

    def sweep(self, now: float) -> None:
        """Forget used nonces that have expired."""
        self._used = {nonce: last for nonce, last in self._used.items() if self.is_fresh(nonce, now)}

    def _forget(self) -> None:
        """Forget the older half of the used nonces; none of that age is good any more."""
        made = sorted([nonce[:8] for nonce in self._used])
        self._floor = int(made[len(made) // 2], 16)
        self._used = {nonce: last for nonce, last in self._used.items() if int(nonce[:8], 16) > self._floor}

    def __len__(self) -> int:
        return len(self._used)

    def _seal(self, body: str) -> str:
        return seal(self._key, body)
