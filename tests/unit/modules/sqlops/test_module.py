"""The words of sqlops over a real SQLite file."""
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk, Program
from kit.message import request
from osip.api import Ctx, ModuleError
from osip.core.run.preference import parse_scheme
from osip.modules.sqlops import Sqlops

Make = Callable[..., Any]
ROWS = [("alice", 1, None), ("bob", 3000000000, "x")]


class Place:
    """A variable that belongs to the message: `$avp(x)`, or a fixed one."""

    def __init__(self, text: str, value: Any) -> None:
        self.text, self.value = text, value

    def get(self, ctx: Ctx) -> Any:
        return self.value

    def set(self, ctx: Ctx, value: Any) -> bool:
        if not self.text.startswith("$avp("):
            return False
        ctx.avp(self.text[5:-1]).append(value)
        return True


class Places(Program):
    """All variables."""

    def variable(self, text: str) -> Any:
        return Place(text, self.values.get(text))


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    desks: list[Desk] = []

    async def build(**params: Any) -> tuple[Any, Ctx]:
        desk = Desk(Sqlops, folder=tmp_path, params={"sqlops": params})
        desks.append(desk)
        desk.env.config.db_default_url = ""
        desk.env.program = Places({"$ru": "sip:bob@example.com", "$var(id)": "u-1", "$fu": "sip:al@example.com"})
        desk.env.sql = lambda url: desk.stores.sql(url or f"sqlite:///{tmp_path}/desk.db")     # type: ignore[assignment]
        await desk["sqlops"].child_init(desk.env)
        sql = desk.env.sql("")
        await sql.execute("create table if not exists t (name varchar(10) primary key, n bigint, note varchar(10))")
        await sql.execute("delete from t")
        await sql.execute("insert into t values (:a, :b, :c)", [dict(zip("abc", row, strict=True)) for row in ROWS])
        return desk["sqlops"], desk.ctx(request())
    yield build
    for desk in desks:
        await desk.close()


async def test_query_into_avps(make: Make) -> None:
    module, ctx = await make()
    assert await module.sql_query(ctx, "select name, note from t order by name", "$avp(n);$avp(o)") == 1
    assert (ctx.avp("n")[::-1], ctx.avp("o")[::-1]) == (["alice", "bob"], ["<null>", "x"])       # index 0 is the first row
    assert await module.sql_query(ctx, "select n from t where name = 'bob'") == 1 and ctx.avp("1") == [3000000000]
    module.store.big_to_text = True
    await module.sql_query(ctx, "select n from t where name = 'bob'", "$avp(big)")
    assert ctx.avp("big") == ["3000000000"]


@pytest.mark.parametrize(("text", "result"), [
    ("select 1 from t where name = 'x'", -2), ("select nothing from nowhere", -1), ("update t set n = 5", 1),
    ("select name from t where note = ':x %s ?'", -2)])
async def test_results(make: Make, text: str, result: int) -> None:
    module, ctx = await make()
    assert await module.sql_query(ctx, text) == result


async def test_one_row(make: Make) -> None:
    module, ctx = await make()
    assert await module.sql_query_one(ctx, "select name, note from t order by name", "$avp(n);$avp(o)") == 1
    assert (ctx.avp("n"), ctx.avp("o")) == (["alice"], [None])
    assert await module.sql_query_one(ctx, "select name, note from t", "$avp(n)") == -1          # too few variables
    assert await module.sql_query_one(ctx, "select name from t", "$ru") == -1                   # cannot be assigned
    assert await module.sql_query_one(ctx, "select name from t where n = 0") == -2


async def test_structured(make: Make, caplog: Any) -> None:
    module, ctx = await make()
    assert await module.sql_insert(ctx, "t", '[{"name":"carol"},{"n":7}]') == 1
    assert await module.sql_update(ctx, '[{"note":"new"}]', "t", '[{"name":"carol"}]') == 1
    assert await module.sql_select_one(ctx, '["note","n"]', "t", '[{"name":"carol"}]', None, "$avp(a);$avp(b)") == 1
    assert (ctx.avp("a"), ctx.avp("b")) == (["new"], [7])
    assert await module.sql_replace(ctx, "t", '{"name":"carol","n":8}') == 1
    assert await module.sql_select(ctx, '["n"]', "t", '[{"n":{"<":10}}]', "n", "$avp(all)") == 1
    assert ctx.avp("all")[::-1] == [1, 8]
    assert await module.sql_delete(ctx, "t", '[{"name":"carol"}]') == 1
    assert await module.sql_select(ctx, None, "t", '[{"name":"carol"}]') == -2
    assert await module.sql_insert(ctx, "t", "no json") == -1 and "sql_insert: 'no json' is not JSON" in caplog.text


async def test_avps_in_a_table(make: Make) -> None:
    module, ctx = await make()
    ctx.avp("a").extend(["1", 2])
    ctx.avp("b").append("x")
    assert await module.sql_avp_store(ctx, "$var(id)", "$avp(a)") == 1
    assert await module.sql_avp_store(ctx, "$ru", "*") == 1
    ctx.avps = {}
    assert await module.sql_avp_load(ctx, "$var(id)", "$avp(a)") == 1 and ctx.avps == {"a": ["1", 2]}
    ctx.avps = {}
    assert await module.sql_avp_load(ctx, "$ru/uri", "*", 0, "p_") == 1 and ctx.avps == {"p_a": ["1", 2], "p_b": ["x"]}
    for source, found in (("$ru/username", 1), ("$ru/domain", 1), ("$fu/username", -1), ("$fu/domain", 1), ("$fu", -1)):
        assert await module.sql_avp_load(ctx, source, "$avp(b)") == found, source
    assert await module.sql_avp_delete(ctx, "$ru", "$avp(a)") == 1
    ctx.avps = {}
    assert await module.sql_avp_load(ctx, "$ru", "*") == 1 and ctx.avps == {"b": ["x"]}
    assert await module.sql_avp_store(ctx, "$ru", "$avp(none)") == -1


async def test_scheme_and_other_table(make: Make) -> None:
    module, ctx = await make(db_scheme=[parse_scheme("s:username_col=name;value_col=n;value_type=integer;table=t")], use_domain=0)
    assert await module.sql_avp_load(ctx, "$ru/username", "$avp(n)/$s") == 1 and ctx.avp("n") == [3000000000]
    assert await module.sql_avp_load(ctx, "$ru/username", "*/$s") == -1
    assert await module.sql_avp_load(ctx, "$ru/username", "$avp(n)/$other") == -1
    assert await module.sql_avp_load(ctx, "$ru/username", "$avp(n)/nowhere") == -1


@pytest.mark.parametrize("source", ["nonsense", "$none", "$ru/elsewhere"])
async def test_bad_sources(make: Make, source: str) -> None:
    module, ctx = await make()
    assert await module.sql_avp_load(ctx, source, "*") == -1


async def test_databases_by_id(make: Make, tmp_path: Path) -> None:
    module, ctx = await make(db_url=[f"sqlite:///{tmp_path}/desk.db", f"2 sqlite:///{tmp_path}/other.db"])
    assert await module.sql_query(ctx, "create table only_here (a int)", None, 2) == 1
    assert await module.sql_query(ctx, "select * from only_here", None, 2) == -2
    assert await module.sql_query(ctx, "select * from only_here") == -1
    assert await module.sql_query(ctx, "select 1", None, 3) == -1
    with pytest.raises(ModuleError, match="have the id 0"):
        await make(db_url=["sqlite:///a", "0 sqlite:///b"])


@pytest.mark.parametrize("text", ["", "s:", "s:table=t", "s:value_col=a;x=b", "s:value_col=a;value_type=float"])
def test_bad_schemes(text: str) -> None:
    with pytest.raises(ValueError):
        parse_scheme(text)
