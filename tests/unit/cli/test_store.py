"""Commands reach the database, and find out what modules declare."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.cli.store import specs_of, with_sql
from osip.core.store.sql import Sql


def test_work_is_done_in_the_database_and_errors_end_the_program(tmp_path: Path,
                                                                 capsys: pytest.CaptureFixture[str]) -> None:
    async def write(sql: Sql) -> int:
        await sql.execute("create table t (a integer)")
        return await sql.execute("insert into t values (1)")
    url = f"sqlite:///{tmp_path}/a.db"
    assert with_sql(url, write) == 1
    with pytest.raises(SystemExit):
        with_sql(url, write)
    assert "already exists" in capsys.readouterr().err


def test_specs() -> None:
    assert [(module, spec.name) for module, spec in specs_of(("auth_db",))] == [("auth_db", "subscriber"),
                                                                              ("auth_db", "uri")]
    assert {"dispatcher", "location", "grp"} <= {spec.name for _, spec in specs_of(())}
