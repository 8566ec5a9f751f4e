"""Share state between workers: a map that is read locally and written through the bus, last write wins."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from osip.core.run.bus import Bus


class Replicated:
    """A map with a copy in every worker (location, dispatcher states)."""
    __slots__ = ("_values", "_bus", "_topic")

    def __init__(self, bus: Bus, topic: str) -> None:
        self._values: dict[Any, Any] = {}
        self._bus, self._topic = bus, topic
        bus.subscribe(topic, self._apply)

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
