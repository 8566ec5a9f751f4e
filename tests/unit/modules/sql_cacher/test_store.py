"""Rows on their way into a cache that answers at once or later."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit.playbook import make_worker

from osip.api import StoreError
from osip.core.store.sql import Sql
from osip.modules.sql_cacher.entry import parse
from osip.modules.sql_cacher.store import Store


class Later:
    """A cache elsewhere."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def get(self, key: str) -> Any:
        return self.kept.get(key)

    async def set(self, key: str, value: str, ttl: int) -> None:
        self.kept[key] = value

    async def remove(self, key: str) -> bool:
        return self.kept.pop(key, None) is not None


@pytest.mark.parametrize("is_local", [True, False])
async def test_rows(tmp_path: Path, is_local: bool) -> None:
    worker, _, _ = make_worker(())
    env, later, sql = worker.env, Later(), Sql(f"sqlite:///{tmp_path}/a.db")
    env.sql = lambda url: sql
    if not is_local:
        env.cache = lambda id: later
    await sql.execute("create table t (k integer, v text)")
    await sql.execute("insert into t values (1, 'a'), (2, 'b'), (3, null), (null, 'x')")
    store = Store(env, parse("id=i;table=t;key=k;key_type=int", ";", " ", 100), 2, False)
    assert store.row_now("1") == (False, None)
    assert await store.row("1") == {"k": 1, "v": "a"} and await store.row("9") is None and await store.row("x") is None
    assert store.row_now("1") == ((True, {"k": 1, "v": "a"}) if is_local else (False, None))
    assert await store.load_all() == 3 and await store.row("3") == {"k": 3, "v": None}
    await sql.execute("delete from t where k = 1")
    assert await store.row("1") == {"k": 1, "v": "a"}
    assert await store.load_all() == 2 and await store.row("1") is None and store.hits == 2
    await store.forget()
    result = env.cache("local").set(store.entry.cache_key("1"), "nonsense", 0)
    if result is not None:
        await result
    with pytest.raises(StoreError, match="something else"):
        await store.row("1")
    await sql.close()
