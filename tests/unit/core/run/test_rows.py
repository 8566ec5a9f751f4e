"""Rows on their way into a database: in order, in batches, bounded, whatever the database does."""
from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from kit.playbook import make_worker

from osip.core.errors import StoreError, StoreLost
from osip.core.net.transport import Complaint
from osip.core.run import rows
from osip.core.run.rows import RowWriter


class FakeSql:
    """A database that is away so many times, and refuses rows that are bad or hold a word that is not ASCII."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.batches: list[tuple[str, list[Any]]] = []

    async def execute(self, statement: Any, batch: Any) -> int:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise StoreLost("the database is gone")
        if any(row.get("bad") or not row.get("word", "").isascii() for row in batch):
            raise StoreError("the database refuses")
        self.batches.append((statement.table.name, [row["n"] for row in batch]))
        return len(batch)


class WholeSql(FakeSql):
    """The same, but what was begun comes to its end, as with the real one on an SQLite file."""

    async def execute(self, statement: Any, batch: Any) -> int:
        task = asyncio.create_task(super().execute(statement, batch))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await task
            raise


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PAUSE", 0.001), ("TRIES", 3), ("BATCH", 3), ("LIMIT", 10)):
        monkeypatch.setattr(rows, name, value)


def a_writer(sql: FakeSql, prepare: Any = None) -> RowWriter:
    env = make_worker(())[0].env
    env.sql = lambda url: {"db": sql}[url]
    return RowWriter(env, "db", "test", Complaint(logging.getLogger("osip.test"), clock=lambda: env.now), prepare)


async def test_batches_are_of_one_table_and_one_shape() -> None:
    sql, prepared = FakeSql(), []

    async def prepare(table: str) -> None:
        prepared.append(table)
    writer = a_writer(sql, prepare)
    for number in range(4):
        assert writer.put("a", {"n": number})
    writer.put("b", {"n": 4})
    writer.put("a", {"n": 5})
    writer.put("a", {"n": 6, "more": 1})
    await asyncio.wait_for(writer.drained(), 5)
    assert sql.batches == [("a", [0, 1, 2]), ("a", [3]), ("b", [4]), ("a", [5]), ("a", [6])]
    assert prepared == ["a", "b"] and (writer.written, writer.lost, writer.waiting) == (7, 0, 0)
    writer.put("b", {"n": 7})
    await asyncio.wait_for(writer.drained(), 5)
    assert sql.batches[-1] == ("b", [7])


@pytest.mark.parametrize(("failures", "written", "lost"), [(2, 4, 0), (3, 1, 3), (6, 0, 4)])
async def test_a_database_that_is_away(failures: int, written: int, lost: int, caplog: pytest.LogCaptureFixture) -> None:
    writer = a_writer(FakeSql(failures))
    for number in range(4):
        writer.put("a", {"n": number})
    with caplog.at_level(logging.WARNING, "osip"):
        await asyncio.wait_for(writer.drained(), 5)
    assert (writer.written, writer.lost, writer.waiting) == (written, lost, 0)
    assert sum("test_sql" in line for line in caplog.messages) == 1


async def test_characters_that_a_table_cannot_hold_are_shown_by_number() -> None:
    sql, seen = FakeSql(), []
    inner = sql.execute

    async def execute(statement: Any, batch: Any) -> int:
        count = await inner(statement, batch)
        seen.extend(batch)
        return count
    sql.execute = execute                       # type: ignore[method-assign]
    writer = a_writer(sql)
    writer.put("a", {"n": 1, "word": "a\u20acbcdefgh"})
    await asyncio.wait_for(writer.drained(), 5)
    assert seen == [{"n": 1, "word": "a\\u20acbc"}] and (writer.written, writer.lost) == (1, 0)


@pytest.mark.parametrize("at_the_end", [False, True])
async def test_a_table_that_takes_nothing_costs_few_tries(at_the_end: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BATCH", 8)
    sql, tries = FakeSql(), []

    async def execute(statement: Any, batch: Any) -> int:
        tries.append(len(batch))
        raise StoreError("no such table")
    sql.execute = execute                       # type: ignore[method-assign]
    writer = a_writer(sql)
    for number in range(8):
        writer.put("a", {"n": number})
    await (writer.close() if at_the_end else asyncio.wait_for(writer.drained(), 5))
    assert tries == [8, 1, 1, 1, 1, 1, 1] and (writer.lost, writer.waiting) == (8, 0)


async def test_a_bad_row_keeps_the_others_out_for_a_while_only() -> None:
    sql = FakeSql()
    writer = a_writer(sql)
    writer.put("a", {"n": 1, "bad": True})
    writer.put("b", {"n": 2})
    await asyncio.wait_for(writer.drained(), 5)
    assert sql.batches == [("b", [2])] and writer.lost == 1


async def test_what_waits_is_bounded() -> None:
    sql = FakeSql()
    writer = a_writer(sql)
    assert [writer.put("a", {"n": number}) for number in range(12)] == [True] * 10 + [False] * 2
    await writer.close()
    assert (writer.written, writer.lost) == (10, 2)


async def test_the_end_tries_once() -> None:
    writer = a_writer(FakeSql(9))
    writer.put("a", {"n": 1})
    await writer.close()
    await writer.close()
    assert (writer.written, writer.lost, writer.waiting) == (0, 1, 0)


async def test_what_is_being_stored_at_the_end_is_not_stored_again() -> None:
    sql = WholeSql()
    writer = a_writer(sql)
    writer.put("a", {"n": 1})
    for _ in range(2):                          # until the insert is under way
        await asyncio.sleep(0)
    writer.put("a", {"n": 2})
    await writer.close()
    assert sql.batches == [("a", [1]), ("a", [2])] and (writer.written, writer.waiting) == (2, 0)


async def test_a_bad_row_costs_no_row_beside_it() -> None:
    sql = FakeSql()
    writer = a_writer(sql)
    for number in range(3):
        writer.put("a", {"n": number, "bad": number == 1})
    await asyncio.wait_for(writer.drained(), 5)
    assert sql.batches == [("a", [0]), ("a", [2])] and (writer.written, writer.lost) == (2, 1)


@pytest.mark.parametrize(("given", "expected"), [(3, [("a", [0, 1, 2])]), (2, [("a", [0, 1])])])
async def test_rows_are_gathered(given: int, expected: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    sql = FakeSql()
    writer = a_writer(sql)
    writer._env.config.query_buffer_size = 3
    monkeypatch.setattr(rows, "FLUSH", 30 if given == 3 else 0.05)
    for number in range(given):
        writer.put("a", {"n": number})
        await asyncio.sleep(0)
        assert sql.batches == []
    await asyncio.wait_for(writer.drained(), 5)
    assert sql.batches == expected


async def test_waiting_for_ones_own_rows() -> None:
    """Who asks is told when what was put so far is written, or lost; what comes later does not hold it up."""
    writer = a_writer(FakeSql())
    async with asyncio.timeout(5):
        assert await writer.stored(), "nothing to wait for"
        for number in range(4):
            writer.put("a", {"n": number})
        assert await writer.stored() and writer.written == 4
        writer.put("a", {"n": 5, "bad": 1})
        asked = asyncio.create_task(writer.stored())
        given_up = asyncio.create_task(writer.stored())
        await asyncio.sleep(0)
        given_up.cancel()
        writer.put("b", {"n": 6})
        assert not await asked and writer.lost == 1
        writer._env.sql = lambda url: FakeSql(100)
        writer.put("a", {"n": 7})
        last = asyncio.create_task(writer.stored())
        await asyncio.sleep(0)
        await writer.close()
        assert not await last
