"""The words of permissions over a real table and real files."""
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk
from kit.message import request
from kit.passage import Box
from kit.registration import register
from osip.api import MIError, ModuleError, Target, create_tables
from osip.core.run.table import parse_partition
from osip.modules.permissions import Permissions

Make = Callable[..., Any]
INSERT = "insert into address (grp, ip, mask, port, proto, pattern, context_info) values (:g, :i, :m, :p, :o, :a, :c)"
ROWS = [(1, "10.0.0.0", 24, 0, "any", None, "lan"), (2, "10.0.0.1", 32, 5060, "udp", "sip*", "host"), (3, "bad", 32, 0, "any",
                                                                                                       None, None)]


@pytest.fixture
async def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Return a maker of desks over one table; the folder holds the files, too."""
    monkeypatch.chdir(tmp_path)
    desks: list[Desk] = []

    async def build(**params: Any) -> Desk:
        desk = Desk(Permissions, folder=tmp_path, params={"permissions": params})
        desks.append(desk)
        sql = desk.env.sql("")
        if await create_tables(sql, Permissions.spec.tables):
            await sql.execute(INSERT, [dict(zip("gimpoac", row, strict=True)) for row in ROWS])
        await desk["permissions"].child_init(desk.env)
        return desk
    yield build
    for desk in desks:
        await desk.close()


@pytest.mark.parametrize(("args", "result", "info"), [
    ((1, "10.0.0.9", 5060, "udp"), 1, "lan"), ((0, "10.0.0.1", 0, "any"), 1, "host"), ((2, "10.0.0.1", 5060, "UDP"), 1, "host"),
    ((2, "10.0.0.1", 5061, "udp"), -1, None), ((1, "10.0.1.9", 5060, "udp"), -1, None), ((1, "junk", 5060, "udp"), -2, None)])
async def test_check_address(make: Make, args: tuple[Any, ...], result: int, info: str | None) -> None:
    module = (desk := await make())["permissions"]
    box = Box()
    assert module.check_address(desk.ctx(request()), *args, box) == result
    assert box.get(None) == info        # type: ignore[arg-type]


async def test_source(make: Make) -> None:
    module = (desk := await make())["permissions"]
    ctx, box = desk.ctx(request()), Box()
    assert module.check_source_address(ctx, 2, None, "sipp") == 1
    assert module.check_source_address(ctx, 2, None, "other") == -1
    assert module.check_source_address(ctx, 0, None, None, "no such") == -2
    assert module.get_source_group(ctx, box) == 1 and box.values == [2]
    assert module.allow_source_address(ctx, 1) == 1 and module.allow_source_address(ctx, 7) == -1
    assert module.allow_address(ctx, 1, "10.0.0.200", 1) == 1
    ctx.source.host = "11.0.0.1"
    assert module.get_source_group(ctx, box) == -1


async def test_bad_rows_are_told_and_left_out(make: Make, caplog: Any) -> None:
    module = (await make())["permissions"]
    assert "row is left out: bad/32" in caplog.text
    assert [row["ip"] for row in module.mi_address_dump()["Partitions"][0]["Destinations"]] == ["10.0.0.1"]
    assert [row["mask"] for row in module.mi_subnet_dump("default")["Partitions"][0]["Destinations"]] == [24]


async def test_reload(make: Make) -> None:
    module = (desk := await make(partition=[parse_partition("east: table_name=address")]))["permissions"]
    sql = desk.env.sql("")
    await sql.execute("insert into address (grp, ip) values (9, '172.16.0.1')")
    ctx = desk.ctx(request())
    assert module.check_address(ctx, 9, "172.16.0.1", 0, "any") == -1
    await module.mi_address_reload("east")
    assert module.check_address(ctx, 9, "172.16.0.1", 0, "any", None, None, "east") == 1
    assert module.check_address(ctx, 9, "172.16.0.1", 0, "any") == -1
    await sql.execute("drop table address")
    with pytest.raises(MIError, match="Failed"):
        await module.mi_address_reload("east")
    assert module.check_address(ctx, 9, "172.16.0.1", 0, "any", None, None, "east") == 1
    with pytest.raises(MIError, match="No such"):
        module.mi_subnet_dump("west")


async def test_files(make: Make, tmp_path: Path) -> None:
    (tmp_path / "permissions.allow").write_text('"^sip:alice@" : "@10.0.0.2"')
    (tmp_path / "permissions.deny").write_text("ALL : ALL")
    (tmp_path / "reg.deny").write_text('ALL : "@10\\.9\\."')
    (tmp_path / "broken.allow").write_text("x")
    module = (desk := await make())["permissions"]
    ctx = desk.ctx(request())
    assert module.allow_routing(ctx)
    ctx.add_target(Target("sip:x@elsewhere"))
    assert not module.allow_routing(ctx)
    module.check_all_branches = 0
    assert module.allow_routing(ctx)
    assert module.allow_uri(ctx, "reg", "sip:x@y") and not module.allow_uri(ctx, "reg", "sip:x@10.9.0.1")
    assert not module.allow_uri(ctx, "broken", "sip:x@y")
    assert module.allow_register(desk.ctx(register()), "reg")
    assert module.allow_register(desk.ctx(register(contacts=None)), "reg")
    assert not module.allow_register(desk.ctx(register(contacts="<sip:b@10.9.0.1>")), "reg")
    module.mi_allow_uri("reg", "sip:a@b", "sip:x@y")
    with pytest.raises(MIError, match="Forbidden"):
        module.mi_allow_uri("reg", "sip:a@b", "sip:x@10.9.0.1")


async def test_bad_default_file(make: Make, tmp_path: Path) -> None:
    (tmp_path / "permissions.deny").write_text("x")
    with pytest.raises(ModuleError, match="permissions.deny:1"):
        await make()
