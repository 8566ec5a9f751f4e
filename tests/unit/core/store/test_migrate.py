"""Old tables brought up to date in SQLite, PostgreSQL and MariaDB: every row, every value, the right version."""
from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from kit.databases import SERVERS

from osip.api import table
from osip.core.errors import StoreError
from osip.core.store import migrate as migration
from osip.core.store.migrate import drop_tables, migrate, plan
from osip.core.store.sql import Sql
from osip.core.store.tables import check_version, create_tables

KINDS = [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind))
         for kind in SERVERS]
OLD = table("users", 2, "name char(20)='x', score char(10)='', gone char(9)='', note text?", unique="name").spec()
NEW = table("users", 3, "name char(40)='x', score i32=0, note text?, at dt, count i32u=7, raw blob?, word text",
            unique="name").spec()


@pytest.mark.parametrize("kind", KINDS)
async def test_migration(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "PIECE", 10)
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        sql = Sql(url)
        assert await plan(sql, NEW) is None
        await create_tables(sql, [OLD])
        await sql.execute("insert into users (id, name, score, note) values (:id, :name, :score, :note)", [
            {"id": 3 * n + 1, "name": f"u{n}", "score": str(n), "note": None if n % 2 else f"é{n}"} for n in range(35)])
        found = await plan(sql, NEW)
        assert found is not None and found.is_needed
        assert (found.version, found.added, found.dropped, found.rows) == (2, ("at", "count", "raw", "word"), ("gone",), 35)
        heard: list[int] = []
        assert await migrate(sql, found, progress=heard.append) == 35 and heard == [10, 20, 30, 35]
        await check_version(sql, NEW)
        rows = await sql.fetch("select * from users order by id")
        assert [(r["id"], r["name"], r["score"], r["note"], r["count"], r["raw"], r["word"]) for r in rows] == [
            (3 * n + 1, f"u{n}", n, None if n % 2 else f"é{n}", 7, None, "") for n in range(35)]
        assert str(rows[0]["at"]).startswith("1900-01-01 00:00:01") and "gone" not in rows[0]
        await sql.execute("insert into users (name, at, word) values ('last', :at, '')", {"at": datetime(2026, 1, 1) if
                                                                                         kind == "postgresql" else "2026-01-01"})
        assert (await sql.fetch("select id from users where name = 'last'"))[0]["id"] > 103, "numbers go on"
        with pytest.raises(StoreError):
            await sql.execute("insert into users (name, at, word) values ('u1', :at, '')", {"at": datetime(2026, 1, 1) if
                                                                                           kind == "postgresql" else "2026-01-01"})
        again = await plan(sql, NEW)
        assert again is not None and not again.is_needed
        assert await drop_tables(sql, ["users", "none"]) == ["users"] and await plan(sql, NEW) is None
        assert await sql.fetch("select * from version where table_name = 'users'") == []
        await sql.close()


@pytest.fixture
async def old(tmp_path: Path) -> Any:
    sql = Sql(f"sqlite:///{tmp_path}/a.db")
    await create_tables(sql, [OLD])
    await sql.execute("insert into users (name, gone) values ('a', 'kept')")
    yield sql
    await sql.close()


async def test_columns_may_stay(old: Sql) -> None:
    found = await plan(old, NEW)
    assert found is not None
    await migrate(old, found, drops=False)
    assert dict((await old.fetch("select name, gone, count from users"))[0]) == {"name": "a", "gone": "kept", "count": 7}


async def test_a_version_alone_is_noted(old: Sql) -> None:
    await old.execute("drop table version")
    found = await plan(old, OLD)
    assert found is not None and found.version is None and found.is_needed
    assert await migrate(old, found) == 0
    await check_version(old, OLD)


async def test_what_fails_leaves_the_old_table(old: Sql) -> None:
    await old.execute("insert into users (name) values (:n)", {"n": "A"})
    spec = table("users", 3, "name char(40)='x', extra i32=0", unique="extra").spec()   # both rows would be 0
    found = await plan(old, spec)
    assert found is not None
    with pytest.raises(StoreError, match="UNIQUE"):
        await migrate(old, found)
    assert len(await old.fetch("select name, gone from users")) == 2
    assert await old.fetch("select name from sqlite_master where name = 'users_new'") == []
    await check_version(old, OLD)


async def test_a_table_that_grows_meanwhile_stays(old: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    real = migration._swap

    def late(connection: Any, *args: Any) -> None:
        connection.exec_driver_sql("insert into users (name) values ('late')")
        real(connection, *args)
    monkeypatch.setattr(migration, "_swap", late)
    found = await plan(old, NEW)
    assert found is not None
    with pytest.raises(StoreError, match="somebody writes to it"):
        await migrate(old, found)


async def test_renamed_columns(tmp_path: Path) -> None:
    sql = Sql(f"sqlite:///{tmp_path}/a.db")
    before = table("sip_trace", 4, "callid char(255)='', traced_user char(128)?, fromip char(50)=''").spec()
    after = table("sip_trace", 5, "callid char(255)='', trace_attrs char(255)?, from_ip char(50)=''").spec()
    await create_tables(sql, [before])
    await sql.execute("insert into sip_trace (callid, traced_user, fromip) values ('c', 'u', '10.0.0.1')")
    found = await plan(sql, after)
    assert found is not None
    await migrate(sql, found)
    assert dict((await sql.fetch("select * from sip_trace"))[0]) == {
        "id": 1, "callid": "c", "trace_attrs": "u", "from_ip": "10.0.0.1"}
    await sql.close()
