"""Local domains, asked for each time and kept in memory."""
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk
from kit.message import request
from kit.passage import Box
from osip.api import MIError, ModuleError, create_tables
from osip.modules.domain import Domain, find, with_parents

ROWS = [("example.com", "gold", 0), ("wide.org", None, 1), ("a.wide.org", "deep", 0)]
Make = Callable[..., Any]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Return a maker of desks that share a table of domains."""
    desks: list[Desk] = []

    async def build(**params: Any) -> Desk:
        desk = Desk(Domain, folder=tmp_path, params={"domain": params})
        desks.append(desk)
        sql = desk.env.sql("")
        if await create_tables(sql, Domain.spec.tables):
            await sql.execute("insert into domain (domain, attrs, accept_subdomain) values (:d, :a, :s)",
                              [dict(zip("das", row, strict=True)) for row in ROWS])
        await desk["domain"].child_init(desk.env)
        return desk
    yield build
    for desk in desks:
        await desk.close()


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize(("name", "local", "attrs"), [
    ("example.com", True, "gold"), ("EXAMPLE.com.", True, "gold"), ("sub.example.com", False, None),
    ("wide.org", True, None), ("x.y.wide.org", True, None), ("a.wide.org", True, "deep"), ("b.a.wide.org", True, None),
    ("org", False, None), ("", False, None), ("10.0.0.1", False, None), ("::1", False, None), ("xwide.org", False, None)])
async def test_is_domain_local(make: Make, mode: int, name: str, local: bool, attrs: str | None) -> None:
    desk = await make(db_mode=mode)
    box = Box()
    assert await desk["domain"].is_domain_local(desk.ctx(request()), name, box) is local
    assert box.get(None) == attrs       # type: ignore[arg-type]


@pytest.mark.parametrize("mode", [0, 1])
async def test_from_and_ruri(make: Make, mode: int) -> None:
    module = (desk := await make(db_mode=mode))["domain"]
    ctx = desk.ctx(request(ruri="sip:b@nowhere.net"))
    assert await module.is_from_local(ctx) and not await module.is_uri_host_local(ctx)
    ctx.target.uri = "sip:b@wide.org:5070"
    assert await module.is_uri_host_local(ctx)
    ctx.target.uri = "nonsense"
    assert not await module.is_uri_host_local(ctx)


async def test_reload_is_atomic(make: Make) -> None:
    desk = await make(db_mode=1)
    module, sql, ctx = desk["domain"], desk.env.sql(""), desk.ctx(request())
    await sql.execute("insert into domain (domain) values ('new.net')")
    assert not await module.is_domain_local(ctx, "new.net")
    await module.mi_reload()
    assert await module.is_domain_local(ctx, "new.net")
    assert {"name": "wide.org", "attributes": ""} in module.mi_dump()["Domains"] and len(module.known) == 4
    await sql.execute("drop table domain")
    with pytest.raises(MIError, match="reload failed"):
        await module.mi_reload()
    assert await module.is_domain_local(ctx, "new.net"), "the old table stays"


async def test_nothing_to_reload_without_memory(make: Make, caplog: Any) -> None:
    desk = await make()
    with pytest.raises(MIError, match="db_mode"):
        await desk["domain"].mi_reload()
    assert desk["domain"].mi_dump() == {"Domains": []}
    await desk.env.sql("").execute("drop table domain")
    assert not await desk["domain"].is_from_local(desk.ctx(request())) and "no such table" in caplog.text


async def test_a_wrong_version_is_refused(make: Make) -> None:
    desk = await make()
    await desk.env.sql("").execute("update version set table_version = 3")
    with pytest.raises(ModuleError, match="has version 3"):
        await make()


def test_parents() -> None:
    assert with_parents("A.b.C") == ["a.b.c", "b.c", "c"]
    assert find({"b": ("x", False), "c": ("y", True)}, ["a.b.c", "b.c", "c"]) == ("y", True)


@pytest.mark.parametrize("mode", [0, 1])
async def test_domains_are_names_of_ours(make: Make, mode: int) -> None:
    """The table extends `myself` (modules.md; semantics.md rule 33), in the mode that asks each time as well."""
    env = (await make(db_mode=mode)).env
    assert env.is_myself("Example.com", 5099, "tls") and env.is_myself("wide.org")
    assert env.is_myself("x.y.wide.org", 5060)
    assert not env.is_myself("sub.example.com") and not env.is_myself("org") and not env.is_myself("10.0.0.77")
    assert env.is_myself(env.sockets[0].host), "the sockets stay"


async def test_a_reload_changes_what_is_ours(make: Make) -> None:
    desk = await make(db_mode=1)
    module, sql, told = desk["domain"], desk.env.sql(""), []
    desk.env.on_own_names.append(lambda: told.append(1))
    await module.mi_reload()
    assert not told, "nothing has changed"
    await sql.execute("insert into domain (domain) values ('new.net')")
    await module.refresh()
    assert not desk.env.is_myself("new.net"), "kept in memory until the reload"
    await module.mi_reload()
    assert told == [1] and desk.env.is_myself("new.net")
    await sql.execute("delete from domain where domain = 'new.net'")
    await module.mi_reload()
    assert told == [1, 1] and not desk.env.is_myself("new.net")


async def test_names_are_refreshed_where_nobody_reloads(make: Make, caplog: Any) -> None:
    desk = await make()
    await desk.env.sql("").execute("insert into domain (domain) values ('new.net')")
    assert not desk.env.is_myself("new.net")
    await desk["domain"].refresh()
    assert desk.env.is_myself("new.net")
    await desk.env.sql("").execute("drop table domain")
    await desk["domain"].refresh()
    assert desk.env.is_myself("new.net") and "not refreshed" in caplog.text
