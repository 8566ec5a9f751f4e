"""Parameters of SQLite reach its connections."""
from __future__ import annotations

from pathlib import Path

from kit.playbook import make_worker

from osip.modules.db_sqlite import DbSqlite


async def test_pragmas(tmp_path: Path) -> None:
    worker, _, _ = make_worker((DbSqlite,), {"db_sqlite": {"exec_pragma": ["journal_mode=WAL", "synchronous=1"],
                                                           "busy_timeout": 1234}})
    sql = worker.stores.sql(f"sqlite:///{tmp_path}/a.db")
    assert [list((await sql.fetch(f"pragma {name}"))[0].values()) for name in ("journal_mode", "synchronous", "busy_timeout")] \
        == [["wal"], [1], [1234]]
    await worker.stores.close()
