"""Let scripts count: statistics of their own, groups to walk, and values over a sliding window."""
from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from osip.api import Ctx, Module, ModuleError, StatKind, Var, function, param

MOST_STATISTICS = 10_000    # a script may make names of what peers send
MOST_SERIES = 10_000
_GROUP = "dynamic"
_NONE: Iterator[tuple[str, int]] = iter(())
_ITEM = re.compile(r"\s*(\w+)\s*=\s*(\S+)")


class Series:
    """Values of one name over the last `window` seconds, in slots."""
    __slots__ = ("count", "profile", "slots", "total")

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.slots: deque[tuple[int, int, int]] = deque()       # (number of the slot, sum, how many)
        self.total = self.count = 0

    def add(self, now: float, value: int) -> None:
        """Count a value."""
        self.forget(now)
        slot = int(now / self.profile.slot)
        if self.slots and self.slots[-1][0] == slot:
            _, total, count = self.slots.pop()
        else:
            total = count = 0
        self.slots.append((slot, total + value, count + 1))
        self.total += value
        self.count += 1

    def forget(self, now: float) -> None:
        """Drop what is older than the window."""
        oldest = int(now / self.profile.slot) - self.profile.slots
        while self.slots and self.slots[0][0] <= oldest:
            _, total, count = self.slots.popleft()
            self.total -= total
            self.count -= count

    def parts(self, now: float) -> tuple[int, int]:
        """Return what the statistic divides, and by what: a sum by 1, or by the number of values."""
        self.forget(now)
        if self.profile.algorithm == "accumulate":
            return self.total, 1
        return self.total * (self.profile.factor if self.profile.algorithm == "percentage" else 1), self.count

    def read(self, now: float) -> int:
        """Return the statistic: sum, mean, or share of values above 0."""
        top, bottom = self.parts(now)
        return top // bottom if bottom else 0


class Profile:
    """How series of one kind count."""
    __slots__ = ("algorithm", "factor", "group", "name", "slot", "slots", "window")

    def __init__(self, text: str) -> None:
        self.name, _colon, rest = text.partition(":")
        self.name = self.name.strip()
        known = {"algorithm": "accumulate", "window": "60", "slots": "", "hash_size": "8", "percentage_factor": "100",
                 "group": "stats_series"}
        if not self.name:
            raise ValueError("the name of the profile is missing")
        pos = 0
        while pos < len(rest) and rest[pos:].strip():
            found = _ITEM.match(rest, pos)
            if found is None or found[1] not in known:
                raise ValueError(f'"{rest[pos:].strip()}" is none of {", ".join(known)}')
            known[found[1]] = found[2]
            pos = found.end()
        self.algorithm, self.group = known["algorithm"], known["group"]
        if self.algorithm not in ("accumulate", "average", "percentage"):
            raise ValueError(f'unknown algorithm "{self.algorithm}": accumulate, average or percentage')
        try:
            self.window, self.slots = int(known["window"]), int(known["slots"] or known["window"])
            self.factor = int(known["percentage_factor"])
        except ValueError:
            raise ValueError("window, slots and percentage_factor are numbers") from None
        if not (0 < self.slots <= 86400 and 0 < self.window and 0 < self.factor):
            raise ValueError("window, slots and percentage_factor must be above 0")
        self.slot = self.window / self.slots


class Statistics(Module):
    """Statistics of the script.

    Each worker counts for itself. Management and metrics put them together: counters and `accumulate` are summed, of
    `average` and `percentage` sum and number of all workers' values are. What the script reads (`$stat(...)`, also of
    the server's own statistics, and stat_iter_next) is what its worker has counted, and reset_stat resets that;
    `statistics:reset` resets all. With one worker there is no difference.
    """

    variable = param(multiple=True, kind=str, doc='Statistic to make at start: "name", "group:name"; "/no_reset" keeps '
                     "it from being reset.")
    stat_groups = param(multiple=True, kind=str, doc="Groups that the script uses, separated by commas.")
    stat_series_profile = param(multiple=True, kind=str, parse=Profile, doc='Profile of series: "name: algorithm=accumulate '
                                'window=60 slots=60 percentage_factor=100 group=g".')

    def mod_init(self) -> None:
        """Make the declared statistics."""
        self.values: dict[str, int] = {}
        self.groups = {_GROUP} | {name.strip() for text in self.stat_groups for name in text.split(",") if name.strip()}
        self.iterators: dict[str, Iterator[tuple[str, int]]] = {}
        self.profiles: dict[str, Profile] = {profile.name: profile for profile in self.stat_series_profile}
        self.series: dict[tuple[str, str], Series] = {}
        for text in self.variable:
            name, slash, option = text.partition("/")
            if slash and option.strip() != "no_reset":
                raise ModuleError(f'statistics: variable "{text}": after the slash only no_reset may stand')
            self._make(_full(name.strip()), not slash)

    def _make(self, full: str, can_reset: bool = True) -> bool:
        if len(self.values) >= MOST_STATISTICS:
            self.env.log.error("statistics: there are %d statistics already; %s is not made", MOST_STATISTICS, full)
            return False
        self.values[full] = 0
        group, _, name = full.partition(":")

        def reset() -> None:
            self.values[full] = 0
        self.env.stats.register(group, name, lambda: self.values[full], StatKind.COUNTER, reset if can_reset else None)
        return True

    @function("QBFRLSTV")
    def update_stat(self, ctx: Ctx, name: str, delta: int) -> int:
        """Add to a statistic `[group:]name`, made when it is new; -1 for one that a module counts itself."""
        full = _full(name.strip())
        if full not in self.values:
            if self.env.stats.get(name.strip()) is not None:
                self.env.log.error("statistics: %s is counted by the server and cannot be changed", name)
                return -1
            if not delta:
                return 1
            if not self._make(full):
                return -1
        self.values[full] += delta
        return 1

    @function("QBFRLSTV")
    def reset_stat(self, ctx: Ctx, name: str) -> int:
        """Set a statistic to 0; -1 when there is none, or it cannot be reset."""
        found = self.env.stats.select(_full(name.strip())) or self.env.stats.select(name.strip())
        if not found or found[0].reset is None:
            return -1
        found[0].reset()
        return 1

    @function("QBFRLSTV")
    def stat_iter_init(self, ctx: Ctx, group: str, iterator: str) -> int:
        """Begin to walk a group of statistics."""
        found = [(stat.name, stat.read()) for stat in self.env.stats.select(group.strip() + ":")]
        if iterator not in self.iterators and len(self.iterators) >= MOST_STATISTICS:
            return -1
        self.iterators[iterator] = iter(found)
        return 1

    @function("QBFRLSTV")
    def stat_iter_next(self, ctx: Ctx, name: Var, value: Var, iterator: str) -> int:
        """Take the next statistic of a walk; -1 at the end."""
        found = next(self.iterators.get(iterator, _NONE), None)
        if found is None:
            return -1
        name.set(ctx, found[0])
        value.set(ctx, found[1])
        return 1

    @function()
    def update_stat_series(self, ctx: Ctx, profile: str, name: str, value: int) -> int:
        """Feed a value into a sliding window; the statistic is `group:name`. -1 for an unknown profile."""
        known = self.profiles.get(profile)
        if known is None:
            self.env.log.error("statistics: no stat_series_profile %s; there are: %s", profile,
                               ", ".join(self.profiles) or "none")
            return -1
        series = self.series.get((profile, name))
        if series is None:
            if len(self.series) >= MOST_SERIES:
                self.env.log.error("statistics: there are %d series already; %s is not made", MOST_SERIES, name)
                return -1
            series = self.series[profile, name] = Series(known)
            made = series
            self.env.stats.register(
                known.group, name, lambda: made.read(self.env.now), StatKind.GAUGE,
                parts=None if known.algorithm == "accumulate" else lambda: made.parts(self.env.now))
        series.add(self.env.now, value)
        return 1


def _full(name: str) -> str:
    return name if ":" in name else f"{_GROUP}:{name}"
