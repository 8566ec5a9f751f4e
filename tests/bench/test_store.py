"""Check the scripts of the stores: each mode says what it should, and nothing of the plain one is left."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench import store as stores  # noqa: E402  (found through the line above)
from bench.server import BenchError, script_text  # noqa: E402
from bench.store import KAMAILIO, PLAIN, as_store_table, database, phase, store_text  # noqa: E402

URL = "sqlite:////tmp/x.db"
CASES = {
    ("osip", "sqlite", "write-through"): ['"single-instance-sql-write-through"', URL],
    ("osip", "sqlite", "sql-only"): ['"working_mode_preset", "sql-only"', URL],
    ("osip", "postgresql", "write-back"): ['"single-instance-sql-write-back"', URL],
    ("osip", "redis", "write-through"): ['"full-sharing-cachedb-cluster"', '"cachedb_url"',
                                         'loadmodule "cachedb_redis.so"'],
    ("kamailio", "sqlite", "write-through"): ['"db_mode", 1)', URL, 'loadmodule "db_sqlite.so"'],
    ("kamailio", "sqlite", "write-back"): ['"db_mode", 2)', URL],
    ("osip", "mariadb", "write-through"): ['"single-instance-sql-write-through"', URL],
    ("kamailio", "postgresql", "sql-only"): ['"db_mode", 3)', 'loadmodule "db_postgres.so"'],
    ("kamailio", "mariadb", "write-through"): ['"db_mode", 1)', 'loadmodule "db_mysql.so"'],
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


def test_kamailio_has_no_redis_here(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="kamailio is measured with memory, sqlite"), database("redis", "kamailio", tmp_path):
        pass


@pytest.mark.parametrize("store", KAMAILIO)
def test_a_package_that_is_missing_is_named(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "KAMAILIO_TABLES", tmp_path)
    with pytest.raises(BenchError, match=f"{KAMAILIO[store][1]} is not installed: run scripts/install_peers --bench"):
        stores._create_for_kamailio(store, "sqlite:///x.db")


def test_what_takes_long_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(stores, "HEARTBEAT", 0.001)
    with phase("osip, sqlite: stopping"):
        time.sleep(0.05)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "osip, sqlite: stopping" and lines[1] == "osip, sqlite: stopping: 0 s"


def test_the_table_leaves_out_what_was_not_measured() -> None:
    rows = [{"store": "memory", "server": "osip", "users": 1000, "us_register": 80.0, "lost": 0},
            {"store": "redis", "server": "osip", "users": 1000, "load_seconds": 1.5, "missing": 2}]
    lines = as_store_table(rows).splitlines()
    assert lines[1].split() == ["memory", "osip", "1,000", "80.0", "0"]
    assert lines[2].split() == ["redis", "osip", "1,000", "1.50", "2"]
