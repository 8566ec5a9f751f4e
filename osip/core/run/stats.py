"""Read the statistics of one worker: declared counters live on the module instances, dynamic ones are registered."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from osip.core.exports.registry import Registry
from osip.core.exports.spec import StatKind


@dataclass(frozen=True, slots=True)
class Stat:
    """One readable statistic; `reset` is None when it cannot be reset."""
    group: str
    name: str
    kind: StatKind
    read: Callable[[], int]
    reset: Callable[[], None] | None = None
    shared: bool = False            # every worker reads the same: not to be summed

    @property
    def full_name(self) -> str:
        return f"{self.group}:{self.name}"


class Stats:
    """All statistics by `group:name`, in order of registration."""

    def __init__(self) -> None:
        self._stats: dict[str, Stat] = {}

    def register(self, group: str, name: str, read: Callable[[], int], kind: StatKind = StatKind.GAUGE,
                 reset: Callable[[], None] | None = None, shared: bool = False) -> None:
        """Add or replace a statistic; a `shared` one is the same in every worker and is not summed over them."""
        stat = Stat(group, name, kind, read, reset, shared)
        self._stats[stat.full_name] = stat

    def register_modules(self, registry: Registry) -> None:
        """Add what the instances of a registry declare."""
        for instance in registry.instances.values():
            for spec in instance.spec.stats:
                if spec.computed:
                    self.register(spec.group, spec.name, getattr(instance, spec.attr), spec.kind,
                                  shared=spec.shared)
                else:
                    self._register_counter(instance, spec.group, spec.name, spec.attr, spec.kind)

    def _register_counter(self, instance: object, group: str, name: str, attr: str, kind: StatKind) -> None:
        def read() -> int:
            return int(getattr(instance, attr))

        def reset() -> None:
            setattr(instance, attr, 0)
        self.register(group, name, read, kind, reset if kind is StatKind.COUNTER else None)

    def all(self) -> Iterator[Stat]:
        return iter(self._stats.values())

    def select(self, pattern: str) -> list[Stat]:
        """Return the statistics meant by `all`, `group:`, `group:name` or `name`."""
        if pattern == "all":
            return list(self._stats.values())
        if pattern.endswith(":"):
            return [s for s in self._stats.values() if s.group == pattern[:-1]]
        if pattern in self._stats:
            return [self._stats[pattern]]
        return [s for s in self._stats.values() if s.name == pattern]

    def get(self, name: str) -> int | None:
        """Return the value of one statistic, None when unknown."""
        found = self.select(name)
        return found[0].read() if found else None
