"""Parameters of PostgreSQL: deadlines, slow queries."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit.databases import postgres
from kit.playbook import make_worker

from osip.api import StoreLost
from osip.modules.db_postgres import DbPostgres


@pytest.mark.peer("postgresql")
async def test_deadline_and_threshold(tmp_path: Path) -> None:
    worker, _, _ = make_worker((DbPostgres,), {"db_postgres": {"exec_query_threshold": 100_000, "timeout": 1}})
    told: list[Any] = []
    worker.env.events.raise_event = lambda name, values: told.append((name, values["source"]))  # type: ignore[method-assign]
    with postgres(tmp_path) as url:
        sql = worker.stores.sql(url)
        await sql.fetch("select 1")
        told.clear()            # the first one connects
        await sql.fetch("select pg_sleep(0.2)")
        assert told == [("E_CORE_THRESHOLD", "postgres query")]
        with pytest.raises(StoreLost, match="within 1 seconds"):
            await sql.fetch("select pg_sleep(3)")
        await worker.stores.close()
