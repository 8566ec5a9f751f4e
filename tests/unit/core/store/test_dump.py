"""Rows into a file and back: in pieces, with every kind of value."""
from __future__ import annotations

import io
from pathlib import Path

import pytest

from osip.core.errors import StoreError
from osip.core.exports.declare import table
from osip.core.store import dump
from osip.core.store.sql import Sql
from osip.core.store.tables import create_tables

THING = table("thing", 3, "id i32u, name char(20)?, big i64=0, share f64=0, seen dt=1900-01-01 00:00:01, raw blob?",
              primary="id").spec()
OTHER = table("other", 1, "id i32u, word text?", primary="id").spec()
INSERT = "insert into thing (name, big, share, seen, raw) values (:name, :big, :share, :seen, :raw)"


async def filled(url: str) -> Sql:
    sql = Sql(url)
    await create_tables(sql, [THING, OTHER])
    await sql.execute(INSERT, [{"name": f"n{number}\n\"é", "big": 2 ** 62 + number, "share": 0.5,
                                "raw": bytes([0, 255, number]), "seen": "2026-01-02 03:04:05"} for number in range(5)])
    await sql.execute("insert into thing (id, name) values (9, null)")
    return sql


async def test_every_kind_of_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "PIECE", 2)
    sql, told = await filled(f"sqlite:///{tmp_path}/a.db"), []
    with (tmp_path / "f").open("wb") as out:
        out.write(b"of a try before")
        assert await dump.backup(sql, [THING, OTHER], out, told.append) == {"thing": 6, "other": 0}
    assert told == [2, 4, 6] and [one["rows"] for one in dump.look(tmp_path / "f")] == [6, 0]
    back, told = Sql(f"sqlite:///{tmp_path}/b.db"), []
    assert await dump.restore(back, [OTHER, THING], tmp_path / "f", progress=told.append) == {"thing": 6, "other": 0}
    assert told == [2, 4, 6]
    ask = "select id, name, big, share, raw, substr(seen, 1, 19) from thing order by id"
    rows = [tuple(row.values()) for row in await sql.fetch(ask)]
    assert [tuple(row.values()) for row in await back.fetch(ask)] == rows and rows[0][4] == b"\0\xff\0"
    await sql.close()
    await back.close()


async def test_a_value_that_cannot_be_written(tmp_path: Path) -> None:
    sql = await filled("sqlite://")
    await sql.execute("update thing set name = cast(x'ff' as text)")
    with pytest.raises(StoreError):
        await dump.backup(sql, [THING], io.BytesIO())
    await sql.close()


async def test_a_text_column_of_bytes(tmp_path: Path) -> None:
    """SQLite keeps whatever it was given; other databases want what the column says."""
    sql = await filled("sqlite://")
    await sql.execute("insert into other (word) values (:w)", [{"w": "é".encode()}, {"w": 5}])
    with (tmp_path / "f").open("wb") as out:
        await dump.backup(sql, [OTHER], out)
    await dump.restore(sql, [OTHER], tmp_path / "f", replace=True)
    assert [row["word"] for row in await sql.fetch("select word from other order by id")] == ["é", "5"]
    await sql.close()
