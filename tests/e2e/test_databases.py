"""The tables of all modules, and users that register, in SQLite, PostgreSQL and MariaDB; one that dies and comes back."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kit.databases import SERVERS, mariadb, postgres
from kit.peer import free_port

from osip.core.errors import StoreError
from osip.core.store.sql import Sql

KINDS = [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind)) for kind in SERVERS]
pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("databases")]


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
    with pytest.raises(StoreError) as caught:
        await sql.fetch("select n from t")
    assert "opensipsrw" not in str(caught.value) and "127.0.0.1" in str(caught.value)
    with serve(tmp_path, port):
        assert len(await sql.fetch("select n from t")) == 2
        with pytest.raises(StoreError):
            await sql.fetch("select nothing from nowhere")
        slow = Sql(url, deadline=0.3)
        with pytest.raises(StoreError, match="did not answer within 0.3"):
            await slow.fetch("select pg_sleep(3)" if kind == "postgresql" else "select sleep(3)")
        await slow.close()
        await sql.close()
