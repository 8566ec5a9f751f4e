"""Share state between workers: a map that is written through the bus, counters that all add to.

Both cost nothing in particular with one worker. What needs more than these belongs in a store (architecture.md
section 13).
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from osip.core.run.bus import Bus
from osip.core.run.timers import TICK

if TYPE_CHECKING:
    from osip.core.run.env import Env


class Replicated:
    """A map with a copy in every worker (location, dispatcher states); last write wins. Make it in `mod_init`."""
    __slots__ = ("_values", "_bus", "_topic", "on_change")

    def __init__(self, bus: Bus, topic: str) -> None:
        self._values: dict[Any, Any] = {}
        self._bus, self._topic = bus, topic
        self.on_change: Callable[[Any, Any], None] | None = None    # (key, value), None when it was removed
        bus.subscribe(topic, self._apply)
        bus.share(topic, self.items, self._load)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the local copy of a value."""
        return self._values.get(key, default)

    def set(self, key: Any, value: Any) -> None:
        """Write a value everywhere; the writer sees it at once."""
        self._bus.publish(self._topic, (key, value))

    def delete(self, key: Any) -> None:
        """Remove a key everywhere."""
        self._bus.publish(self._topic, (key, None))

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Walk a snapshot of the local copy."""
        return iter(list(self._values.items()))

    def __len__(self) -> int:
        return len(self._values)

    def _apply(self, change: tuple[Any, Any]) -> None:
        key, value = change
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value
        if self.on_change is not None:
            self.on_change(key, value)

    def _load(self, items: list[tuple[Any, Any]]) -> None:
        for key, value in items:
            if key not in self._values:
                self._apply((key, value))


class SharedVars(dict[str, "str | int"]):
    """The `$shv` variables: a dict whose changes reach all workers."""

    def bind(self, bus: Bus) -> None:
        """Share from now on."""
        self._bus = bus
        bus.subscribe("shv", self._apply)
        bus.share("shv", lambda: list(self.items()), lambda items: dict.update(self, items))

    def __setitem__(self, name: str, value: str | int) -> None:
        super().__setitem__(name, value)
        self._tell(name, value)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._tell(name, None)

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a variable."""
        self._tell(name, None)
        return super().pop(name, *default)

    def update(self, *more: Any, **named: Any) -> None:
        """Set several."""
        for name, value in dict(*more, **named).items():
            self[name] = value

    def _tell(self, name: str, value: str | int | None) -> None:
        bus: Bus | None = getattr(self, "_bus", None)
        if bus is not None:
            bus.others("shv", (name, value))

    def _apply(self, change: tuple[str, str | int | None]) -> None:
        name, value = change
        if value is None:
            super().pop(name, None)
        else:
            super().__setitem__(name, value)


class SharedCounts:
    """Numbers by key that all workers add to (floods, rates). Make it in `mod_init`.

    The own additions count at once; those of the others arrive gathered, a tick later. `limit` bounds the keys.
    """
    __slots__ = ("on_remote", "_env", "_topic", "_limit", "_totals", "_fresh", "_is_planned")

    def __init__(self, env: Env, topic: str, limit: int = 1 << 16) -> None:
        self.on_remote: Callable[[Any, int], None] | None = None    # (key, amount) that other workers added
        self._env, self._topic, self._limit = env, topic, limit
        self._totals: dict[Any, int] = {}
        self._fresh: dict[Any, int] = {}                            # not told to the others yet
        self._is_planned = False
        env.bus.subscribe(topic, self._apply)
        env.bus.share(topic, self._told, self._load)

    def add(self, key: Any, amount: int = 1) -> int:
        """Add to a counter; return its total as it is known here (`amount` alone when there are too many keys)."""
        total = self._totals.get(key)
        if total is None:
            if len(self._totals) >= self._limit:
                return amount
            total = 0
        self._totals[key] = total = total + amount
        if self._env.workers > 1:
            self._fresh[key] = self._fresh.get(key, 0) + amount
            if not self._is_planned:
                self._is_planned = True
                self._env.timers.call_at(self._env.now + TICK, self._flush)
        return total

    def get(self, key: Any) -> int:
        """Return a total, 0 for an unknown key."""
        return self._totals.get(key, 0)

    def set(self, key: Any, value: int) -> None:
        """Set a total in all workers; 0 forgets the key."""
        self._fresh.pop(key, None)
        self._put(key, value)
        self._env.bus.others(self._topic, (False, [(key, value)]))

    def clear(self) -> None:
        """Forget everything in this worker; others do the same at the same moment of the shared clock."""
        self._totals.clear()
        self._fresh.clear()

    def items(self) -> Iterator[tuple[Any, int]]:
        """Walk a snapshot."""
        return iter(list(self._totals.items()))

    def __len__(self) -> int:
        return len(self._totals)

    def _flush(self) -> None:
        self._is_planned = False
        if self._fresh:
            self._env.bus.others(self._topic, (True, list(self._fresh.items())))
            self._fresh.clear()

    def _told(self) -> list[tuple[Any, int]]:
        """Return the totals for a worker that starts; what the next `_flush` will tell it is not in them."""
        fresh = self._fresh
        return [(key, total - fresh.get(key, 0)) for key, total in self._totals.items()]

    def _put(self, key: Any, value: int) -> None:
        if not value:
            self._totals.pop(key, None)
        elif key in self._totals or len(self._totals) < self._limit:
            self._totals[key] = value

    def _apply(self, change: tuple[bool, list[tuple[Any, int]]]) -> None:
        is_addition, items = change
        for key, amount in items:
            self._put(key, self._totals.get(key, 0) + amount if is_addition else amount)
            if is_addition and self.on_remote is not None:
                self.on_remote(key, amount)

    def _load(self, items: list[tuple[Any, int]]) -> None:
        for key, value in items:
            self._put(key, max(value, self._totals.get(key, 0)))
