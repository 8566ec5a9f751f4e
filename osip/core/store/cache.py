"""Keep keys and values with an end of life: the local cache, and the place where other caches register.

A cache answers at once, or gives something to await when it is elsewhere; what goes wrong is a StoreError. Some know
more than `Cache`: `counter(key)` where counters are no values, `raw_query(text)` in a language of their own.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from osip.core.errors import StoreError
from osip.core.store.sql import hide
from osip.core.store.tally import Tally

_TOPIC = "cache"
MAX_ENTRIES = 1 << 20
"""Entries of one local collection: what peers cause must not grow without bound."""

MAX_CACHES = 1000
"""Caches of one worker, for the same reason."""


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
        self.changes = 0                        # counts up with each change

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
        self.changes += 1
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
        self.changes += 1
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


@dataclass(frozen=True, slots=True)
class CacheUrl:
    """A `cachedb_url` in its parts: `scheme[:group]://[user:password@]host[:port][,host...][/path][?key=value&...]`."""
    scheme: str
    group: str
    user: str
    password: str
    hosts: tuple[tuple[str, int], ...]      # port 0: none was written
    path: str
    options: Mapping[str, str]

    @property
    def id(self) -> str:
        """Return what scripts write: `scheme` or `scheme:group`."""
        return f"{self.scheme}:{self.group}" if self.group else self.scheme


_URL = re.compile(r"([a-z0-9_]+)(?::([^/:]*))?://(?:([^/]*)@)?([^/?]*)(?:/([^?]*))?(?:\?(.*))?", re.DOTALL)


def parse_cache_url(text: str) -> CacheUrl:
    """Read a `cachedb_url`; ValueError with words when it is none."""
    found = _URL.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{hide(text)}" is no cachedb URL: write scheme:group://host:port/, or scheme://host:port/')
    scheme, group, login, hosts, path, query = (part or "" for part in found.groups())
    user, colon, password = login.partition(":")
    if login and not colon:
        user, password = "", user               # redis://secret@host: a password alone
    options = dict(parse_qsl(query, keep_blank_values=True))
    return CacheUrl(scheme, group, unquote(user), unquote(password),
                    tuple(_host(one) for one in hosts.split(",") if one), path.strip("/"), options)


def _host(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[^]]+\]|[^:]*)(?::(\d{1,5}))?", text.strip())
    if found is None or int(found[2] or 0) > 65535:
        raise ValueError(f'"{text}" is no host:port')
    return found[1].strip("[]"), int(found[2] or 0)


class Caches:
    """The caches of one worker by id: `scheme` or `scheme:group`; `cachedb_*` modules register their schemes.

    A whole URL is an id as well: `redis://host/` is the cache at that place, `local:x://` the collection of group x.
    """

    def __init__(self, clock: Callable[[], float], bus: Bus | None = None) -> None:
        self._clock, self._bus = clock, bus
        self.tally = Tally()                # of what is asked of caches outside this process
        self._schemes: dict[str, Callable[[str], Any]] = {"local": self.collection}
        self._places: dict[str, Callable[[str], Any]] = {}
        self._caches: dict[str, Any] = {}
        self._collections: dict[str, LocalCache] = {}
        if bus is not None:
            bus.subscribe(_TOPIC, self._on_change)
            bus.share(_TOPIC, self._known, lambda items: [self._on_change(item) for item in items])

    def register(self, scheme: str, make: Callable[[str], Any], place: Callable[[str], Any] | None = None) -> None:
        """Let `make(group)` open the caches of a scheme, and `place(url)` those that are named by their URL."""
        self._schemes[scheme] = make
        if place is not None:
            self._places[scheme] = place

    def cache(self, id: str) -> Any:
        """Return a cache; StoreError when nothing provides its scheme."""
        found = self._caches.get(id)
        if found is None:
            if len(self._caches) >= MAX_CACHES:
                raise StoreError(f"{MAX_CACHES} caches are open already: an id must not come from a message")
            found = self._caches[id] = self._open(id)
        return found

    def _open(self, id: str) -> Any:
        head, slashes, rest = id.partition("://")
        scheme, _, group = head.partition(":")
        make, place = self._schemes.get(scheme), self._places.get(scheme)
        if make is None:
            raise StoreError(f'no cache "{hide(id)}": load the module cachedb_{scheme}')
        if slashes and place is not None and rest.strip("/"):
            return place(id)
        return make(group)

    # --- the local ones are the same in all workers -----------------------------------------------------------------

    def collection(self, name: str = "") -> LocalCache:
        """Return a collection of the local cache, made when it is new."""
        found = self._collections.get(name)
        if found is None:
            bus = self._bus
            found = self._collections[name] = LocalCache(self._clock) if bus is None else LocalCache(
                self._clock, lambda *change: bus.others(_TOPIC, (name, *change)))
        return found

    def opened(self) -> dict[str, Any]:
        """Return the caches in use that are not in this process, by id without what follows `://`."""
        return {id.partition("://")[0]: cache for id, cache in self._caches.items() if not isinstance(cache, LocalCache)}

    def collections(self) -> dict[str, LocalCache]:
        """Return the collections that are in use, by name."""
        return dict(self._collections)

    def _on_change(self, change: tuple[str, str, str, Any, float]) -> None:
        name, *rest = change
        self.collection(name).apply(*rest)

    def _known(self) -> list[tuple[str, str, str, Any, float]]:
        return [(name, "set", *item) for name, cache in self._collections.items() for item in cache.items()]
