"""What is counted of the questions to stores."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.errors import StoreError
from osip.core.run.config import Config
from osip.core.run.stats import Stats
from osip.core.store.cache import Caches
from osip.core.store.quick import Lookup
from osip.core.store.remote import Remote
from osip.core.store.sql import Stores, Tuning
from osip.core.store.tally import Tally


def test_a_tally_is_shown_and_reset() -> None:
    tally, stats = Tally(7, 2), Stats()
    tally.register(stats, "sql")
    assert (stats.get("sql:sql_total_queries"), stats.get("sql_slow_queries")) == (7, 2)
    for stat in stats.select("sql:"):
        assert stat.reset is not None
        stat.reset()
    assert tally == Tally(0, 0)


@pytest.mark.parametrize("threshold", [0, 1])
async def test_databases_count_every_question(tmp_path: Path, threshold: int) -> None:
    """Also those that an SQLite file answers on the short way, and those that fail."""
    import sqlalchemy as sa

    stores = Stores(Config())
    stores.tune(("sqlite",), Tuning(threshold=threshold))
    sql = stores.sql(f"sqlite:///{tmp_path}/a.db")
    await sql.execute("create table t (a int)")
    await sql.fetch("select a from t")
    await sql.first(Lookup(sa.select(sa.table("t", sa.column("a")).c.a)), {})
    with pytest.raises(StoreError):
        await sql.fetch("select a from none")
    await stores.close()
    assert stores.tally.total == 4 and stores.tally.slow == (4 if threshold else 0)


async def test_remote_stores_count_what_is_slow() -> None:
    caches = Caches(lambda: 0.0)

    async def fine() -> int:
        return 5
    assert await Remote("x", 5, 1, tally=caches.tally).ask("get", fine, (), ()) == 5
    assert caches.tally.slow == 1
