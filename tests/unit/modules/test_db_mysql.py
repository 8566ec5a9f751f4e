"""Parameters of MySQL: deadlines, slow queries and lost servers are told."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit.databases import mariadb
from kit.peer import free_port
from kit.playbook import make_worker

from osip.api import StoreLost
from osip.modules.db_mysql import DbMysql


@pytest.mark.peer("mariadb")
async def test_events(tmp_path: Path) -> None:
    port = free_port()
    worker, _, _ = make_worker((DbMysql,), {"db_mysql": {"exec_query_threshold": 100_000}})
    told: list[Any] = []
    worker.env.events.raise_event = lambda name, values: told.append((name, values))    # type: ignore[method-assign]
    with mariadb(tmp_path, port) as url:
        sql = worker.stores.sql(url)
        await sql.fetch("select 1")
        told.clear()            # the first one connects
        await sql.fetch("select sleep(0.2)")
        assert [(name, values["extra"]) for name, values in told] == [("E_CORE_THRESHOLD", "select sleep(0.2)")]
    for _ in range(2):
        with pytest.raises(StoreLost):
            await sql.fetch("select 1")
    with mariadb(tmp_path, port):
        await sql.fetch("select 1")
    states = [values for name, values in told if name == "E_MYSQL_CONNECTION"]
    assert [values["status"] for values in states] == ["disconnected", "connected"] and "opensipsrw" not in str(states)
    await worker.stores.close()
