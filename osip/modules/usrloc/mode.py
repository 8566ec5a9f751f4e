"""Read the parameters that say how contacts are kept and shared, new presets and old `db_mode` alike."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osip.api import ModuleError

MEMORY = "single-instance-no-db"
THROUGH, BACK, ONLY = "single-instance-sql-write-through", "single-instance-sql-write-back", "sql-only"
SHARED, FEDERATION = "full-sharing-cachedb-cluster", "federation-cachedb-cluster"
FULL = "full-sharing-cluster"
DB_MODES = {0: MEMORY, 1: THROUGH, 2: BACK, 3: ONLY}
CACHES = ("cache", "federation")


@dataclass(frozen=True, slots=True)
class Mode:
    """What a mode comes down to: `store` is "", sql, only, cache or federation; `at_once` writes before the 200, else
    by the timer.

    `loads` reads at the start; without `writes` the store is only read.
    """
    name: str
    store: str = ""
    at_once: bool = False
    loads: bool = False
    writes: bool = True


_PRESETS = {MEMORY: Mode(MEMORY), THROUGH: Mode(THROUGH, "sql", True, True), BACK: Mode(BACK, "sql", False, True),
            ONLY: Mode(ONLY, "only", True), SHARED: Mode(SHARED, "cache", True, True),
            FEDERATION: Mode(FEDERATION, "federation", True, True)}


def mode_of(ul: Any) -> Mode:
    """Return the mode that usrloc's parameters ask for; ModuleError for one that osip has not."""
    preset = ul.working_mode_preset if ul.db_mode is None else DB_MODES[ul.db_mode]
    cluster, loads = ul.cluster_mode, ul.restart_persistency == "load-from-sql"
    write = ul.sql_write_mode or ("write-back" if loads else "none")
    if preset != MEMORY or {cluster, ul.restart_persistency, write} == {"none"}:
        return _known(ul, preset)
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
    return Mode(f"sql {write}", "sql", write == "write-through", loads, write != "none")


def _known(ul: Any, preset: str) -> Mode:
    if preset == FULL:
        if not ul.cachedb_url:
            raise ModuleError(f'usrloc: "{FULL}" without a store needs the module clusterer, which is not there yet: set '
                              f'cachedb_url to a Redis, through which the servers then tell each other, or '
                              f'working_mode_preset to "{SHARED}"')
        ul.env.log.info('usrloc: "%s" works as "%s": the servers tell each other through cachedb_url', FULL, SHARED)
        preset = SHARED
    mode = _PRESETS[preset]
    if mode.store in CACHES and not ul.cachedb_url:
        raise ModuleError(f'usrloc: working_mode_preset "{preset}" needs cachedb_url, such as '
                          '"redis://127.0.0.1:6379/", and the module cachedb_redis')
    if ul.location_cluster and mode.store not in CACHES:
        raise ModuleError(f"usrloc: location_cluster {ul.location_cluster} needs a cluster of osip nodes, which is "
                          f'not there yet: to share contacts set working_mode_preset to "{SHARED}"')
    if ul.location_cluster:
        ul.env.log.info("usrloc: location_cluster %d has no effect: the servers that share cachedb_url are the cluster",
                        ul.location_cluster)
    if mode.store in CACHES and ul.restart_persistency == "load-from-sql":
        ul.env.log.info('usrloc: restart_persistency "load-from-sql" has no effect in "%s": contacts are kept in Redis',
                        preset)
    return mode
