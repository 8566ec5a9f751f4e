"""Know the endpoints that are kept alive, and why: each reason ends by itself, the last one takes the endpoint along.

The table is the same in all workers; times are wall-clock seconds, so that they survive a restart.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from zlib import crc32

from osip.api import Replicated

REGISTRATION, SUBSCRIPTION, CALL = "r", "s", "d"
KINDS: Final = (REGISTRATION, SUBSCRIPTION, CALL)
MOST: Final = 1 << 18
"""Reasons kept; what comes beyond is refused."""

Key = tuple[str, str]                   # endpoint URI, reason: kind and what it is about, such as "r:bob@example.com"


class Endpoint:
    """One source address: the socket that it talks to, and until when each reason holds."""
    __slots__ = ("reasons", "socket", "uri")

    def __init__(self, uri: str) -> None:
        self.uri, self.socket = uri, ""
        self.reasons: dict[str, float] = {}

    def has(self, kind: str) -> bool:
        """Say whether a reason of this kind holds."""
        return any(reason[0] == kind for reason in self.reasons)


class Endpoints:
    """All endpoints, spread over slots so that a round of pings takes the whole interval."""

    def __init__(self, shared: Replicated, slots: int) -> None:
        self._shared = shared
        self._by_uri: dict[str, Endpoint] = {}
        self._slots: list[dict[str, Endpoint]] = [{} for _ in range(slots)]
        self._calls: dict[str, set[str]] = {}           # Call-ID -> endpoints that it keeps alive
        self.counts = dict.fromkeys(KINDS, 0)
        self.is_changed = False
        shared.on_change = self._on_change

    def __len__(self) -> int:
        return len(self._by_uri)

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(list(self._by_uri.values()))

    def get(self, uri: str) -> Endpoint | None:
        """Return the endpoint of a URI."""
        return self._by_uri.get(uri)

    def slot(self, number: int) -> list[Endpoint]:
        """Return the endpoints whose turn it is."""
        return list(self._slots[number % len(self._slots)].values())

    def add(self, uri: str, socket: str, reason: str, until: float) -> bool:
        """Keep an endpoint alive for a reason; False when there is no room for one more."""
        if len(self._shared) >= MOST and self._shared.get((uri, reason)) is None:
            return False
        self._shared.set((uri, reason), (socket, until))
        return True

    def remove(self, uri: str, reason: str) -> None:
        """A reason is over."""
        if self._shared.get((uri, reason)) is not None:
            self._shared.delete((uri, reason))

    def end_call(self, call_id: str) -> None:
        """A call is over."""
        for uri in list(self._calls.get(call_id, ())):
            self.remove(uri, f"{CALL}:{call_id}")

    def expire(self, endpoint: Endpoint, now: float) -> bool:
        """Drop the reasons that are over; False when the endpoint went with the last."""
        for reason in [reason for reason, until in endpoint.reasons.items() if until <= now]:
            self.remove(endpoint.uri, reason)
        return bool(endpoint.reasons)

    def items(self) -> list[tuple[Key, tuple[str, float]]]:
        """List every reason: ((URI, reason), (socket, until))."""
        return list(self._shared.items())

    def _on_change(self, key: Key, value: tuple[str, float] | None) -> None:
        """A reason came, was prolonged, or went, in any worker."""
        uri, reason = key
        self.is_changed = True
        endpoint = self._by_uri.get(uri)
        if endpoint is None:
            if value is None:
                return
            endpoint = self._by_uri[uri] = Endpoint(uri)
            self._slot_of(uri)[uri] = endpoint
        if reason[0] == CALL:
            self._note_call(reason.partition(":")[2], uri, value is not None)
        before = endpoint.has(reason[0])
        if value is None:
            endpoint.reasons.pop(reason, None)
        else:
            endpoint.socket, endpoint.reasons[reason] = value
        self.counts[reason[0]] += endpoint.has(reason[0]) - before
        if not endpoint.reasons:
            del self._by_uri[uri]
            self._slot_of(uri).pop(uri, None)

    def _note_call(self, call_id: str, uri: str, is_there: bool) -> None:
        if is_there:
            self._calls.setdefault(call_id, set()).add(uri)
        elif call_id in self._calls:
            self._calls[call_id].discard(uri)
            if not self._calls[call_id]:
                del self._calls[call_id]

    def _slot_of(self, uri: str) -> dict[str, Endpoint]:
        return self._slots[crc32(uri.encode()) % len(self._slots)]


