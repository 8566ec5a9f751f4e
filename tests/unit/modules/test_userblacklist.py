"""Prefixes that are blocked."""
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk
from kit.message import request
from osip.api import MIError, create_tables
from osip.modules.userblacklist import Userblacklist, is_allowed

Make = Callable[..., Any]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    desks: list[Desk] = []

    async def build(**params: Any) -> Desk:
        desk = Desk(Userblacklist, folder=tmp_path, params={"userblacklist": params})
        desks.append(desk)
        sql = desk.env.sql("")
        if await create_tables(sql, Userblacklist.spec.tables):
            await sql.execute("insert into userblacklist (username, domain, prefix, whitelist) values "
                              "('al', 'x.org', '00', 0), ('al', 'x.org', '0049', 1), ('al', 'y.org', '1', 0)")
            await sql.execute("insert into globalblacklist (prefix, whitelist) values ('0900', 0), ('', 1)")
        await desk["userblacklist"].child_init(desk.env)
        return desk
    yield build
    for desk in desks:
        await desk.close()


@pytest.mark.parametrize(("domains", "user", "number", "result"), [
    (1, "al", "0033", -1), (1, "al", "004930", 1), (1, "al", "123", 1), (0, "al", "123", -1), (1, "bo", "0033", 1)])
async def test_users(make: Make, domains: int, user: str, number: str, result: int) -> None:
    desk = await make(use_domain=domains)
    ctx = desk.ctx(request(ruri=f"sip:{number}@gw"))
    assert await desk["userblacklist"].check_user_blacklist(ctx, user, "x.org") == result
    assert await desk["userblacklist"].check_user_blacklist(ctx, user, "x.org", "7") == 1


async def test_everybody_and_reload(make: Make) -> None:
    module = (desk := await make())["userblacklist"]
    ctx = desk.ctx(request(ruri="sip:0900123@gw"))
    assert await module.check_blacklist(ctx, "globalblacklist") == -1
    sql = desk.env.sql("")
    await sql.execute("delete from globalblacklist where prefix = '0900'")
    assert await module.check_blacklist(ctx, "globalblacklist") == -1          # kept in memory
    await module.mi_reload()
    assert await module.check_blacklist(ctx, "globalblacklist") == 1
    await sql.execute("drop table globalblacklist")
    with pytest.raises(MIError, match="Failed"):
        await module.mi_reload()
    assert await module.check_blacklist(ctx, "globalblacklist") == 1
    assert await module.check_blacklist(ctx, "other") == -1
    assert await module.check_user_blacklist(ctx, "al", "x.org", "1", "other") == -1


@pytest.mark.parametrize(("number", "allowed"), [("12", False), ("123", True), ("1239", True), ("2", True), ("", True)])
def test_longest_prefix(number: str, allowed: bool) -> None:
    assert is_allowed({"12": False, "123": True}, number) is allowed
