"""SQL: URLs, queries, deadlines, errors with words, no passwords in any of them."""
from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from osip.core.errors import StoreError
from osip.core.run.config import Config
from osip.core.store.sql import Sql, Stores, hide, translate


@pytest.mark.parametrize(("url", "translated"), [
    ("sqlite:///osip.db", "sqlite+aiosqlite:///osip.db"), ("sqlite:////var/x.db", "sqlite+aiosqlite:////var/x.db"),
    ("mysql://u:p@h/db", "mysql+asyncmy://u:p@h/db"), ("postgres://u@h/db", "postgresql+asyncpg://u@h/db"),
    ("mysql+pymysql://u@h/db", "mysql+pymysql://u@h/db")])
def test_urls(url: str, translated: str) -> None:
    assert translate(url) == translated


@pytest.mark.parametrize("url", ["", "nonsense", "/path", "mysql:h"])
def test_no_url(url: str) -> None:
    with pytest.raises(StoreError, match="is no database URL"):
        Sql(url)


@pytest.mark.parametrize(("url", "shown"), [
    ("mysql://u:secret@h/db", "mysql://u:***@h/db"), ("mysql://u@h/db", "mysql://u@h/db"),
    ("mysql://u:se@cr/et@h/db", "mysql://u:***@h/db"), ("sqlite:///a.db", "sqlite:///a.db"),
    ("rabbitmq:u:secret@h/key", "rabbitmq:u:***@h/key"), ("udp:192.0.2.1:5060", "udp:192.0.2.1:5060"),
    ("virtual:FAILOVER udp:h:1 rabbitmq:u:secret@h/", "virtual:FAILOVER udp:***@h/"),
    ("redis:g://:secret@h:1/", "redis:g://:***@h:1/"), ("test:http://u:secret@h/", "test:http://u:***@h/")])
def test_passwords_are_hidden(url: str, shown: str) -> None:
    assert hide(url) == shown


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"], ids=["asyncio driver", "threads"])
async def test_queries(tmp_path: Path, scheme: str) -> None:
    sql = Sql(f"{scheme}:///{tmp_path}/a.db")
    await sql.execute("create table t (a integer, b text)")
    assert await sql.execute("insert into t values (:a, :b)", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]) == 2
    assert await sql.execute("update t set b = 'z' where a > :a", {"a": 0}) == 2
    assert [dict(row) for row in await sql.fetch("select * from t where a = :a", {"a": 2})] == [{"a": 2, "b": "z"}]
    assert await sql.fetch("select * from t where a = 9") == []
    assert await sql.execute("insert into t values (:a, :b)", []) == 0, "no rows, nothing to run"
    assert await sql.run(lambda connection: connection.exec_driver_sql("select count(*) from t").scalar()) == 2
    await sql.close()
    assert len(await sql.fetch("select * from t")) == 2, "it opens again"
    await sql.close()


async def test_a_failed_statement_is_told_and_taken_back(tmp_path: Path) -> None:
    sql = Sql(f"sqlite:///{tmp_path}/a.db")
    await sql.execute("create table t (a integer primary key)")
    with pytest.raises(StoreError, match="UNIQUE"):
        await sql.execute("insert into t values (:a)", [{"a": 1}, {"a": 1}])
    assert await sql.fetch("select * from t") == []
    with pytest.raises(StoreError, match="no such table"):
        await sql.fetch("select * from none")
    await sql.close()


class Victim(Exception):
    """What a driver raises; PostgreSQL's carry a SQLSTATE."""

    def __init__(self, *args: Any, sqlstate: str = "") -> None:
        super().__init__(*args)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(("cause", "times", "ok"), [
    (Victim(1213, "Deadlock found"), 4, True), (Victim(1213, "Deadlock found"), 5, False),
    (Victim("x", sqlstate="40P01"), 1, True), (Victim("x", sqlstate="40001"), 1, True),
    (Victim("x", sqlstate="23505"), 1, False), (Victim(1062, "Duplicate entry"), 1, False)])
async def test_a_transaction_that_loses_against_others_is_tried_again(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: Victim, times: int, ok: bool) -> None:
    sql = Sql(f"sqlite:///{tmp_path}/a.db")
    await sql.execute("create table t (n integer)")
    once, fails = sql._once, [cause] * times

    async def collide(work: Any) -> Any:
        if fails:
            raise DBAPIError("insert", {}, fails.pop())
        return await once(work)
    monkeypatch.setattr(sql, "_once", collide)
    if ok:
        await sql.execute("insert into t values (1)")
    else:
        with pytest.raises(StoreError, match=str(cause.args[-1])):
            await sql.execute("insert into t values (1)")
    fails.clear()
    assert [row["n"] for row in await sql.fetch("select n from t")] == [1] * ok
    await sql.close()


async def test_a_database_that_cannot_be_opened() -> None:
    sql = Sql("sqlite:////no/such/folder/a.db")
    with pytest.raises(StoreError, match="unable to open"):
        await sql.fetch("select 1")
    await sql.close()


async def test_a_deadline(tmp_path: Path) -> None:
    sql = Sql(f"sqlite:///{tmp_path}/a.db", deadline=0.05)

    async def never() -> None:
        await asyncio.Event().wait()
    with pytest.raises(StoreError, match="did not answer within 0.05 seconds"):
        await sql._guard(never())


@pytest.mark.parametrize("wait", [0.002, 0.005, 0.01, 0.02])
async def test_a_change_that_nobody_waits_for_any_more_does_not_lock_the_file(tmp_path: Path, wait: float) -> None:
    sql = Sql(f"sqlite:///{tmp_path}/a.db", deadline=4)
    await sql.execute("create table t (v text)")

    def many(connection: Any) -> None:
        for _ in range(4):
            connection.execute(text("insert into t (v) values (:v)"), [{"v": "x"}] * 1000)
    task = asyncio.create_task(sql.run(many))
    await asyncio.sleep(wait)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await sql.execute("insert into t (v) values ('y')")
    [row] = await sql.fetch("select count(*) as n from t")
    assert row["n"] in (1, 4001)
    await sql.close()


async def test_a_question_that_is_given_up_ends_by_itself(tmp_path: Path) -> None:
    sql = Sql(f"sqlite:///{tmp_path}/a.db")
    await sql.execute("create table t (v text)")
    asking = sql.execute("insert into t (v) values ('y')")
    asking.send(None)                       # as a script does that finds out that it is a retransmission
    asking.close()
    async with asyncio.timeout(5):
        while not await sql.fetch("select v from t"):
            await asyncio.sleep(0.01)
    await sql.close()


async def test_who_waits_longest_is_next(tmp_path: Path) -> None:
    """Under load nobody is passed by until its deadline is over."""
    sql, ends = Sql(f"sqlite:///{tmp_path}/a.db", 3), []

    async def ask(number: int) -> None:
        for round_ in range(5):
            await sql.fetch("SELECT 1")
            ends.append((round_, number))
    await asyncio.gather(*map(ask, range(60)))
    await sql.close()
    assert {number for _, number in ends[:63]} == set(range(60)) and len(ends) == 300


@pytest.mark.parametrize(("url", "words"), [
    ("nosuchdb://u:secret@h/db", "nosuchdb"), ("firebird://u:secret@h/db", "firebird")])
async def test_an_unknown_database(url: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        await Sql(url).fetch("select 1")
    assert "secret" not in str(caught.value)


async def test_stores_share_a_database(tmp_path: Path) -> None:
    config = Config()
    config.set("db_default_url", f"sqlite:///{tmp_path}/a.db")
    stores = Stores(config)
    assert stores.sql() is stores.sql(f"sqlite:///{tmp_path}/a.db")
    assert stores.sql("sqlite:///b.db") is not stores.sql()
    await stores.sql().fetch("select 1")
    await stores.close()
    assert Stores(Config()).sql().url == "sqlite:///osip.db"
