"""Aliases in SQLite."""
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk
from kit.message import request
from kit.passage import Box
from osip.api import create_tables
from osip.modules.alias_db import AliasDb

ROWS = [("sales", "example.com", "bob", "example.com"), ("all", "example.com", "bob", "example.com"),
        ("1000", "other.org", "eve", "other.org")]
Make = Callable[..., Any]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Return a maker of desks that share a table of aliases."""
    desks: list[Desk] = []

    async def build(**params: Any) -> Desk:
        desk = Desk(AliasDb, folder=tmp_path, params={"alias_db": params})
        desks.append(desk)
        sql = desk.env.sql("")
        if await create_tables(sql, AliasDb.spec.tables):
            await sql.execute("insert into dbaliases (alias_username, alias_domain, username, domain) "
                              "values (:a, :b, :c, :d)", [dict(zip("abcd", row, strict=True)) for row in ROWS])
        await desk["alias_db"].child_init(desk.env)
        return desk
    yield build
    for desk in desks:
        await desk.close()


def flags(text: str) -> Any:
    return next(f for f in AliasDb.spec.functions if f.name == "alias_db_lookup").args[1].parse(text)  # type: ignore


CASES = [("sip:sales@example.com;x=1", "", "sip:bob@example.com"), ("sip:sales@other.org", "", None),
         ("sip:sales@other.org", "d", "sip:bob@example.com"), ("sip:bob@example.com", "", None),
         ("sip:eve@other.org", "r", "sip:1000@other.org"), ("sip:eve@x.org", "dr", "sip:1000@other.org"),
         ("sip:example.com", "", None), ("sip:sales@sip.example.com", "", "sip:bob@example.com")]


@pytest.mark.parametrize(("uri", "letters", "wanted"), CASES)
async def test_lookup_and_find(make: Make, uri: str, letters: str, wanted: str | None) -> None:
    desk = await make(domain_prefix="sip.")
    module, ctx, box = desk["alias_db"], desk.ctx(request(ruri=uri)), Box()
    assert await module.alias_db_find(ctx, "dbaliases", uri, box, flags(letters)) == (1 if wanted else -1)
    assert ctx.target.uri is None and box.get(ctx) == wanted
    assert await module.alias_db_lookup(ctx, "dbaliases", flags(letters)) == (1 if wanted else -1)
    assert ctx.target.uri == wanted


def test_unknown_flag() -> None:
    with pytest.raises(ValueError):
        flags("q")


@pytest.mark.parametrize(("append", "branches"), [(0, []), (1, ["sip:all@example.com"])])
async def test_branches(make: Make, append: int, branches: list[str]) -> None:
    desk = await make(append_branches=append)
    ctx = desk.ctx(request(ruri="sip:bob@example.com"))
    assert await desk["alias_db"].alias_db_lookup(ctx, "dbaliases", flags("r")) == 1
    assert ctx.target.uri == "sip:sales@example.com" and [t.uri for t in ctx.targets or ()] == branches


async def test_what_goes_wrong_is_logged(make: Make, caplog: Any) -> None:
    desk = await make()
    ctx = desk.ctx(request(ruri="sip:sales@example.com"))
    assert await desk["alias_db"].alias_db_lookup(ctx, "none", flags("")) == -1
    assert 'table "none" has version None' in caplog.text
    assert await desk["alias_db"].alias_db_find(ctx, "dbaliases", "nonsense", Box()) == -1
    assert ctx.target.uri is None
