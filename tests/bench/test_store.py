"""Check the scripts of the stores: each mode says what it should, and nothing of the plain one is left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.server import script_text  # noqa: E402  (found through the line above)
from bench.store import PLAIN, as_store_table, database, store_text  # noqa: E402

URL = "sqlite:////tmp/x.db"
CASES = {
    ("osip", "sqlite", "write-through"): ['"single-instance-sql-write-through"', URL],
    ("osip", "sqlite", "sql-only"): ['"working_mode_preset", "sql-only"', URL],
    ("osip", "postgresql", "write-back"): ['"single-instance-sql-write-back"', URL],
    ("osip", "redis", "write-through"): ['"full-sharing-cachedb-cluster"', '"cachedb_url"',
                                         'loadmodule "cachedb_redis.so"'],
    ("kamailio", "sqlite", "write-through"): ['"db_mode", 1)', URL, 'loadmodule "db_sqlite.so"'],
    ("kamailio", "sqlite", "write-back"): ['"db_mode", 2)', URL],
}


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_each_mode_is_in_the_script(case: tuple[str, str, str]) -> None:
    server, store, mode = case
    text = store_text(server, store, mode, URL)
    assert all(word in text for word in CASES[case])
    assert PLAIN[server] not in text


@pytest.mark.parametrize("server", PLAIN)
def test_memory_is_the_plain_script(server: str, tmp_path: Path) -> None:
    text = store_text(server, "memory", "write-through", "")
    assert text == script_text(server, "call")
    assert PLAIN[server] in text
    with database("memory", server, tmp_path) as url:
        assert url == ""


def test_the_table_leaves_out_what_was_not_measured() -> None:
    rows = [{"store": "memory", "server": "osip", "users": 1000, "us_register": 80.0, "lost": 0},
            {"store": "redis", "server": "osip", "users": 1000, "load_seconds": 1.5, "missing": 2}]
    lines = as_store_table(rows).splitlines()
    assert lines[1].split() == ["memory", "osip", "1,000", "80.0", "0"]
    assert lines[2].split() == ["redis", "osip", "1,000", "1.50", "2"]
