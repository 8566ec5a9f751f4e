"""Keep keys and values with an end of life: the local cache, and the place where other caches register."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from osip.core.errors import StoreError

_TOPIC = "cache"
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


class Bus(Protocol):
    """What carries changes to the caches of other workers."""

    def subscribe(self, topic: str, receiver: Callable[[Any], None]) -> None:
        """Call `receiver(value)` for each value."""

    def others(self, topic: str, value: Any) -> None:
        """Give `value` to the other workers."""

    def share(self, topic: str, snapshot: Callable[[], Iterable[Any]], load: Callable[[list[Any]], None]) -> None:
        """Give a worker that starts late what the others know."""


class LocalCache:
    """A cache in memory; `clock` gives monotonic seconds, `tell` hears of changes: (what, key, value, ttl)."""

    def __init__(self, clock: Callable[[], float], tell: Callable[..., object] | None = None) -> None:
        self._clock, self._tell = clock, tell
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
        if self._tell is not None:
            self._tell("set", key, value, ttl)

    def add(self, key: str, amount: int, ttl: int = 0) -> int:
        """Add to a counter, made when absent; a ttl above 0 sets its end anew. StoreError when it is no number."""
        old = self.get(key)
        try:
            value = int(old or 0) + amount
        except ValueError:
            raise StoreError(f'the value of "{key}" is no number') from None
        until = self._entries[key][1] if old is not None else float("inf")
        tell, self._tell = self._tell, None
        try:
            self.set(key, value, ttl)
        finally:
            self._tell = tell
        if ttl <= 0:
            self._entries[key] = (value, until)
        if tell is not None:
            tell("add", key, amount, ttl)
        return value

    def remove(self, key: str) -> bool:
        """Remove a key; False when it was not there."""
        if self._tell is not None:
            self._tell("remove", key, None, 0)
        return self._entries.pop(key, None) is not None

    def apply(self, what: str, key: str, value: Any, ttl: float) -> None:
        """Do what another worker did; a key that cannot be had here is left out."""
        tell, self._tell = self._tell, None
        try:
            if what == "remove":
                self.remove(key)
            else:
                getattr(self, what)(key, value, ttl)
        except StoreError:
            pass
        finally:
            self._tell = tell

    def items(self) -> list[tuple[str, str | int, float]]:
        """List key, value and seconds left (0 = for ever)."""
        now = self._clock()
        return [(key, value, 0 if until == float("inf") else until - now)
                for key, (value, until) in self._entries.items() if until > now]

    def sweep(self) -> None:
        """Drop what has ended."""
        now = self._clock()
        self._entries = {key: entry for key, entry in self._entries.items() if entry[1] > now}

    def __len__(self) -> int:
        return len(self._entries)


class Caches:
    """The caches of one worker by id: `scheme` or `scheme:group`; `cachedb_*` modules register their schemes."""

    def __init__(self, clock: Callable[[], float], bus: Bus | None = None) -> None:
        self._clock, self._bus = clock, bus
        self._schemes: dict[str, Callable[[str], Cache]] = {"local": self._local}
        self._caches: dict[str, Cache] = {}
        if bus is not None:
            bus.subscribe(_TOPIC, self._on_change)
            bus.share(_TOPIC, self._known, lambda items: [self._on_change(item) for item in items])

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

    # --- the local ones are the same in all workers -----------------------------------------------------------------

    def _local(self, group: str) -> LocalCache:
        bus = self._bus
        if bus is None:
            return LocalCache(self._clock)
        return LocalCache(self._clock, lambda *change: bus.others(_TOPIC, (group, *change)))

    def _on_change(self, change: tuple[str, str, str, Any, float]) -> None:
        group, *rest = change
        cache = self.cache(f"local:{group}" if group else "local")
        if isinstance(cache, LocalCache):
            cache.apply(*rest)

    def _known(self) -> list[tuple[str, str, str, Any, float]]:
        return [(id.partition(":")[2], "set", *item) for id, cache in self._caches.items()
                if isinstance(cache, LocalCache) for item in cache.items()]
