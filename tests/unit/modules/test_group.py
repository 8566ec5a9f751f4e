"""Membership, in a table and by expressions."""
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk
from kit.message import request
from kit.passage import Box
from osip.api import Auth, ModuleError, create_tables
from osip.modules.auth.guard import Given
from osip.modules.group import Group

Make = Callable[..., Any]
CREDENTIALS = 'Authorization: Digest username="carol", realm="example.com", nonce="n", uri="sip:x", response="r"\r\n'


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Return a maker of desks that share the tables of groups."""
    desks: list[Desk] = []

    async def build(pattern: str = "", **params: Any) -> Desk:
        desk = Desk(Group, folder=tmp_path, params={"group": params})
        desks.append(desk)
        sql = desk.env.sql("")
        if await create_tables(sql, Group.spec.tables):
            await sql.execute("insert into grp (username, domain, grp) values (:u, 'example.com', :g)", [
                {"u": "alice", "g": "ld"}, {"u": "bob", "g": "int"}, {"u": "carol", "g": "vip"}])
            await sql.execute("insert into re_grp (reg_exp, group_id) values (:e, :g)", [
                {"e": "^sip:[[:digit:]]+@", "g": 1}, {"e": "@example\\.com$", "g": 2}, {"e": "^sip:ALICE", "g": 3}])
        if pattern:
            await sql.execute("insert into re_grp (reg_exp, group_id) values (:e, 9)", {"e": pattern})
        await desk["group"].child_init(desk.env)
        return desk
    yield build
    for desk in desks:
        await desk.close()


CASES = [("From", "ld", 1), ("from", "int", -1), ("To", "int", 1), ("Request-URI", "int", -1),
         ("sip:bob@example.com", "int", 1), ("sip:bob@other.org", "int", -1), ("sip:example.com", "int", -1),
         ("nonsense", "int", -1), ("Credentials", "vip", -1)]


@pytest.mark.parametrize(("who", "group", "result"), CASES)
async def test_is_user_in(make: Make, who: str, group: str, result: int) -> None:
    desk = await make()
    ctx = desk.ctx(request(headers=CREDENTIALS))        # nobody has checked these
    assert await desk["group"].db_is_user_in(ctx, who, group) == result


@pytest.mark.parametrize(("user", "loaded", "result"), [
    ("carol", True, 1), ("carol@other.org", True, -1), ("carol", False, -1)])
async def test_credentials_that_were_accepted(make: Make, user: str, loaded: bool, result: int) -> None:
    desk = await make()
    ctx = desk.ctx(request(headers=CREDENTIALS))
    ctx[desk.auth.accepted] = Given(0, Auth("Digest", {"username": user}), "example.com")
    if not loaded:
        desk["group"].auth = None
    assert await desk["group"].db_is_user_in(ctx, "Credentials", "vip") == result


async def test_aaa_is_not_there_and_that_is_said(make: Make, caplog: Any) -> None:
    desk = await make()
    assert desk["group"].aaa_is_user_in(desk.ctx(request()), "From", "ld") == -1
    assert "aaa_is_user_in fails: there is no module for AAA yet" in caplog.text


async def test_the_domain_may_be_left_out(make: Make) -> None:
    desk = await make(use_domain=0)
    assert await desk["group"].db_is_user_in(desk.ctx(request()), "Request-URI", "int") == 1


async def test_a_lost_table_is_logged(make: Make, caplog: Any) -> None:
    desk = await make()
    await desk.env.sql("").execute("drop table grp")
    assert await desk["group"].db_is_user_in(desk.ctx(request()), "From", "ld") == -1
    assert "db_is_user_in: " in caplog.text


@pytest.mark.parametrize(("who", "several", "numbers"), [
    ("From", 1, [2, 3]), ("From", 0, [2]), ("To", 1, [2]), ("sip:123@example.com", 1, [1, 2]), ("sip:x@y", 1, []),
    ("nonsense", 1, []), ("sip:y", 1, [])])
async def test_groups_by_expression(make: Make, who: str, several: int, numbers: list[int]) -> None:
    desk = await make(re_table="re_grp", multiple_gid=several)
    box = Box()
    assert desk["group"].db_get_user_group(desk.ctx(request()), who, box) == (len(numbers) or -1)
    assert box.values == numbers


async def test_no_table_no_groups_and_bad_expressions_are_refused(make: Make) -> None:
    desk = await make()
    assert desk["group"].db_get_user_group(desk.ctx(request()), "From", Box()) == -1
    with pytest.raises(ModuleError, match=r'"\(" in table re_grp is no regular expression'):
        await make("(", re_table="re_grp")
