"""Operations on AVPs (the table is tested with sqlops, through the same code)."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk
from kit.message import request
from osip.api import Ctx
from osip.modules.avpops import Avpops


def make(folder: Path | None = None, **values: Any) -> tuple[Any, Ctx]:
    desk = Desk(Avpops, folder=folder, values={"$ru": "sip:bob@example.com", "$var(n)": 3, **values})
    return desk["avpops"], desk.ctx(request())


def filled(ctx: Ctx, *values: Any, name: str = "x") -> Ctx:
    ctx.avp(name).extend(values)
    return ctx


@pytest.mark.parametrize(("text", "result", "left"), [
    ("$avp(x)", 1, ["a"]), ("$avp(x)/g", 1, []), ("$avp(y)", -1, ["a", "b"]), ("$var(x)", -1, ["a", "b"])])
def test_delete(text: str, result: int, left: list[str]) -> None:
    module, ctx = make()
    filled(ctx, "a", "b")
    assert (module.avp_delete(ctx, text), ctx.avp("x")) == (result, left)


def test_delete_everything() -> None:
    module, ctx = make()
    assert module.avp_delete(filled(ctx, 1), "*") == 1 and ctx.avps == {}


@pytest.mark.parametrize(("flags", "source", "copy"), [
    ("", ["1", "2x"], ["2x"]), ("/g", ["1", "2x"], ["1", "2x"]), ("/gd", [], ["1", "2x"]), ("/gn", ["1", "2x"], [1, 2]),
    ("/s", ["1", "2x"], ["2x"])])
def test_copy(flags: str, source: list[Any], copy: list[Any]) -> None:
    module, ctx = make()
    assert module.avp_copy(filled(ctx, "1", "2x"), "$avp(x)", "$avp(y)" + flags) == 1
    assert (ctx.avp("x"), ctx.avp("y")) == (source, copy)
    assert module.avp_copy(ctx, "$avp(none)", "$avp(y)") == -1


def test_pushto() -> None:
    module, ctx = make()
    filled(ctx, "sip:a@x", "sip:b@y")
    assert module.avp_pushto(ctx, "$ru", "$avp(x)") == 1 and ctx.ruri == "sip:b@y"
    filled(ctx, "carol", name="u")
    assert module.avp_pushto(ctx, "$ru/username", "$avp(u)") == 1 and ctx.ruri == "sip:carol@y"
    assert module.avp_pushto(ctx, "$ru/domain", "$avp(u)") == 1 and ctx.ruri == "sip:carol@carol"
    assert module.avp_pushto(ctx, "$du", "$avp(x)") == 1 and ctx.target.du == "sip:b@y"
    assert module.avp_pushto(ctx, "$br", "$avp(x)/g") == 1
    assert [target.uri for target in ctx.targets or ()] == ["sip:b@y", "sip:a@x"]
    for destination, source in (("$fu", "$avp(x)"), ("$ru/port", "$avp(x)"), ("$du", "$avp(u)"), ("$du", "$avp(none)")):
        assert module.avp_pushto(ctx, destination, source) == -1


@pytest.mark.parametrize(("name", "rule", "result"), [
    ("$avp(x)", "eq/i:5", 1), ("$avp(x)", "eq/5", -1), ("$avp(x)", "ne/5", 1), ("$avp(x)", "gt/$var(n)", 1),
    ("$avp(x)", "lt/i:0x10", 1), ("$avp(x)", "and/i:4", 1), ("$avp(x)", "and/i:2", -1), ("$avp(t)", "eq/s:New", 1),
    ("$avp(t)", "eq/new", -1), ("$avp(t)", "eq/new/i", 1), ("$avp(t)", "eq/old", -1), ("$avp(t)", "eq/old/g", 1),
    ("$avp(t)", "re/^n/i", 1), ("$avp(t)", "fm/N*", 1), ("$avp(t)", "fm/n*", -1), ("$ru", "re/@example", 1),
    ("$avp(t)", "is/x", -1), ("$avp(t)", "re/(", -1), ("$avp(t)", "or/s:x", -1), ("$avp(t)", "eq", -1), ("$avp(none)", "ne/x", -1)])
def test_check(name: str, rule: str, result: int) -> None:
    module, ctx = make()
    filled(filled(ctx, 5), "old", "New", name="t")
    assert module.avp_check(ctx, name, rule) == result


@pytest.mark.parametrize(("name", "rule", "result", "left"), [
    ("$avp(x)", "add/i:2", 1, [7, -5]), ("$avp(x)/$avp(y)", "mul/$var(n)/g", 1, [21, -21]), ("$avp(x)", "div/i:2", 1, [7, -3]),
    ("$avp(x)", "mod/i:4", 1, [7, -3]), ("$avp(x)", "not/i:0", 1, [7, -1]), ("$avp(x)", "div/i:0", -1, [7, -7]),
    ("$avp(x)", "pow/i:2", -1, [7, -7]), ("$avp(x)", "add/x", -1, [7, -7])])
def test_op(name: str, rule: str, result: int, left: list[int]) -> None:
    module, ctx = make()
    filled(ctx, 7, -7)
    assert module.avp_op(ctx, name, rule) == result
    assert ctx.avp("y" if "(y)" in name else "x") == left


@pytest.mark.parametrize(("name", "rule", "result", "source", "other"), [
    ("$avp(x)", r"/(.*)@(.*)/\2-\1/", 1, ["a@b", "d-c"], []), ("$avp(x)/$avp(y)", "/@/!/", 1, ["a@b", "c@d"], ["c!d"]),
    ("$avp(x)/$avp(y)/gd", "/[ac]/X/", 1, [], ["X@b", "X@d"]), ("$avp(x)", "/zzz/y/", -1, ["a@b", "c@d"], []),
    ("$avp(x)", "nothing", -1, ["a@b", "c@d"], []), ("$avp(x)", "/(/y/", -1, ["a@b", "c@d"], []),
    ("$avp(x)", "#C#/#i", 1, ["a@b", "/@d"], [])])
def test_subst(name: str, rule: str, result: int, source: list[str], other: list[str]) -> None:
    module, ctx = make()
    assert module.avp_subst(filled(ctx, "a@b", "c@d"), name, rule) == result
    assert (ctx.avp("x"), ctx.avp("y")) == (source, other)


@pytest.mark.parametrize(("values", "flags", "result"), [
    ([], "", -1), ([1], "", 1), ([1], "/n", 1), ([1], "/s", -1), (["a"], "/s", 1), ([""], "/e", 1), (["a"], "/e", -1)])
def test_is_set(values: list[Any], flags: str, result: int) -> None:
    module, ctx = make()
    assert module.is_avp_set(filled(ctx, *values), "$avp(x)" + flags) == result


def test_insert_and_shuffle() -> None:
    module, ctx = make()
    filled(ctx, "b", "a")
    assert module.avp_insert(ctx, "$avp(x)", "new", 1) == 1 and ctx.avp("x") == ["b", "new", "a"]
    assert module.avp_insert(ctx, "$avp(x)", "last", 99) == 1 and ctx.avp("x")[0] == "last"
    assert module.avp_shuffle(ctx, "$avp(x)") == 1 and sorted(ctx.avp("x")) == ["a", "b", "last", "new"]
    for word, args in (("avp_insert", ("$x", "v", 0)), ("avp_shuffle", ("$x",)), ("is_avp_set", ("$x",))):
        assert getattr(module, word)(ctx, *args) == -1


async def test_the_table(tmp_path: Path) -> None:
    desk = Desk(Avpops, folder=tmp_path, values={"$ru": "sip:bob@example.com"})
    desk.env.config.db_default_url = ""
    desk.env.sql = lambda url: desk.stores.sql(url or f"sqlite:///{tmp_path}/desk.db")     # type: ignore[assignment]
    module, ctx = desk["avpops"], desk.ctx(request())
    await module.child_init(desk.env)
    filled(ctx, "v", 5)
    assert await module.avp_db_store(ctx, "$ru", "$avp(x)") == 1
    ctx.avps = {}
    assert await module.avp_db_load(ctx, "$ru/username", "*") == 1 and ctx.avp("x") == ["v", 5]
    assert await module.avp_db_query(ctx, "select value from usr_preferences order by value", "$avp(q)") == 1
    assert ctx.avp("q")[::-1] == ["5", "v"]
    assert await module.avp_db_delete(ctx, "$ru", "$avp(x)") == 1
    assert await module.avp_db_query(ctx, "select * from usr_preferences") == -2
    assert await module.avp_db_query(ctx, "nonsense") == -1 and await module.avp_db_query(ctx, "delete from usr_preferences") == 1
    await desk.close()
