"""Records in SQL: rows of the tables, cut to what their columns hold; in PostgreSQL and MariaDB as well."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kit.databases import SERVERS
from kit.passage import call
from kit.playbook import Playbook

from osip.api import ModuleError
from osip.core.run.ctx import Ctx
from osip.core.store.sql import Stores
from osip.core.store.tables import create_tables
from osip.modules.acc import Acc
from osip.modules.rr import Rr
from osip.modules.tm import Tm

KINDS = [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind))
         for kind in SERVERS]
Arm = Callable[[Any, Ctx], Any]


@asynccontextmanager
async def booked(url: str, arm: Arm, **params: Any) -> AsyncIterator[Playbook]:
    """Play with records in a database that has the tables."""
    def request(ctx: Ctx) -> int:
        arm(book.modules["acc"], ctx)
        return int(book.modules["tm"].t_relay(ctx))
    book = Playbook((Tm, Rr, Acc), request, params={"acc": {"db_url": url, **params}})
    stores = Stores(book.env.config)
    book.env.sql = stores.sql
    await create_tables(stores.sql(url), [Acc.spec.tables[0], Acc.spec.tables[1]])
    for column in params.get("extra_columns", ()):
        await stores.sql(url).execute(f"alter table acc add column {column} varchar(64)")
    await book.modules["acc"].child_init(book.env)
    try:
        yield book
    finally:
        await book.modules["acc"].destroy()
        await stores.close()


async def rows(book: Playbook, table: str = "acc") -> list[dict[str, Any]]:
    acc: Any = book.modules["acc"]
    await asyncio.wait_for(acc.book._writer.drained(), 10)
    return [dict(row) for row in await book.env.sql(acc.db_url).fetch(f"select * from {table} order by id")]


def do(*words: Any) -> Arm:
    return lambda acc, ctx: call(acc, ctx, "do_accounting", *words)


@pytest.mark.parametrize("kind", KINDS)
async def test_rows(tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        async with booked(url, do("db", "missed|failed")) as book:
            book.recv().sent(100).sent("INVITE", "bob")
            book.clock.advance(3)
            book.answer("bob", 200)
            row, = await rows(book)
            assert (row["method"], row["from_tag"], row["to_tag"], row["callid"], row["sip_code"], row["sip_reason"]) \
                == ("INVITE", "a1", "tag-bob", "call-1", "200", "OK")
            assert (row["duration"], row["setuptime"]) == (0, 3) and row["time"] and row["created"]
            book.recv("INVITE", call_id="x" * 300, branch="z9hG4bK-2").answer("bob", 486)
            missed, = await rows(book, "missed_calls")
            assert missed["sip_code"] == "486" and missed["callid"] == "x" * 64
            assert [row["sip_code"] for row in await rows(book)] == ["200", "486"]


async def test_extra_columns_and_legs(tmp_path: Path) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        call(acc, ctx, "do_accounting", "db|log")
        acc.set_acc_extra(ctx, "who", "alice")
        acc.set_acc_leg(ctx, "to", None, "bob")
        call(acc, ctx, "acc_new_leg")
        acc.set_acc_leg(ctx, "to", None, "carol")
    url = f"sqlite:///{tmp_path}/a.db"
    async with booked(url, arm, extra_fields=["db: who->caller"], leg_fields=["db: to->callee"]) as book:
        for column in ("caller", "callee"):
            await book.env.sql(url).execute(f"alter table acc add column {column} varchar(64)")
        book.recv().answer("bob", 200)
        assert [(row["caller"], row["callee"], row["sip_code"]) for row in await rows(book)] == [
            ("alice", "bob", "200"), ("alice", "carol", "200")]


async def test_a_call_has_one_row_when_it_ends(tmp_path: Path) -> None:
    async with booked(f"sqlite:///{tmp_path}/a.db", do("db", "cdr")) as book:
        book.recv().sent(100).sent("INVITE", "bob")
        book.clock.advance(2)
        book.answer("bob", 200)
        assert await rows(book) == [] and book.modules["acc"].calls_armed() == 1
        book.clock.advance(61.25)
        book.recv("BYE", "sip:alice@10.0.0.1", "bob", from_tag="tag-bob", to_tag="a1", branch="z9hG4bK-bye", cseq=1)
        row, = await rows(book)
        assert (row["method"], row["sip_code"], row["duration"], row["setuptime"], row["to_tag"]) \
            == ("INVITE", "200", 61, 2, "tag-bob")
        assert 61200 <= row["ms_duration"] <= 61400 and book.modules["acc"].calls_armed() == 0


async def test_other_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"

    def arm(acc: Any, ctx: Ctx) -> None:
        call(acc, ctx, "do_accounting", "db", None, "mine")
        assert call(acc, ctx, "acc_db_request", "404 Not here", "mine") == 1
    async with booked(url, arm) as book:
        await book.env.sql(url).execute("create table mine as select * from acc")
        await book.env.sql(url).execute("create table theirs as select * from acc")
        book.recv().answer("bob", 200)
        assert [row["sip_code"] for row in await rows(book, "mine")] == ["404", "200"]
    async with booked(url, do("db"), db_table_avp="$avp(table)") as book:
        book.env.program.expand = lambda ctx, text: "theirs"        # type: ignore[union-attr]
        book.recv().answer("bob", 200)
        assert len(await rows(book, "theirs")) == 1 and await rows(book) == []


async def test_no_tables(tmp_path: Path) -> None:
    book = Playbook((Tm, Rr, Acc), lambda ctx: 1, params={"acc": {"db_url": f"sqlite:///{tmp_path}/a.db"}})
    stores = Stores(book.env.config)
    book.env.sql = stores.sql
    with pytest.raises(ModuleError, match="osip db create"):
        await book.modules["acc"].child_init(book.env)
    await stores.close()


async def test_flags(tmp_path: Path) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        for flag in ("1", "2"):
            ctx.flags |= acc.env.message_flags.bit(flag)
    async with booked(f"sqlite:///{tmp_path}/a.db", arm, db_flag=1, db_missed_flag="2") as book:
        book.recv().sent(100).sent("INVITE", "bob").answer("bob", 486)
        assert await rows(book) == [] and len(await rows(book, "missed_calls")) == 1
