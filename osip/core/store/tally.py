"""Count what the stores of one kind were asked: the statistics groups sql and cdb (mi_events_stats.md section 7)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osip.core.run.stats import Stats


@dataclass(slots=True)
class Tally:
    """How many questions there were, and how many of them took longer than the threshold of their module."""
    total: int = 0
    slow: int = 0

    def register(self, stats: Stats, group: str) -> None:
        """Show both as `group:group_total_queries` and `group:group_slow_queries`."""
        for name in ("total", "slow"):
            stats.count(self, name, group, f"{group}_{name}_queries")
