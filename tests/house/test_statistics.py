"""Compare the statistics of the reference with what core and modules register: groups, names, what can be reset."""
from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from osip.core.exports import loader
from osip.core.exports.spec import StatKind
from osip.core.net.endpoint import LocalSocket
from osip.core.run.config import Config
from osip.core.run.env import Env
from osip.core.run.stats import Stat
from osip.core.run.worker import Worker
from osip.main import new_registry

NEVER = {"memory": "Python manages its memory, in one piece, and keeps none over a restart",
         "old": "of versions up to 3.x; a method that no module handles is no error"}
"""Why some statistics of the core will not come. Others wait for a module."""
STARTED = ("proto_udp", "proto_tcp", "proto_tls", "tls_mgm", "sl", "signaling", "usrloc")
"""Modules of which some statistics are made only when they start, and what those need."""
SIZES = {"T-users", "T-contacts", "T-expires", "redis_queries", "redis_queries_failed", "redis_moved",
         "redis_topology_refreshes"}
"""What cannot be reset although the reference does not say so: it is read off something each time."""


def _rows() -> list[tuple[str, ...]]:
    lines = (Path(__file__).parent / "statistics.txt").read_text().splitlines()
    return [tuple(line.split()) for line in lines if line and not line.startswith("#")]


ROWS, THERE = _rows(), {"core", *loader.available()}
DUE = [row for row in ROWS if row[0] in THERE and row[4] == "-"]


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str], Stat]:
    """Return every statistic that is there once a server runs, by group and name as the reference writes it."""
    return asyncio.run(_found())


async def _found() -> dict[tuple[str, str], Stat]:
    registry = new_registry()
    for name in STARTED:
        registry.add(loader.load(name, [])[0])
    registry.create()
    env = Env(Config(), registry)
    worker = Worker(env, registry, [LocalSocket("udp", "127.0.0.1", 0)])
    worker.init_modules()
    env.modules["usrloc"].domain("T")
    ready = asyncio.Event()
    async with asyncio.timeout(10):
        task = asyncio.create_task(worker.run(ready.set))
        await asyncio.wait([task, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
        worker.stop()
        await task
    stats = {(one.group, re.sub(r"(^|-)\d+(-|$)", r"\1N\2", one.name)): one for one in env.stats.all()}
    for name in loader.available():
        for spec in loader.load(name, [])[0].spec.stats:
            stays = spec.computed or spec.kind is StatKind.GAUGE
            stats.setdefault((spec.group, spec.name), Stat(
                spec.group, spec.name, spec.kind, lambda: 0, None if stays else _reset))
    return stats


def _reset() -> None:
    """Stand for the reset of a counter that a module declares."""


@pytest.mark.parametrize(("module", "group", "name", "mark", "_"), DUE, ids=[f"{row[1]}-{row[2]}" for row in DUE])
def test_each_statistic_is_there(found: dict[tuple[str, str], Stat], module: str, group: str, name: str, mark: str,
                                 _: str) -> None:
    stat = found.get((group, name))
    assert stat is not None, f"{module} lacks the statistic {group}:{name}"
    assert (stat.reset is not None) == (mark == "-" and name not in SIZES)
    assert stat.kind is (StatKind.GAUGE if stat.reset is None else StatKind.COUNTER)


def test_what_will_not_come_has_a_reason(found: dict[tuple[str, str], Stat]) -> None:
    assert all(waits in ("-", *NEVER) for *_, waits in ROWS)
    assert not [row for row in ROWS if row[4] in NEVER and (row[1], row[2]) in found]


def test_settings_are_not_summed_over_workers(found: dict[tuple[str, str], Stat]) -> None:
    """What every worker reads alike would be shown as a multiple of itself."""
    alike = {("registrar", name) for name in ("max_expires", "max_contacts", "default_expire")}
    alike |= {("core", "timestamp"), ("load", "processes_number"), ("shmem", "total_size")}
    modules = [loader.load(name, [])[0] for name in loader.available()]
    specs = {(one.group, one.name): one.shared for module in modules for one in module.spec.stats}
    assert not [key for key in alike if not (specs[key] if key in specs else found[key].shared)]
