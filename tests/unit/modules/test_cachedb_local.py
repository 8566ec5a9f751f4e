"""The cache in memory: collections, globs, what outlives a restart."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit.playbook import make_worker
from kit.script import ScriptBook

from osip.api import MIError, ModuleError, parse_cache_url
from osip.modules.cachedb_local import CachedbLocal


def local(*urls: str, folder: Path | None = None, **params: Any) -> Any:
    config = {"restart_persistency_cache_file": str(folder / "cache")} if folder else {}
    worker, _, _ = make_worker((CachedbLocal,), {"cachedb_local": {
        "cachedb_url": [parse_cache_url(url) for url in urls], **params}}, **config)
    return worker.env.modules["cachedb_local"]


def test_collections_and_groups(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        module = local("local:group:///one", "local://", cache_collections=["one=9; two/r", "three=4/r"])
    assert "/r in cache_collections has no effect" in caplog.text
    cache = module.env.cache
    cache("local:group").set("k", "in one")
    cache("local").set("k", "in default")
    cache("local:two").set("k", "in two")
    assert cache("local:one").get("k") == "in one" and cache("local:default").get("k") == "in default"
    assert module.fetch_chunk("k", "two") == {"keys": [{"name": "k", "value": "in two"}]}
    assert module.fetch_chunk("*") == {"keys": [{"name": "k", "value": "in default"}]}
    assert module.fetch_chunk("*", "three") == {"keys": []}
    with pytest.raises(MIError, match="no collection"):
        module.fetch_chunk("*", "nine")


@pytest.mark.parametrize(("urls", "collections"), [
    (("redis://x/",), []), (("local:a:///other",), ["one"]), ((), ["one two"]), ((), ["=9"])])
def test_refused(urls: tuple[str, ...], collections: list[str]) -> None:
    with pytest.raises(ModuleError):
        local(*urls, cache_collections=collections)


@pytest.mark.parametrize("setting", ['"cluster_id", 1', '"cluster_persistency", "none"'])
def test_clusters_are_told_to_be_missing(setting: str) -> None:
    book = ScriptBook(f'modparam("cachedb_local", {setting}) route {{ exit; }}', "cachedb_local", "sl")
    assert any("clusterer" in one.message for one in book.result.diagnostics)


def test_globs() -> None:
    module = local(cache_collections=["c"])
    for key in ("user_a", "user_b", "other", "User_c"):
        module.env.cache("local").set(key, key)
        module.env.cache("local:c").set(key, key)
    module.remove_chunk("user_?")
    assert [entry["name"] for entry in module.fetch_chunk("*")["keys"]] == ["other", "User_c"]
    module.remove_chunk("*", "c")
    assert module.fetch_chunk("*", "c") == {"keys": []} and len(module.fetch_chunk("*")["keys"]) == 2
    with pytest.raises(MIError, match="no collection"):
        module.remove_chunk("*", "nine")


def test_what_ended_is_swept() -> None:
    module = local()
    cache = module.env.cache("local")
    cache.set("k", "v", 10)
    module.env.now += 11
    assert len(cache) == 1
    module.clean()
    assert len(cache) == 0


async def test_a_restart_keeps_what_has_not_ended(tmp_path: Path) -> None:
    first = local(folder=tmp_path, enable_restart_persistency=1, cache_collections=["c"])
    first.env.wall = lambda: 1000.0
    first.env.cache("local").set("k", "é")
    first.env.cache("local").set("short", "v", 10)
    first.env.cache("local:c").set("long", 7, 100)
    await first.save()
    size = (tmp_path / "cache").stat()
    await first.save()
    assert (tmp_path / "cache").stat().st_mtime_ns == size.st_mtime_ns, "nothing changed, nothing written"
    first.env.cache("local").set("last", "word")
    await first.destroy()
    second = local(enable_restart_persistency=0, cache_collections=["c"])
    second.env.wall = lambda: 1050.0
    second._file = tmp_path / "cache"
    second._load()
    cache = second.env.cache
    assert cache("local").get("k") == "é" and cache("local").get("last") == "word" and cache("local").get("short") is None
    assert cache("local:c").add("long", 1) == 8
    second.env.now += 51
    assert cache("local:c").get("long") is None, "its end is where it was"


async def test_a_file_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("nonsense\n")
    with pytest.raises(ModuleError, match="line 1"):
        local(folder=tmp_path, enable_restart_persistency=1)
    module = local(folder=tmp_path / "none", enable_restart_persistency=1)
    module.env.cache("local").set("k", "v")
    await module.save()             # told, and tried again
    await module.destroy()


async def test_in_a_script() -> None:
    book = ScriptBook('modparam("cachedb_local", "cache_collections", "c=4") route { cache_store("local:c", "a1", "x"); '
                      'cache_store("local:c", "b1", "y"); cache_remove_chunk("c", "a*"); '
                      'if (cache_fetch("local:c", "b1", $var(b))) xlog("b $var(b)"); '
                      'if (!cache_fetch("local:c", "a1", $var(a))) xlog("no a"); '
                      'if (!cache_remove_chunk("none", "*")) xlog("no collection"); cache_remove_chunk(, "*"); }',
                      "tm", "sl", "cachedb_local")
    book.said.clear()
    book.recv("OPTIONS")
    import asyncio
    for _ in range(20):
        await asyncio.sleep(0)
    lines = [line for line in book.said if not line.startswith("cachedb_local")]
    assert lines == ["b y", "no a", "no collection"]
