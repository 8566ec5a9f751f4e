"""A registrar whose contacts are kept in a store: an SQLite file, with a loop and a fake clock."""
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kit.registration import Office
from osip.core.store.sql import Stores

THROUGH, BACK = "single-instance-sql-write-through", "single-instance-sql-write-back"


@asynccontextmanager
async def stored_office(folder: Path, mode: str = THROUGH, *, wall: float = 1_800_000_000.0, closed: bool = True,
                        **params: Any) -> AsyncIterator[Any]:
    """Give a registrar that has loaded its contacts; `closed` False ends it as a kill would."""
    office = Office({"usrloc": {"working_mode_preset": mode, **params}}, db_default_url=f"sqlite:///{folder}/ul.db")
    env = office.env
    env.config.db_default_url = ""                  # the embedded default: tables are made
    stores = Stores(env.config)
    env.sql = lambda url="": stores.sql(f"sqlite:///{folder}/ul.db")
    env.wall = lambda: wall                         # type: ignore[method-assign]
    office.usrloc.monotonic = lambda: env.now
    await office.usrloc.child_init(env)
    try:
        yield office
    finally:
        if closed:
            await office.usrloc.destroy()
        await env.finish_tasks()
        await stores.close()


async def written(office: Any) -> None:
    """Wait until the task that writes has ended."""
    task = office.usrloc.keeper._task
    if task is not None:
        await task
