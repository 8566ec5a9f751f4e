"""Plain questions: rows, deadlines, questions given up, files that cannot be opened, connections that fail."""
from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from osip.core.errors import StoreError, StoreLost
from osip.core.run.config import Config
from osip.core.store.quick import FileReader, Held, Lookup, is_on_disk
from osip.core.store.sql import Sql, Stores, Tuning, first_row

TABLE = sa.table("t", sa.column("n"), sa.column("s"))
BY_S = Lookup(sa.select(TABLE.c.n, TABLE.c.s).where(TABLE.c.s == sa.bindparam("s")).limit(1))


async def filled(sql: Sql) -> Sql:
    await sql.execute("create table t (n integer, s text)")
    await sql.execute("insert into t values (:n, :s)", [{"n": 1, "s": "a"}, {"n": 2, "s": "é'"}, {"n": 3, "s": "a"}])
    return sql


@pytest.mark.parametrize("url", ["sqlite:///{}/a.db", "sqlite+pysqlite:///{}/a.db", "sqlite:///{}/a.db?timeout=3"])
@pytest.mark.parametrize("threshold", [0, 10_000_000])
async def test_first_row(tmp_path: Path, url: str, threshold: int) -> None:
    sql = await filled(Sql(url.format(tmp_path), tuning=Tuning(threshold=threshold)))
    for _ in range(2):
        assert dict(await sql.first(BY_S, {"s": "a"}) or {}) == {"n": 1, "s": "a"}
        assert dict(await sql.first(BY_S, {"s": "é'"}) or {}) == {"n": 2, "s": "é'"}
        assert await sql.first(BY_S, {"s": "none"}) is None
        await sql.execute("update t set n = n + 10")
        assert dict(await first_row(sql, BY_S, {"s": "a"}) or {}) == {"n": 11, "s": "a"}, "what was written is seen"
        await sql.execute("update t set n = n - 10")
        await sql.close()           # and it opens again
    await sql.close()


async def test_a_database_of_another_kind_is_asked_as_ever() -> None:
    asked: list[Any] = []

    async def fetch(statement: Any, values: Any) -> list[Any]:
        asked.append((statement, values))
        return [{"n": 1}, {"n": 2}] if values else []
    other = SimpleNamespace(fetch=fetch)
    assert await first_row(other, BY_S, {"s": "a"}) == {"n": 1} and await first_row(other, BY_S, {}) is None
    assert asked[0] == (BY_S.statement, {"s": "a"})


def test_words() -> None:
    for dialect, mark in ((sqlite.dialect(paramstyle="qmark"), "?"), (mysql.dialect(paramstyle="format"), "%s"),
                          (postgresql.dialect(paramstyle="numeric_dollar"), "$1")):
        form = BY_S.form(dialect)
        assert f"t.s = {mark}" in form.text and form.columns == ["n", "s"] and form is BY_S.form(dialect)
        assert form.fill({"s": "x", "other": 1})[:2] == ["x", 1]
    with pytest.raises(KeyError):
        form.fill({})


@pytest.mark.parametrize(("url", "is_file"), [
    ("sqlite:///a.db", True), ("sqlite:////var/a.db", True), ("sqlite://", False),
    ("sqlite:///:memory:", False), ("sqlite:///file:a?mode=memory&uri=true", False)])
def test_files(url: str, is_file: bool) -> None:
    assert is_on_disk(sa.make_url(url)) is is_file


async def test_a_database_in_memory_is_one(tmp_path: Path) -> None:
    sql = await filled(Sql("sqlite://"))
    assert dict(await sql.first(BY_S, {"s": "a"}) or {}) == {"n": 1, "s": "a"}
    await sql.close()


async def test_many_at_once(tmp_path: Path) -> None:
    sql = await filled(Sql(f"sqlite:///{tmp_path}/a.db"))
    rows = await asyncio.gather(*(sql.first(BY_S, {"s": "a" if n % 3 else "none"}) for n in range(500)))
    assert [row and row["n"] for row in rows] == [1 if n % 3 else None for n in range(500)]
    assert not sql._quick._waiting
    await sql.close()


async def test_errors_are_told(tmp_path: Path) -> None:
    sql = Sql(f"sqlite:///{tmp_path}/a.db")
    with pytest.raises(StoreError, match="a.db: no such table: t"):
        await sql.first(BY_S, {"s": "a"})
    await filled(sql)
    assert await sql.first(BY_S, {"s": "a"}), "and the next question is a new one"
    with pytest.raises(UnicodeError):
        await sql.first(BY_S, {"s": "\udcff"})
    await sql.close()


async def test_a_file_that_cannot_be_opened_yet(tmp_path: Path) -> None:
    states: list[tuple[str, bool]] = []
    folder = tmp_path / "later"
    sql = Sql(f"sqlite:///{folder}/a.db", tuning=Tuning(state=lambda url, is_back: states.append((url, is_back))))
    with pytest.raises(StoreLost, match="unable to open"):
        await sql.first(BY_S, {"s": "a"})
    folder.mkdir()
    await filled(sql)
    assert await sql.first(BY_S, {"s": "a"})
    assert [is_back for _, is_back in states] == [False, True]
    await sql.close()


async def test_what_is_set_for_connections_counts_here_too(tmp_path: Path) -> None:
    sql = await filled(Sql(f"sqlite:///{tmp_path}/a.db", tuning=Tuning(
        connect={"timeout": 0.05}, at_start=("PRAGMA case_sensitive_like=ON",))))
    like = Lookup(sa.select(TABLE.c.n).where(TABLE.c.s.like(sa.bindparam("s"))))
    assert await sql.first(like, {"s": "a"}) and await sql.first(like, {"s": "A"}) is None
    with sqlite3.connect(tmp_path / "a.db", isolation_level=None) as other:
        other.execute("begin exclusive")
        with pytest.raises(StoreError, match="locked"):
            await sql.first(like, {"s": "a"})
        other.execute("rollback")
    assert await sql.first(like, {"s": "a"})
    await sql.close()


async def test_a_deadline(tmp_path: Path) -> None:
    sql = await filled(Sql(f"sqlite:///{tmp_path}/a.db", deadline=0.1))
    with sqlite3.connect(tmp_path / "a.db", isolation_level=None) as other:
        other.execute("begin exclusive")
        began = time.monotonic()
        found = await asyncio.gather(*(sql.first(BY_S, {"s": "a"}) for _ in range(3)), return_exceptions=True)
        assert time.monotonic() - began < 3
        other.execute("rollback")
    assert [type(one) for one in found] == [StoreLost] * 3 and "did not answer within 0.1 seconds" in str(found[0])
    async with asyncio.timeout(8):
        while True:
            try:
                assert await sql.first(BY_S, {"s": "a"})
                break
            except StoreLost:
                pass
    await sql.close()


async def test_a_question_that_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sql = await filled(Sql(f"sqlite:///{tmp_path}/a.db"))
    asking = sql.first(BY_S, {"s": "a"})
    asking.send(None)                       # as a script does that finds out that it is a retransmission
    asking.close()
    task = asyncio.ensure_future(sql.first(BY_S, {"s": "none"}))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await sql.first(BY_S, {"s": "a"})
    await sql.close()
    assert task.cancelled() and not caplog.records


async def test_the_thread_ends_with_the_database(tmp_path: Path) -> None:
    sql = await filled(Sql(f"sqlite:///{tmp_path}/a.db"))
    await sql.first(BY_S, {"s": "a"})
    assert any(thread.name == "osip-sqlite" for thread in threading.enumerate())
    await sql.close()
    assert not any(thread.name == "osip-sqlite" for thread in threading.enumerate())


async def test_the_thread_ends_when_the_loop_has_ended(tmp_path: Path) -> None:
    def connect() -> sqlite3.Connection:
        time.sleep(0.2)
        return sqlite3.connect(":memory:")

    def run() -> FileReader:
        async def ask() -> FileReader:
            reader = FileReader(connect, 5)
            reader.ask("select 1", [])
            return reader
        return asyncio.run(ask())
    reader = await asyncio.get_running_loop().run_in_executor(None, run)
    reader._thread.join(5)
    assert not reader._thread.is_alive()


async def test_stores_answer_plain_questions(tmp_path: Path) -> None:
    stores = Stores(Config())
    sql = await filled(stores.sql(f"sqlite:///{tmp_path}/a.db"))
    assert await first_row(sql, BY_S, {"s": "a"})
    await stores.close()


# --- connections that are kept ---------------------------------------------------------------------------------------

class Connection:
    """One of the pool's connections; its driver's connection answers with `answer(values)`."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.gone = engine, 0
        self.driver_connection = self

    async def get_raw_connection(self) -> Connection:
        return self

    async def fetchrow(self, text: str, *values: Any) -> Any:
        return await self.engine.answer(*values)

    async def invalidate(self) -> None:
        self.gone += 1

    async def close(self) -> None:
        self.engine.open.remove(self)


class Engine:
    """An engine that counts its connections."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer, self.open, self.made = answer, [], 0
        self.dialect = SimpleNamespace(name="postgresql", driver="asyncpg")

    async def connect(self) -> Connection:
        self.made += 1
        self.open.append(Connection(self))
        return self.open[-1]


FORM = BY_S.form(postgresql.dialect(paramstyle="numeric_dollar"))


async def test_no_more_are_kept_than_wanted() -> None:
    go = asyncio.Event()

    async def answer(value: str, *_: Any) -> Any:
        await go.wait()
        return None if value == "none" else (1, value)
    engine = Engine(answer)
    line = asyncio.Semaphore(3)
    held = Held(engine, line, 2)
    tasks = [asyncio.ensure_future(held.first(FORM, {"s": value})) for value in ("a", "none", "c", "e")]
    await asyncio.sleep(0.01)
    assert engine.made == 2 and not line.locked(), "what is left of the pool is for those who write"
    tasks[2].cancel()                               # one that waits is given up
    go.set()
    assert await tasks[0] == [(1, "a")] and await tasks[1] == [] and await tasks[3] == [(1, "e")] and engine.made == 2
    assert await held.first(FORM, {"s": "d"}) == [(1, "d")] and engine.made == 2
    await held.close()
    assert not engine.open and await held.first(FORM, {"s": "d"}) == [(1, "d")]
    await held.close()


async def test_one_that_fails_is_given_up() -> None:
    fails = [OSError("reset"), ValueError("a driver's own")]

    async def answer(value: str, *_: Any) -> Any:
        if fails:
            raise fails.pop()
        return (1, value)
    engine = Engine(answer)
    line = asyncio.Semaphore(1)
    held = Held(engine, line, 1)
    for _ in range(2):
        assert await held.first(FORM, {"s": "a"}) is None and not engine.open and not line.locked()
    assert await held.first(FORM, {"s": "a"}) == [(1, "a")] and engine.made == 3
    await held.close()


async def test_one_that_is_cut_off_is_given_up() -> None:
    async def answer(*_: Any) -> Any:
        await asyncio.Event().wait()
    engine = Engine(answer)
    line = asyncio.Semaphore(1)
    held = Held(engine, line, 1)
    task = asyncio.ensure_future(held.first(FORM, {"s": "a"}))
    await asyncio.sleep(0.01)
    connection = engine.open[0]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled() and connection.gone == 1 and not engine.open and not held._turn.locked() and not line.locked()


async def test_a_server_that_cannot_be_reached_is_for_the_pool_to_tell() -> None:
    async def refuse() -> Any:
        raise OSError("refused")
    engine = Engine(refuse)
    engine.connect = refuse         # type: ignore[method-assign]
    line = asyncio.Semaphore(1)
    held = Held(engine, line, 1)
    assert await held.first(FORM, {"s": "a"}) is None and not held._turn.locked() and not line.locked()
