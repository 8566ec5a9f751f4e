"""Keep keys and values with an end of life: the local cache, and the place where other caches register."""
from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from osip.core.errors import StoreError

MAX_ENTRIES = 1 << 20
"""Entries of one local collection: what peers cause must not grow without bound."""


class Cache(Protocol):
    """One cache, as the `cache_*` words use it."""

    def get(self, key: str) -> str | int | None:
        """Return a value, None when there is none."""

    def set(self, key: str, value: str | int, ttl: int = 0) -> None:
        """Store a value for `ttl` seconds (0 = for ever)."""

    def add(self, key: str, amount: int, ttl: int = 0) -> int:
        """Add to a counter, made when absent; return its new value."""

    def remove(self, key: str) -> bool:
        """Remove a key; False when it was not there."""


class LocalCache:
    """A cache in the memory of this worker; `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[str | int, float]] = {}

    def get(self, key: str) -> str | int | None:
        """Return a value, None when there is none or it has ended."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[1] <= self._clock():
            del self._entries[key]
            return None
        return entry[0]

    def set(self, key: str, value: str | int, ttl: int = 0) -> None:
        """Store a value for `ttl` seconds (0 = for ever)."""
        if len(self._entries) >= MAX_ENTRIES and key not in self._entries:
            self.sweep()
            if len(self._entries) >= MAX_ENTRIES:
                raise StoreError(f"the local cache is full ({MAX_ENTRIES} entries): give keys a time to live")
        self._entries[key] = (value, self._clock() + ttl if ttl > 0 else float("inf"))

    def add(self, key: str, amount: int, ttl: int = 0) -> int:
        """Add to a counter, made when absent; a ttl above 0 sets its end anew. StoreError when it is no number."""
        old = self.get(key)
        try:
            value = int(old or 0) + amount
        except ValueError:
            raise StoreError(f'the value of "{key}" is no number') from None
        until = self._entries[key][1] if old is not None else float("inf")
        self.set(key, value, ttl)
        if ttl <= 0:
            self._entries[key] = (value, until)
        return value

    def remove(self, key: str) -> bool:
        """Remove a key; False when it was not there."""
        return self._entries.pop(key, None) is not None

    def sweep(self) -> None:
        """Drop what has ended."""
        now = self._clock()
        self._entries = {key: entry for key, entry in self._entries.items() if entry[1] > now}

    def __len__(self) -> int:
        return len(self._entries)


class Caches:
    """The caches of one worker by id: `scheme` or `scheme:group`; `cachedb_*` modules register their schemes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._schemes: dict[str, Callable[[str], Cache]] = {"local": lambda group: LocalCache(clock)}
        self._caches: dict[str, Cache] = {}

    def register(self, scheme: str, make: Callable[[str], Cache]) -> None:
        """Let `make(group)` open the caches of a scheme."""
        self._schemes[scheme] = make

    def cache(self, id: str) -> Cache:
        """Return a cache; StoreError when nothing provides its scheme."""
        found = self._caches.get(id)
        if found is None:
            scheme, _, group = id.partition(":")
            make = self._schemes.get(scheme)
            if make is None:
                raise StoreError(f'no cache "{id}": load the module cachedb_{scheme}')
            found = self._caches[id] = make(group)
        return found
