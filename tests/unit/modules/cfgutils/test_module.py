"""The words of cfgutils."""
from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from kit.message import request
from kit.passage import Box
from kit.playbook import make_worker
from kit.script import ScriptBook
from osip.api import Ctx, MIError, ModuleError, parse
from osip.modules.cfgutils import Cfgutils


def make(**params: Any) -> Any:
    return make_worker((Cfgutils,), {"cfgutils": params})[0].env.modules["cfgutils"]


def ctx_of(module: Any) -> Ctx:
    return Ctx(module.env, parse(request()), None)


class Avp(Box):
    """An AVP by reference."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = f"$avp({name})"


def test_variables_at_start() -> None:
    ScriptBook('''
modparam("cfgutils", "shvset", "limit=i:5") modparam("cfgutils", "varset", "who=s:me = you")
route { $shv(limit) = $shv(limit) + 1; xlog("$shv(limit) $var(who)"); }''', "cfgutils").recv("OPTIONS").says("6 me = you")


def test_chance() -> None:
    module = make(initial_probability=0)
    assert not any(module.rand_event(None) for _ in range(200))
    assert module.rand_get_prob(None) == -1
    module.rand_set_prob(None, 100)
    assert all(module.rand_event(None) for _ in range(200)) and module.rand_get_prob(None) == 100
    assert not any(module.rand_event(None, 0) for _ in range(200))
    assert module.rand_set_prob(None, 101) == -1
    module.mi_rand_reset_prob()
    assert module.mi_rand_get_prob() == {"actual probability percent": 0}
    module.mi_rand_set_prob(7)
    assert module.probability == 7
    with pytest.raises(MIError):
        module.mi_rand_set_prob(-1)
    assert 0 <= module.random_number(None) < 2 ** 31


async def test_sleep_lets_time_pass() -> None:
    module = make()
    assert await module.usleep(None, 100) == 1 and await module.sleep(None, 0) == 1


async def test_locks() -> None:
    module = make(lock_timeout=10)
    assert await module.get_static_lock(None, "a") == 1
    assert await module.get_static_lock(None, "b") == 1
    assert await module.get_static_lock(None, "a") == -1
    assert module.release_static_lock(None, "a") and not module.release_static_lock(None, "a")
    assert await module.get_dynamic_lock(None, "x") == 1
    assert await module.get_dynamic_lock(None, "x") == -1
    module.release_dynamic_lock(None, "x")
    module.release_dynamic_lock(None, "x")
    assert module.strings_share_lock(None, "x", "x")
    assert make(lock_pool_size=1).strings_share_lock(None, "x", "y")
    await module.destroy()


def test_lists() -> None:
    module = make()
    ctx, avp, out = ctx_of(module), Avp("w"), Box()
    ctx.avp("w").extend([1, 2, 0])
    module.set_count(ctx, avp, out)
    other = Box()
    other.name = "$var(x)"
    module.set_count(ctx, other, out)
    assert out.values == [3, 0]
    chosen = {module.set_select_weight(ctx, avp) for _ in range(300)}
    assert chosen == {1, 2}             # index 0 is the newest, of weight 0
    assert module.set_select_weight(ctx, Avp("none")) == -1
    ctx.avp("w").extend(range(50))
    before = list(ctx.avp("w"))
    random.seed(1)
    assert module.shuffle_avps(ctx, avp) and not module.shuffle_avps(ctx, other)
    assert ctx.avp("w") != before and sorted(ctx.avp("w")) == sorted(before)


def test_time() -> None:
    module = make()
    module.env.wall = lambda: 1_800_000_000.000250
    boxes = [Box(), Box(), Box()]
    module.get_accurate_time(None, *boxes)
    assert [box.get(None) for box in boxes] == [1_800_000_000, 250, "1800000000.000250"]      # type: ignore[arg-type]
    text, number = Box(), Box()
    assert module.ts_usec_delta(None, 10, 900_000, 11, 100_000, text, number) == 1
    assert (text.values, number.values) == (["200000"], [200_000])
    assert module.ts_usec_delta(None, 0, 0, 5000, 0, text, number) == -1
    assert [module.check_time_rec(None, rec, 1_800_000_000) for rec in (
        "UTC|20270101T000000", "UTC|20270201T000000", "no time")] == [1, -1, -2]
    assert module.check_time_rec(None, "UTC|20270101T000000", 10 ** 30) == -3
    assert module.check_time_rec(None, "UTC|20270115T080000|20270115T080001") == 1


def test_hash(tmp_path: Path) -> None:
    path = tmp_path / "cfg"
    path.write_text("a")
    module = make(hash_file=str(path))
    assert module.mi_get_config_hash() == "0cc175b9c0f1b6a831c399e269772661"
    assert module.env.mi.run("check_config_hash") == "OK"
    path.write_text("b")
    with pytest.raises(MIError, match="changed"):
        module.mi_check_config_hash()
    path.unlink()
    with pytest.raises(MIError, match="Cannot read"):
        module.mi_check_config_hash()
    with pytest.raises(ModuleError, match="cannot read"):
        make(hash_file=str(path))
    with pytest.raises(MIError, match="No hash_file"):
        make().mi_get_config_hash()


def test_shared_variables_over_management() -> None:
    module = make()
    module.mi_shv_set("a", "int", "5")
    module.mi_shv_set("b", "str", "x")
    assert module.mi_shv_get("a") == {"VAR": {"name": "a", "type": "int", "value": 5}}
    assert [one["name"] for one in module.mi_shv_get()["VARs"]] == ["a", "b"]
    for args in (("a", "int", "x"), ("a", "float", "1")):
        with pytest.raises(MIError):
            module.mi_shv_set(*args)
    with pytest.raises(MIError):
        module.mi_shv_get("none")


def test_bad_settings_and_memory(caplog: Any) -> None:
    parse_setting = next(spec.parse for spec in Cfgutils.spec.params if spec.name == "shvset")
    for text in ("a", "a=x:1", "a=i:x"):
        with pytest.raises(ValueError):
            parse_setting(text)
    module = make()
    with caplog.at_level("INFO", "osip"):
        module.pkg_status(None)
        module.shm_status(None)
    assert [record.args[0] for record in caplog.records] == ["pkg_status", "shm_status"]    # type: ignore[index]
