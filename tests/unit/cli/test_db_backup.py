"""`osip db backup|restore|copy` between SQLite files."""
from __future__ import annotations

import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from osip.cli.db import db

ROWS = {"subscriber": "insert into subscriber (username, domain, ha1) values ('bob', 'example.com', 'secret'), "
                      "('é\"', 'example.com', '')",
        "domain": "insert into domain (domain, attrs, last_modified) "
                  "values ('example.com', null, '2026-01-02 03:04:05')"}


def counts(result: Any) -> dict[str, int]:
    assert result.exit_code == 0, result.output
    return {row["table"]: row["rows"] for row in json.loads(result.stdout)}


def url_of(folder: Path, name: str) -> tuple[str, ...]:
    return "--url", f"sqlite:///{folder}/{name}.db"


@pytest.fixture
def filled(run: Any, tmp_path: Path) -> tuple[str, ...]:
    """Return the option that names a database with some rows."""
    url = url_of(tmp_path, "a")
    run(db, "create", *url, "domain", "auth_db", "group")
    with sqlite3.connect(tmp_path / "a.db") as base:
        for statement in ROWS.values():
            base.execute(statement)
    return url


def content(path: Path, table: str) -> list[Any]:
    with sqlite3.connect(path) as base:
        return base.execute(f"select * from {table} order by 1").fetchall()


def test_there_and_back(run: Any, filled: tuple[str, ...], tmp_path: Path) -> None:
    file, other = tmp_path / "all.backup", url_of(tmp_path, "b")
    made = counts(run(db, "backup", *filled, "-o", "json", file))
    assert (made["subscriber"], made["domain"], made["grp"]) == (2, 1, 0) and "acc" not in made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and not list(tmp_path.glob("*.new"))
    assert counts(run(db, "restore", *other, "-o", "json", file)) == made
    for table in ("subscriber", "domain"):
        assert content(tmp_path / "b.db", table) == [
            (*row[:-1], "2026-01-02 03:04:05.000000") if table == "domain" else row
            for row in content(tmp_path / "a.db", table)]
    refused = run(db, "restore", *other, file, "domain")
    assert refused.exit_code == 1 and 'table "domain" has rows already: with --replace' in refused.stderr
    with sqlite3.connect(tmp_path / "b.db") as base:
        base.execute("update domain set domain = 'changed.example'")
        base.execute("delete from subscriber")
    assert counts(run(db, "restore", *other, "-o", "json", "--replace", file, "domain")) == {"domain": 1}
    assert content(tmp_path / "b.db", "domain")[0][1] == "example.com" and not content(tmp_path / "b.db", "subscriber")


def test_copying(run: Any, filled: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(db, "copy", *filled).exit_code == 2 and run(db, "copy", *filled, "--to", filled[1]).exit_code == 2
    monkeypatch.setenv("OSIP_DB_TO", f"sqlite:///{tmp_path}/c.db")
    assert counts(run(db, "copy", *filled, "-o", "json", "subscriber")) == {"subscriber": 2}
    assert content(tmp_path / "c.db", "subscriber") == content(tmp_path / "a.db", "subscriber")


@pytest.mark.parametrize(("change", "complaint"), [
    (lambda text: text.replace('"format":1', '"format":9'), "is no backup"),
    (lambda text: text[:text.rindex('{"end"')], "is not whole"),
    (lambda text: text.replace('{"end":3}', '{"end":4}'), "is not whole"),
    (lambda text: text[:-4], "unexpected"),
    (lambda text: "", "is not whole"),
    (lambda text: text.replace('"ha1_sha256"', '"colour"'), "no column colour"),
    (lambda text: text.replace("2026-01-02 03:04:05", "yesterday"), "does not fit")])
def test_what_is_not_right_changes_nothing(run: Any, filled: tuple[str, ...], tmp_path: Path, change: Any,
                                           complaint: str) -> None:
    file = tmp_path / "f"
    run(db, "backup", *filled, file)
    file.write_text(change(file.read_text()))
    result = run(db, "restore", *filled, "--replace", file)
    assert result.exit_code == 1 and complaint in result.stderr
    assert len(content(tmp_path / "a.db", "subscriber")) == 2 and len(content(tmp_path / "a.db", "domain")) == 1


def test_a_folder_that_cannot_be_written(run: Any, filled: tuple[str, ...], tmp_path: Path) -> None:
    result = run(db, "backup", *filled, tmp_path / "none" / "f")
    assert result.exit_code == 1 and "cannot write" in result.stderr
