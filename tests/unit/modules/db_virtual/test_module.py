"""Sets of databases: which one is asked, and what management shows."""
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kit.databases import postgres
from kit.peer import free_port
from kit.playbook import make_worker

from osip.api import MIError, ModuleError, StoreError, StoreLost
from osip.modules.db_virtual import DbVirtual
from osip.modules.db_virtual.module import parse_sets


@asynccontextmanager
async def sets(*lines: str, **params: Any) -> AsyncIterator[Any]:
    worker, _, _ = make_worker((DbVirtual,), {"db_virtual": {"db_urls": list(lines), **params}})
    try:
        yield worker.env.modules["db_virtual"]
    finally:
        await worker.stores.close()


async def counts(module: Any, *urls: str) -> list[int]:
    return [(await module.env.stores.sql(url).fetch("select count(*) as n from t"))[0]["n"] for url in urls]


def files(folder: Path, number: int) -> list[str]:
    return [f"sqlite:///{folder}/{name}.db" for name in "abc"[:number]]


@pytest.mark.parametrize(("mode", "expected"), [("FAILOVER", [4, 0]), ("ROUND", [2, 2]), ("PARALLEL", [4, 4])])
async def test_who_is_asked(tmp_path: Path, mode: str, expected: list[int]) -> None:
    urls = files(tmp_path, 2)
    async with sets(f"define home {mode}", *urls) as module:
        for url in urls:
            await module.env.stores.sql(url).execute("create table t (n integer)")
        sql = module.env.stores.sql("virtual://home")
        for number in range(4):
            assert await sql.execute("insert into t values (:n)", {"n": number}) == 1
        assert await counts(module, *urls) == expected
        with pytest.raises(StoreError) as caught:
            await sql.fetch("select nothing from nowhere")
        assert not isinstance(caught.value, StoreLost)
        assert all(entry["can"] for entry in module.get()["SETS"][0]["DBS"]), "a wrong statement loses no database"


@pytest.mark.parametrize("mode", ["FAILOVER", "ROUND", "PARALLEL"])
async def test_one_that_is_lost(tmp_path: Path, mode: str) -> None:
    good, gone = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/none/b.db"
    async with sets(f"define home {mode}", gone, good, db_max_consec_retrys=2) as module:
        sql = module.env.stores.sql("virtual://home")
        await sql.run(lambda connection: connection.exec_driver_sql("create table t (n integer)"))
        for number in range(4):
            await sql.execute("insert into t values (:n)", {"n": number})
        assert await counts(module, good) == [4]
        lost, found = module.get()["SETS"][0]["DBS"]
        assert (lost["can"], lost["r_rec"], found["can"]) == (0, 2, 1)
        for _ in range(3):
            await module.probe()
        assert module.get()["SETS"][0]["DBS"][0]["r_rec"] == 0, "it is given up"
        (tmp_path / "none").mkdir()
        await module.probe()
        assert module.get()["SETS"][0]["DBS"][0]["can"] == 0
        module.set(0, 0, 1)
        await module.probe()
        assert module.get()["SETS"][0]["DBS"][0]["can"] == 1
        module.set(0, 0, 0)
        module.set(0, 1, 0)
        with pytest.raises(StoreLost, match="no database of the set home is usable"):
            await sql.fetch("select * from t")
        with pytest.raises(MIError):
            module.set(0, 2, 1)


@pytest.mark.peer("postgresql")
async def test_a_server_that_stops(tmp_path: Path) -> None:
    port = free_port()
    spare = f"sqlite:///{tmp_path}/spare.db"
    with postgres(tmp_path, port) as url:
        async with sets("define home FAILOVER", url, spare) as module:
            for one in (url, spare):
                await module.env.stores.sql(one).execute("create table t (n integer)")
            sql = module.env.stores.sql("virtual://home")
            await sql.execute("insert into t values (1)")
            lost = module.fleets["home"].members[0]
            await sql.ping()
            assert lost.can
            with pytest.raises(StoreError):
                await module.env.stores.sql(url).execute("select pg_terminate_backend(pg_backend_pid())")
            await sql.execute("insert into t values (2)")
            assert await counts(module, url, spare) == [2, 0], "a connection that broke is made anew"
    async with sets("define home FAILOVER", url, spare) as module:
        await module.env.stores.sql("virtual://home").execute("insert into t values (3)")
        assert await counts(module, spare) == [1]
        assert "opensipsrw" not in str(module.get())


@pytest.mark.parametrize(("lines", "words"), [
    (("sqlite:///a",), "before any define"), (("define a NONE",), "is no set"), (("define a FAILOVER",), "has no URLs"),
    (("define a FAILOVER", "u:", "define a ROUND", "u:"), "twice"),
    (("define a FAILOVER", "virtual://b"), "another set"), (("define a",), "is no set")])
async def test_bad_sets(lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(ModuleError, match=words):
        async with sets(*lines):
            pass


async def test_a_file_of_sets(tmp_path: Path) -> None:
    (tmp_path / "sets").write_text("# two\ndefine one failover\nsqlite:///a\n\ndefine two ROUND\nsqlite:///b\nsqlite:///c\n")
    assert parse_sets((tmp_path / "sets").read_text().splitlines()) == {
        "one": ("FAILOVER", ["sqlite:///a"]), "two": ("ROUND", ["sqlite:///b", "sqlite:///c"])}
    async with sets(db_file=str(tmp_path / "sets")) as module:
        assert [one["name"] for one in module.get()["SETS"]] == ["one", "two"]
        with pytest.raises(ModuleError, match="no set"):
            module.env.stores.sql("virtual://three")
    with pytest.raises(ModuleError, match="cannot read"):
        async with sets(db_file=str(tmp_path / "none")):
            pass
