"""The tables of all modules, and users that register, in SQLite, PostgreSQL and MariaDB; one that dies and comes back."""
from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from kit.databases import SERVERS, mariadb, postgres
from kit.peer import free_port

from osip.cli.db_catalog import catalog
from osip.core.errors import StoreError
from osip.core.store import dump
from osip.core.store.quick import Lookup
from osip.core.store.sql import Sql

KINDS = [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind)) for kind in SERVERS]
pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("databases")]


ADDRESS = [spec for _, spec in catalog(("address",))]
TABLE = sa.table("t", sa.column("n"), sa.column("s"))
BY_S = Lookup(sa.select(TABLE.c.n).where(TABLE.c.s == sa.bindparam("s")).limit(1))


def osip(*args: str) -> Any:
    run = subprocess.run([sys.executable, "-m", "osip", *args, "-o", "json"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("kind", KINDS)
async def test_tables(tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        made = osip("db", "create", "--url", url)
        assert len(made) > 15 and {row["state"] for row in made} == {"made"}
        assert {row["state"] for row in osip("db", "create", "--url", url)} == {"was there"}
        assert {row["state"] for row in osip("db", "show", "--url", url)} == {"ok"}
        sql = Sql(url)
        await sql.execute("insert into address (grp, ip) values (1, '10.0.0.1')")
        row, = await sql.fetch("select * from address")
        assert (row["mask"], row["proto"], row["port"], row["pattern"]) == (32, "any", 0, None)     # the defaults, too
        other = Sql(f"sqlite:///{tmp_path}/other.db")           # there and back, by the text form of both
        for source, target in ((sql, other), (other, sql)):
            with (tmp_path / "rows").open("wb") as out:
                assert await dump.backup(source, ADDRESS, out) == {"address": 1}
            assert await dump.restore(target, ADDRESS, tmp_path / "rows", replace=True) == {"address": 1}
        await other.close()
        await sql.execute("insert into address (grp, ip) values (2, '10.0.0.2')")
        assert [row["id"] for row in await sql.fetch("select id from address order by grp")] == [1, 2], "numbers go on"
        await sql.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_plain_questions(tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        sql = Sql(url, pool=4)
        await sql.execute("create table t (n integer, s varchar(20))")
        await sql.execute("insert into t values (:n, :s)", [{"n": 1, "s": "é'"}, {"n": 2, "s": "b"}])
        for number in range(3):
            rows = await asyncio.gather(*(sql.first(BY_S, {"s": text}) for text in ("é'", "b", "none") * 20))
            assert [row and row["n"] for row in rows] == [1 + number, 2 + number, None] * 20
            await sql.execute("update t set n = n + 1")     # each answer is of now, not of the first question's time
        asking = asyncio.create_task(sql.first(BY_S, {"s": "b"}))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert dict(await sql.first(BY_S, {"s": "b"}) or {}) == {"n": 5}
        await sql.close()
        assert dict(await sql.first(BY_S, {"s": "b"}) or {}) == {"n": 5}, "it opens again"
        await sql.close()


@pytest.mark.parametrize(("kind", "serve"), [pytest.param("postgresql", postgres, marks=pytest.mark.peer("postgresql")),
                                             pytest.param("mariadb", mariadb, marks=pytest.mark.peer("mariadb"))])
async def test_a_server_that_dies_and_comes_back(tmp_path: Path, kind: str, serve: Any) -> None:
    port = free_port()
    with serve(tmp_path, port) as url:
        sql = Sql(url, deadline=5)
        await sql.execute("create table t (n integer, s varchar(20))")
        await sql.execute("insert into t values (:n, :s)", [{"n": 1, "s": "é"}, {"n": 2, "s": None}])
        assert [tuple(row.values()) for row in await sql.fetch("select n, s from t order by n")] == [(1, "é"), (2, None)]
        assert dict(await sql.first(BY_S, {"s": "é"}) or {}) == {"n": 1}
    with pytest.raises(StoreError) as caught:
        await sql.first(BY_S, {"s": "é"})
    assert "opensipsrw" not in str(caught.value) and "127.0.0.1" in str(caught.value)
    with pytest.raises(StoreError) as caught:
        await sql.fetch("select n from t")
    assert "opensipsrw" not in str(caught.value) and "127.0.0.1" in str(caught.value)
    with serve(tmp_path, port):
        assert await sql.first(BY_S, {"s": "é"}) and len(await sql.fetch("select n from t")) == 2
        with pytest.raises(StoreError):
            await sql.fetch("select nothing from nowhere")
        with pytest.raises(StoreError, match="nowhere"):
            await sql.first(Lookup(sa.select(sa.column("n")).select_from(sa.table("nowhere"))), {})
        slow = Sql(url, deadline=0.3)
        with pytest.raises(StoreError, match="did not answer within 0.3"):
            await slow.fetch("select pg_sleep(3)" if kind == "postgresql" else "select sleep(3)")
        await slow.close()
        await sql.close()
