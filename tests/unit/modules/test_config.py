"""Settings of a table: read, changed by script and management, flushed."""
from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kit.desk import Desk
from kit.message import request

from osip.api import MIError, create_tables
from osip.modules.config import ConfigModule

ROWS = [("limit", "5", "Calls a user may have."), ("empty", None, None)]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(ConfigModule, folder=tmp_path)
    sql = made.env.sql("")
    await create_tables(sql, ConfigModule.spec.tables)
    await sql.execute("insert into config (name, value, description) values (:n, :v, :d)",
                      [dict(zip("nvd", row, strict=True)) for row in ROWS])
    await made["config"].child_init(made.env)
    yield made
    await made.close()


def get(desk: Desk, name: str) -> Any:
    return desk["config"].config(desk.ctx(request()), name)


async def test_values_of_the_table(desk: Desk) -> None:
    assert [get(desk, name) for name in ("limit", "empty", "none", "LIMIT")] == ["5", None, None, None]
    assert desk["config"].config_description(desk.ctx(request()), "limit") == "Calls a user may have."


async def test_a_script_changes_a_value(desk: Desk) -> None:
    ctx = desk.ctx(request())
    for value, seen in ((7, "7"), ("text", "text"), (None, None)):
        assert desk["config"].set_config(ctx, "limit", value) and get(desk, "limit") == seen
    assert desk["config"].set_config(ctx, "new", "x") and get(desk, "new") == "x"
    assert desk.env.mi.run("config:flush", ["limit"]) == "OK" and get(desk, "limit") == "5" and get(desk, "new") == "x"


async def test_changes_reach_all_workers(desk: Desk) -> None:
    told: list[Any] = []
    desk.env.bus.subscribe("config", told.append)
    desk["config"].set_config(desk.ctx(request()), "limit", 9)
    assert told == [("limit", ("9", "Calls a user may have."))]


async def test_management(desk: Desk) -> None:
    run = desk.env.mi.run
    assert run("config_list") == [{"name": "empty", "value": None}, {"name": "limit", "value": "5"}]
    assert run("config:push", {"name": "limit", "value": "8", "description": "new"}) == "OK"
    assert run("config_push", ["gone"]) == "OK"
    assert run("config:list", [1]) == [
        {"name": "empty", "value": None, "description": None}, {"name": "gone", "value": None, "description": None},
        {"name": "limit", "value": "8", "description": "new"}]
    assert run("config:push_bulk", {"configs": {"a": 1, "limit": None}}) == "OK"
    assert run("config_push_bulk", [json.dumps({"b": "two"})]) == "OK"
    assert [get(desk, name) for name in ("a", "b", "limit")] == ["1", "two", None]
    assert run("config_flush") == "OK" and len(run("config_list")) == 2 and get(desk, "limit") == "5"


@pytest.mark.parametrize(("command", "params", "code"), [
    ("config:flush", ["limit"], 404), ("config:push_bulk", ["{"], 400), ("config:push_bulk", ["[1]"], 400),
    ("config:push_bulk", {"configs": {"a": [1]}}, 400), ("config:push", [], -32602)])
async def test_errors(desk: Desk, command: str, params: Any, code: int) -> None:
    with pytest.raises(MIError) as caught:
        desk.env.mi.run(command, params)
    assert caught.value.code == code


async def test_reload(desk: Desk) -> None:
    sql = desk.env.sql("")
    await sql.execute("update config set value = '6' where name = 'limit'")
    desk["config"].change("empty", "x")
    assert get(desk, "limit") == "5"
    await desk.env.mi.run("config_reload")
    assert (get(desk, "limit"), get(desk, "empty")) == ("6", "x")
    await sql.execute("drop table config")
    with pytest.raises(MIError) as caught:
        await desk.env.mi.run("config:reload")
    assert caught.value.code == 500 and get(desk, "limit") == "6"


async def test_changes_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osip.modules.config.MOST", 1)
    assert desk["config"].change("a", "1") and not desk["config"].change("b", "1") and desk["config"].change("a", "2")
    with pytest.raises(MIError):
        desk.env.mi.run("config:push", ["b", "1"])
