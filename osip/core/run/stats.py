"""Read the statistics of one worker: declared counters live on the module instances, dynamic ones are registered."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from osip.core.exports.registry import Registry
from osip.core.exports.spec import StatKind

Told = tuple[str, str, str, int, bool, tuple[int, int] | None]
"""What a worker tells of a statistic: group, name, kind, value, whether it is shared, its parts."""


@dataclass(frozen=True, slots=True)
class Stat:
    """One readable statistic; `reset` is None when it cannot be reset.

    One that is a quotient, such as a mean, has `parts`: what is divided and by what, rounded down. Several workers'
    are added before the division.
    """
    group: str
    name: str
    kind: StatKind
    read: Callable[[], int]
    reset: Callable[[], None] | None = None
    shared: bool = False            # every worker reads the same: not to be summed
    parts: Callable[[], tuple[int, int]] | None = None

    @property
    def full_name(self) -> str:
        return f"{self.group}:{self.name}"

    def tell(self) -> Told:
        """Return the statistic as it is now, for another worker."""
        return (self.group, self.name, self.kind.value, self.read(), self.shared,
                self.parts() if self.parts is not None else None)


class Stats:
    """All statistics by `group:name`, in order of registration."""

    def __init__(self) -> None:
        self._stats: dict[str, Stat] = {}

    def register(self, group: str, name: str, read: Callable[[], int], kind: StatKind = StatKind.GAUGE,
                 reset: Callable[[], None] | None = None, shared: bool = False,
                 parts: Callable[[], tuple[int, int]] | None = None) -> None:
        """Add or replace a statistic; see `Stat`. A `shared` one is not summed over workers."""
        stat = Stat(group, name, kind, read, reset, shared, parts)
        self._stats[stat.full_name] = stat

    def register_modules(self, registry: Registry) -> None:
        """Add what the instances of a registry declare."""
        for instance in registry.instances.values():
            for spec in instance.spec.stats:
                if spec.computed:
                    self.register(spec.group, spec.name, getattr(instance, spec.attr), spec.kind,
                                  shared=spec.shared)
                else:
                    self.count(instance, spec.attr, spec.group, spec.name, spec.kind)

    def count(self, holder: object, attr: str, group: str, name: str, kind: StatKind = StatKind.COUNTER) -> None:
        """Add a statistic that is an int attribute of an object; a counter can be reset."""
        def read() -> int:
            return int(getattr(holder, attr))

        def reset() -> None:
            setattr(holder, attr, 0)
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


def quotient(top: int, bottom: int) -> int:
    """Return the value of a statistic with parts; 0 when nothing was counted."""
    return top // bottom if bottom else 0


def total(told: Iterable[Iterable[Told]]) -> Stats:
    """Return the statistics of several workers as one, by what each of them told; they stay as they are now."""
    sums: dict[tuple[str, str], tuple[str, int, bool, tuple[int, int] | None]] = {}
    for worker in told:
        for group, name, kind, value, shared, parts in worker:
            has = sums.get((group, name))
            if has is None:
                sums[group, name] = kind, value, shared, parts
            elif not shared:
                added, value = None, has[1] + value
                if has[3] is not None and parts is not None:
                    added = has[3][0] + parts[0], has[3][1] + parts[1]
                    value = quotient(*added)
                sums[group, name] = kind, value, shared, added
    found = Stats()
    for (group, name), (kind, value, shared, _) in sums.items():
        found.register(group, name, lambda value=value: value, StatKind(kind), shared=shared)  # type: ignore[misc]
    return found
