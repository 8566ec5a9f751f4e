"""Tables of modules: made in the embedded database, checked in others."""
from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from osip.api import ModuleError, create_tables, table
from osip.core.run.config import Config
from osip.core.run.table import open_tables, parse_partition
from osip.core.store.sql import Stores

SPEC = table("things", 4, "name char(20)=''").spec()


def env(folder: Path, url: str = "") -> Any:
    config = Config()
    config.db_default_url = url
    return SimpleNamespace(config=config, sql=Stores(config).sql)


async def test_the_embedded_database_gets_tables_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sql = await open_tables(env(tmp_path), "", {"things": SPEC, "more": SPEC}, "m")
    assert await sql.fetch("select * from more") == [] and (tmp_path / "osip.db").exists()
    assert [dict(row) for row in await sql.fetch("select * from version order by table_name")] == [
        {"table_name": name, "table_version": 4} for name in ("more", "things")]
    await sql.close()


@pytest.mark.parametrize("own", [True, False])
async def test_other_databases_are_checked(tmp_path: Path, own: bool) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    where = env(tmp_path, "" if own else url)
    with pytest.raises(ModuleError, match='^m: table "things" has version None, version 4 is needed'):
        await open_tables(where, url if own else "", {"things": SPEC}, "m")
    sql = where.sql(url)
    await create_tables(sql, [SPEC])
    assert await open_tables(where, url if own else "", {"things": SPEC}, "m") is sql
    await sql.close()


async def test_no_url_is_a_reason_to_refuse(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="m: .*no database URL"):
        await open_tables(env(tmp_path), "nonsense", {"things": SPEC}, "m")


@pytest.mark.parametrize(("text", "found"), [
    ("east: db_url=sqlite:///x; table_name=t", ("east", {"db_url": "sqlite:///x", "table_name": "t"})),
    ("east:", ("east", {}))])
def test_partition(text: str, found: Any) -> None:
    assert parse_partition(text) == found


@pytest.mark.parametrize("text", ["x", "x: y"])
def test_no_partition(text: str) -> None:
    with pytest.raises(ValueError):
        parse_partition(text)
