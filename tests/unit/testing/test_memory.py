"""Check the database in memory of tests."""
from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from osip.core.errors import StoreError
from osip.core.exports.spec import Column, TableSpec
from osip.core.store.tables import check_version, create_tables
from osip.testing.store import SqlRules

USERS = TableSpec("users", 3, (Column("id", "i32"), Column("name", "char", size=32),
                               Column("secret", "blob", nullable=True)), ("id",), ())


async def test_tables_are_made_and_filled_with_the_rows_of_a_test() -> None:
    rules = SqlRules()
    rules.add("people", name="bob", secret="x")
    store = rules.store("mysql://a@b/c")
    await check_version(store, USERS, "people")             # type: ignore[arg-type]
    assert await create_tables(store, [USERS]) == ["users"]     # type: ignore[arg-type]
    assert await store.fetch("select id, name, secret from people") == [{"id": 1, "name": "bob", "secret": b"x"}]
    users = sa.table("people", sa.column("name"))
    assert await store.execute(users.insert(), [{"name": "carol"}, {"name": "dave"}]) == 2
    assert await rules.store("").fetch("select count(*) as n from people where name > :n", {"n": "c"}) == [{"n": 2}]
    assert await store.execute(users.insert(), []) == 0
    assert [text for text in rules.statements if "version" in text or "PRAGMA" in text] == []


async def test_a_rule_comes_first_within_a_transaction_too() -> None:
    rules = SqlRules()
    rules.add("t", a=1)
    rules.on("from t where a = 2", [{"a": 22}])
    rules.on("update t", error="disk full")

    def work(connection: Any) -> Any:
        return connection.scalar("select a from t"), connection.scalar("select a from t where a = 2"), \
            connection.exec_driver_sql("select a + 1 from t").scalar()
    assert await rules.store().run(work) == (1, 22, 2)
    with pytest.raises(StoreError, match="disk full"):
        await rules.store().run(lambda connection: connection.execute("update t set a = 1"))


async def test_a_table_of_nobody_is_made_of_its_rows() -> None:
    rules = SqlRules()
    rules.add("t", number="0049", n=5)
    rules.add("t", number=30, n=7, more="x")
    store = rules.store()
    assert await store.fetch("select number, more from t where n > 5") == [{"number": "30", "more": "x"}]
    assert await store.fetch("select n from t where number = '0049'") == [{"n": 5}]
    rules.add("t", number="1", n=1)
    assert await store.fetch("select count(*) as n from t") == [{"n": 3}]


async def test_what_is_not_there_and_what_does_not_fit() -> None:
    rules = SqlRules()
    store = rules.store()
    with pytest.raises(StoreError, match=r"no answer for this SQL in the test: select 1 from t \(no such table: t\)"):
        await store.fetch("select 1 from t")
    rules.add("users", nme="bob")
    with pytest.raises(StoreError, match='row of table "users": .*nme'):
        await create_tables(store, [USERS])     # type: ignore[arg-type]
    rules.close()
