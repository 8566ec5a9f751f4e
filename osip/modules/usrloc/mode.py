"""Read the parameters that say how contacts are kept and shared, new presets and old `db_mode` alike."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osip.api import ModuleError

MEMORY = "single-instance-no-db"
THROUGH, BACK, ONLY = "single-instance-sql-write-through", "single-instance-sql-write-back", "sql-only"
SHARED = "full-sharing-cachedb-cluster"
LATER = (ONLY, "federation-cachedb-cluster", "full-sharing-cluster")
DB_MODES = {0: MEMORY, 1: THROUGH, 2: BACK, 3: ONLY}


@dataclass(frozen=True, slots=True)
class Mode:
    """What a mode comes down to: `store` is "", sql or cache; `at_once` writes before the 200, else by the timer.

    `loads` reads at the start; without `writes` the store is only read.
    """
    name: str
    store: str = ""
    at_once: bool = False
    loads: bool = False
    writes: bool = True


_PRESETS = {MEMORY: Mode(MEMORY), THROUGH: Mode(THROUGH, "sql", True, True), BACK: Mode(BACK, "sql", False, True),
            SHARED: Mode(SHARED, "cache", True, True)}


def mode_of(ul: Any) -> Mode:
    """Return the mode that usrloc's parameters ask for; ModuleError for one that osip has not."""
    preset = ul.working_mode_preset if ul.db_mode is None else DB_MODES[ul.db_mode]
    single = {"cluster_mode": ul.cluster_mode, "restart_persistency": ul.restart_persistency,
              "sql_write_mode": ul.sql_write_mode}
    if preset != MEMORY or set(single.values()) == {"none"}:
        return _known(ul, preset)
    cluster = single["cluster_mode"]
    if cluster in ("federation-cachedb", "full-sharing"):
        return _known(ul, f"{cluster}-cluster")
    if cluster == "sql-only":
        return _known(ul, ONLY)
    if cluster == "full-sharing-cachedb":
        return _known(ul, SHARED)
    if ul.restart_persistency == "sync-from-cluster":
        raise ModuleError('usrloc: restart_persistency "sync-from-cluster" needs a cluster of osip nodes, which is '
                          f'not there yet: set working_mode_preset to "{SHARED}" or restart_persistency to '
                          '"load-from-sql"')
    write = ul.sql_write_mode
    return Mode(f"sql {write}", "sql", write == "write-through", ul.restart_persistency == "load-from-sql",
                write != "none")


def _known(ul: Any, preset: str) -> Mode:
    mode = _PRESETS.get(preset)
    if mode is None:
        raise ModuleError(f'usrloc: working_mode_preset "{preset}" is not there yet; there are '
                          f'{", ".join(_PRESETS)}')
    if mode.store == "cache" and not ul.cachedb_url:
        raise ModuleError(f'usrloc: working_mode_preset "{preset}" needs cachedb_url, such as '
                          '"redis://127.0.0.1:6379/", and the module cachedb_redis')
    if ul.location_cluster and mode.store != "cache":
        raise ModuleError(f"usrloc: location_cluster {ul.location_cluster} needs a cluster of osip nodes, which is "
                          f'not there yet: to share contacts set working_mode_preset to "{SHARED}"')
    return mode
