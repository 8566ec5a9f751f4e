"""Rows in files."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from kit.playbook import make_worker

from osip.api import ModuleError, StoreError
from osip.modules.db_flatstore import DbFlatstore

ACC = sa.table("acc", sa.column("method"), sa.column("code"), sa.column("note"))


def flat(**params: Any) -> Any:
    worker, _, _ = make_worker((DbFlatstore,), {"db_flatstore": params})
    return worker.env.modules["db_flatstore"]


@pytest.mark.parametrize(("params", "name", "text"), [
    ({}, "acc_0.log", "INVITE|200|a\\|b\\nc\\\\\nBYE|0|\n"),
    ({"delimiter": ",", "suffix": ".csv", "prefix": "x_", "single_file": 1}, "x_acc.csv", "INVITE,200,a|b\\nc\\\\\nBYE,0,\n")])
async def test_rows(tmp_path: Path, params: dict[str, Any], name: str, text: str) -> None:
    module = flat(**params)
    sql = module.env.stores.sql(f"flatstore:{tmp_path}")
    assert await sql.execute(ACC.insert(), [{"method": "INVITE", "code": 200, "note": "a|b\nc\\"}]) == 1
    assert await sql.execute(ACC.insert().values(method="BYE", code=0, note=None)) == 1
    assert (tmp_path / name).read_text() == text


async def test_rotation(tmp_path: Path) -> None:
    module = flat(flush=0)
    sql = module.env.stores.sql(f"flatstore://{tmp_path}")
    await sql.execute(ACC.insert(), {"method": "ONE"})
    (tmp_path / "acc_0.log").rename(tmp_path / "old.log")
    module.rotate()
    await sql.execute(ACC.insert(), {"method": "TWO"})
    await sql.close()
    assert [(tmp_path / name).read_text() for name in ("old.log", "acc_0.log")] == ["ONE\n", "TWO\n"]
    await sql.ping()


async def test_refusals(tmp_path: Path) -> None:
    module = flat()
    sql = module.env.stores.sql(f"flatstore:{tmp_path}")
    for ask in (sql.fetch("select 1"), sql.run(lambda c: None), sql.execute("insert into acc values (1)"),
                sql.execute(sa.delete(ACC))):
        with pytest.raises(StoreError):
            await ask
    with pytest.raises(StoreError, match="no such folder"):
        module.env.stores.sql(f"flatstore:{tmp_path}/none")
    with pytest.raises(ModuleError):
        flat(delimiter="||")


async def test_names_of_tables_do_not_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    sql = flat().env.stores.sql(f"flatstore:{tmp_path}/in")
    await sql.execute(sa.table("../out", sa.column("a")).insert(), {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["in"] and (tmp_path / "in" / "out_0.log").exists()
