"""`osip db`: tables in SQLite, made and shown."""
from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from osip.cli.db import db


def rows(result: Any) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)        # type: ignore[no-any-return]


def test_create_and_show(run: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    assert [(r["table"], r["state"]) for r in rows(run(db, "create", "--url", url, "-o", "json", "domain", "group"))] \
        == [("domain", "made"), ("grp", "made"), ("re_grp", "made")]
    again = {r["table"]: r["state"] for r in rows(run(db, "create", "--url", url, "-o", "json"))}
    assert again["domain"] == "was there" and again["subscriber"] == again["location"] == "made"
    with sqlite3.connect(f"{tmp_path}/a.db") as base:
        assert dict(base.execute("select * from version"))["subscriber"] == 8
        base.execute("insert into domain (domain) values ('example.com')")
        base.execute("update version set table_version = 1 where table_name = 'uri'")
        base.execute("drop table grp")
    shown = {r["table"]: r for r in rows(run(db, "show", "--url", url, "-o", "json"))}
    assert (shown["domain"]["state"], shown["domain"]["rows"]) == ("ok", 1)
    assert shown["uri"]["state"] == "has version 1" and shown["grp"]["state"] == "missing"


def test_the_environment_names_the_database(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSIP_DB_URL", f"sqlite:///{tmp_path}/env.db")
    assert "domain" in run(db, "create", "domain").stdout and (tmp_path / "env.db").exists()


@pytest.mark.parametrize(("words", "complaint"), [
    (("create", "nonsense"), "osip modules list"), (("show", "--url", "nonsense"), "is no database URL"),
    (("create", "--url", "sqlite:////no/such/folder/a.db", "domain"), "unable to open")])
def test_complaints(run: Any, words: tuple[str, ...], complaint: str) -> None:
    result = run(db, *words)
    assert result.exit_code == 1 and complaint in result.stderr
