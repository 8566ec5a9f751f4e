"""Read and reset statistics from scripts: `$stat(name)` (variables.md section 2)."""
from __future__ import annotations

from osip.api import Ctx, Module, Value, pvar


class CoreStat(Module):
    """Statistics as variables."""
    name = "core_stat"

    def mod_init(self) -> None:
        """Count the seconds since the start."""
        self.env.stats.register("core", "timestamp", lambda: int(self.env.wall() - self.env.started_at), shared=True)

    @pvar("stat", type="is", key="required")
    def stat(self, ctx: Ctx, name: str) -> Value:
        """A statistic, by `name` or `group:name`; assigning 0 resets it."""
        return self.env.stats.get(name.strip())

    @stat.setter
    def set_stat(self, ctx: Ctx, name: str, value: Value) -> bool:
        found = self.env.stats.select(name.strip()) if value == 0 else []
        if len(found) != 1 or found[0].reset is None:
            return False
        found[0].reset()
        return True
