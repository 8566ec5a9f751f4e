"""Tables from declarations, and their versions."""
from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from osip.api import table
from osip.core.errors import StoreError
from osip.core.store.sql import Sql
from osip.core.store.tables import check_version, create_tables
from osip.core.store.tables import table as make
from osip.testing.store import SqlRules

USERS = table("users", 3,
    "name char(20)='x', big i64=0, small i16=7, count i32u=0, rate f64?, at dt=1900-01-01 00:00:01, note text?, "
                          "raw blob?", unique="name").spec()
KEYED = table("keyed", 1, "a char(8), b i32", primary="a,b").spec()


@pytest.fixture
async def sql(tmp_path: Path) -> AsyncIterator[Sql]:
    found = Sql(f"sqlite:///{tmp_path}/a.db")
    yield found
    await found.close()


async def test_missing_tables_are_made_with_their_versions(sql: Sql) -> None:
    assert await create_tables(sql, [USERS]) == ["users"]
    assert await create_tables(sql, [USERS, KEYED]) == ["keyed"]
    assert {r["table_name"]: r["table_version"] for r in await sql.fetch("select * from version")} == {"users": 3,
        "keyed": 1}
    await check_version(sql, USERS)


async def test_defaults_and_keys(sql: Sql) -> None:
    await create_tables(sql, [USERS, KEYED])
    await sql.execute("insert into users (note) values ('n')")
    row, = await sql.fetch("select * from users")
    assert (row["id"], row["name"], row["big"], row["small"], row["count"], row["rate"], row["at"], row["note"],
        row["raw"]) \
        == (1, "x", 0, 7, 0, None, "1900-01-01 00:00:01", "n", None)
    with pytest.raises(StoreError):
        await sql.execute("insert into users (note) values ('same name')")
    await sql.execute("insert into keyed values ('a', 1)")
    await sql.execute("insert into keyed values ('a', 2)")
    with pytest.raises(StoreError):
        await sql.execute("insert into keyed values ('a', 1)")


@pytest.mark.parametrize(("version", "words"), [(2, "has version 2, version 3 is needed"), (None, "has version None")])
async def test_another_version_is_told(version: int | None, words: str, sql: Sql) -> None:
    await create_tables(sql, [USERS])
    await sql.execute("delete from version" if version is None else f"update version set table_version = {version}")
    with pytest.raises(StoreError, match=words):
        await check_version(sql, USERS)


async def test_a_database_without_versions_is_told(sql: Sql) -> None:
    with pytest.raises(StoreError, match="has version None"):
        await check_version(sql, USERS)


async def test_answers_of_a_test_have_no_versions() -> None:
    answers: Any = SqlRules().store()
    await check_version(answers, USERS)


def test_renaming() -> None:
    made = make(USERS, sa.MetaData(), "people", {"name": "who"})
    assert made.name == "people" and "who" in made.c and "name" not in made.c
    unique, = (c for c in made.constraints if isinstance(c, sa.UniqueConstraint))
    assert [c.name for c in unique.columns] == ["who"]


@pytest.mark.parametrize(("column", "kind"), [
    ("big", sa.BigInteger), ("small", sa.SmallInteger), ("count", sa.BigInteger), ("id", sa.Integer), ("rate",
        sa.Float),
    ("name", sa.String), ("at", sa.DateTime), ("note", sa.Text), ("raw", sa.LargeBinary)])
def test_types(column: str, kind: Any) -> None:
    assert isinstance(make(USERS, sa.MetaData()).c[column].type, kind)
