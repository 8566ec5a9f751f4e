"""Short numbers of users."""
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk
from kit.message import request
from osip.api import create_tables
from osip.modules.speeddial import Speeddial

Make = Callable[..., Any]
ROWS = [("alice", "example.com", "11", "example.com", "sip:bob@other.org"), ("alice", "example.com", "12", "example.com",
        "+4930123@gw"), ("alice", "other.org", "11", "example.com", "sip:nobody@x"), ("alice", "example.com", "13", "example.com",
        "sip:<"), ("carol", "example.com", "11", "example.com", "sip:c@x")]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    desks: list[Desk] = []

    async def build(**params: Any) -> Desk:
        desk = Desk(Speeddial, folder=tmp_path, params={"speeddial": params})
        desks.append(desk)
        sql = desk.env.sql("")
        if await create_tables(sql, Speeddial.spec.tables):
            await sql.execute("insert into speed_dial (username, domain, sd_username, sd_domain, new_uri) "
                              "values (:a, :b, :c, :d, :e)", [dict(zip("abcde", row, strict=True)) for row in ROWS])
        await desk["speeddial"].child_init(desk.env)
        return desk
    yield build
    for desk in desks:
        await desk.close()


@pytest.mark.parametrize(("domains", "number", "owner", "uri"), [
    (1, "sip:11@example.com", "sip:alice@example.com", "sip:bob@other.org"),
    (1, "sip:12@example.com", "sip:alice@example.com", "sip:+4930123@gw"),
    (1, "sip:11@example.com", "sip:alice@sip.example.com", "sip:bob@other.org"),       # domain_prefix
    (1, "sip:11@example.com", "sip:alice@nowhere", None), (1, "sip:13@example.com", "sip:alice@example.com", None),
    (1, "sip:99@example.com", "sip:alice@example.com", None), (0, "sip:11@x", "sip:carol@y", "sip:c@x"),
    (0, "sip:11@x", "nonsense", None)])
async def test_lookup(make: Make, domains: int, number: str, owner: str, uri: str | None) -> None:
    desk = await make(use_domain=domains, domain_prefix="sip.")
    ctx = desk.ctx(request(ruri=number))
    assert await desk["speeddial"].sd_lookup(ctx, "speed_dial", owner) == (1 if uri else -1)
    assert ctx.ruri == (uri or number)


async def test_from_is_the_owner_and_a_lost_table(make: Make, caplog: Any) -> None:
    desk = await make()
    ctx = desk.ctx(request(ruri="sip:12@x"))
    assert await desk["speeddial"].sd_lookup(ctx, "speed_dial") == 1
    assert await desk["speeddial"].sd_lookup(ctx, "other") == -1 and "speeddial: " in caplog.text
