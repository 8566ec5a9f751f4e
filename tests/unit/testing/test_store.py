"""Check the stores of tests."""
from __future__ import annotations

from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize("mode", ["single-instance-sql-write-through", "sql-only", "full-sharing-cachedb-cluster",
                                  "federation-cachedb-cluster"])
def test_contacts_are_in_memory_whatever_the_script_says(mode: str) -> None:
    text = (CFG / "residential.cfg").read_text().replace('loadmodule "registrar.so"', 'modparam("usrloc", "cachedb_url", "redis://x/")\n'
                        f'modparam("usrloc", "working_mode_preset", "{mode}")\nloadmodule "cachedb_redis.so"\nloadmodule "registrar.so"')
    assert mode in text
    with Bench(text=text) as made:
        made.location.add("bob@localhost", "sip:bob@10.0.0.2")
        assert made.location.get("bob@localhost") == ["sip:bob@10.0.0.2"]


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


SQLOPS = '''loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "sqlops.so"
modparam("sqlops", "db_url", "mysql://a@b/c")
route {
	if (sql_query("select uri, n from users where name='$rU'", "$avp(u);$avp(n)"))
		sl_send_reply(302, "to $avp(u) $avp(n)");
	else if (sql_query("update users set n = 1 where name='$rU'"))
		sl_send_reply(404, "Counted");
	else
		sl_send_reply(500, "No database");
}
'''


def test_the_modules_for_scripts() -> None:
    with Bench(text=SQLOPS) as bench:
        found = bench.sql.on("from users where name='bob'", [{"uri": "sip:bob@10.0.0.2", "n": 7}])
        bench.sql.on("from users where name='carol'")
        bench.sql.on("^update users", count=1)
        bench.send("INVITE sip:bob@x").expect_reply(302, "to sip:bob@10.0.0.2 7")
        bench.send("INVITE sip:carol@x").expect_reply(404, "Counted")
        assert found.calls == ["select uri, n from users where name='bob'"]
        bench.sql.on("users", error="gone")
        bench.send("INVITE sip:bob@x").expect_reply(500, "No database")


async def test_work_in_a_transaction() -> None:
    import sqlalchemy as sa

    rules = SqlRules()
    rules.on("select version", [{"table_version": 3}, {"table_version": 2}])
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer))

    def work(connection: Any) -> Any:
        table.metadata.create_all(connection, checkfirst=False)
        result = connection.exec_driver_sql("select version")
        rows = list(connection.execute("select version").mappings())
        return connection.scalar("select version"), result.keys(), result.first(), result.all(), list(result), rows
    assert await rules.store().run(work) == (3, ["table_version"], (3,), [(3,), (2,)], [(3,), (2,)],
                                             [{"table_version": 3}, {"table_version": 2}])
