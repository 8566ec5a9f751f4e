"""Check the stores of tests."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.errors import OsipError, StoreError
from osip.testing.bench import Bench
from osip.testing.store import Location, SqlRules

CFG = Path(__file__).resolve().parents[3] / "cfg"


async def test_sql() -> None:
    import sqlalchemy as sa

    rules = SqlRules()
    general = rules.on("select", [{"a": 1}])
    special = rules.on("where .*name = 'bob'", [{"a": 2}, {"a": 3}])
    rules.on("delete", count=4)
    rules.on("insert", error="disk full")
    store = rules.store("sqlite:///x")
    users = sa.table("users", sa.column("name"))
    assert await store.fetch(sa.select(users).where(users.c.name == "bob")) == [{"a": 2}, {"a": 3}]
    assert await store.fetch("select 1") == [{"a": 1}]
    assert await store.fetch("select x where name = :n", {"n": "bob"}) == [{"a": 2}, {"a": 3}]
    assert await store.execute(users.delete()) == 4
    with pytest.raises(StoreError, match="disk full"):
        await store.execute("insert into x")
    with pytest.raises(StoreError, match="no answer for this SQL in the test: update x"):
        await store.execute("update x")
    assert (len(general.calls), len(special.calls), len(rules.statements)) == (1, 2, 6)


def test_location() -> None:
    with Bench(CFG / "residential.cfg") as made:
        made.location.add("bob@localhost", "sip:bob@10.0.0.2", q=0.1, expires=10)
        made.location.add("bob@localhost", "sip:bob@10.0.0.3", q=0.9, expires=0)
        assert made.location.get("bob@localhost") == ["sip:bob@10.0.0.3", "sip:bob@10.0.0.2"]
        made.advance(11)
        assert made.location.get("bob@localhost") == ["sip:bob@10.0.0.3"]
        made.location.remove("bob@localhost")
        assert made.location.get("bob@localhost") == []
    with pytest.raises(OsipError, match="no location table"):
        Location({}).add("a@b", "sip:c@d")
