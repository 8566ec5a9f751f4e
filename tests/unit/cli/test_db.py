"""`osip db`: tables in SQLite, made and shown."""
from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

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


def test_all_tables_and_back(run: Any, tmp_path: Path) -> None:
    url = ("--url", f"sqlite:///{tmp_path}/a.db", "-o", "json")
    made = rows(run(db, "create", *url))
    assert len({r["table"] for r in made}) >= 65 and {r["state"] for r in made} == {"made"}
    assert {r["state"] for r in rows(run(db, "show", *url))} == {"ok"}
    assert {r["state"] for r in rows(run(db, "migrate", *url))} == {"ok"}
    dropped = rows(run(db, "drop", *url, "--yes", "presence", "acc"))
    assert {"acc", "missed_calls", "presentity"} <= {r["table"] for r in dropped}
    assert {r["table"] for r in rows(run(db, "show", *url)) if r["state"] == "missing"} == {r["table"] for r in dropped}


def test_drop_asks(run: Any, tmp_path: Path) -> None:
    url = ("--url", f"sqlite:///{tmp_path}/a.db")
    run(db, "create", *url, "domain")
    assert CliRunner().invoke(db, ["drop", *url], input="n\n").exit_code == 1
    assert rows(run(db, "show", *url, "-o", "json", "domain"))[0]["state"] == "ok"
    assert "dropped" in CliRunner().invoke(db, ["drop", *url], input="y\n").stdout


def test_migrate(run: Any, tmp_path: Path) -> None:
    url = ("--url", f"sqlite:///{tmp_path}/a.db", "-o", "json")
    with sqlite3.connect(f"{tmp_path}/a.db") as base:
        base.execute("create table subscriber (id integer primary key, username text, domain text, password text, ha1 text, "
                     "ha1b text, email_address text, rpid text)")
        base.executemany("insert into subscriber (username, domain, ha1, email_address) values (?, 'd', 'h', 'mail')",
                         [(f"u{n}",) for n in range(20)])
        base.execute("create table version (table_name text, table_version integer)")
        base.execute("insert into version values ('subscriber', 7)")
    planned, = rows(run(db, "migrate", *url, "--dry-run"))
    assert (planned["from"], planned["to"], planned["rows"], planned["state"]) == (7, 8, 20, "to do")
    assert planned["new"] == "ha1_sha256 ha1_sha512t256" and planned["gone"] == "ha1b email_address rpid"
    assert rows(run(db, "migrate", *url, "--keep-columns"))[0]["state"] == "migrated"
    with sqlite3.connect(f"{tmp_path}/a.db") as base:
        assert base.execute("select count(*), max(email_address), max(ha1_sha256) from subscriber").fetchone() == (20, "mail", "")
        assert base.execute("select * from version").fetchall() == [("subscriber", 8)]
    assert rows(run(db, "migrate", *url))[0]["state"] == "migrated", "now without them"
    assert rows(run(db, "migrate", *url))[0]["state"] == "ok"


def test_reinit_makes_the_tables_anew(run: Any, tmp_path: Path) -> None:
    url = ("--url", f"sqlite:///{tmp_path}/a.db")
    run(db, "create", *url, "domain")
    with sqlite3.connect(f"{tmp_path}/a.db") as base:
        base.execute("insert into domain (domain) values ('example.com')")
    assert CliRunner().invoke(db, ["reinit", *url, "domain"], input="n\n").exit_code == 1
    assert rows(run(db, "show", *url, "-o", "json", "domain"))[0]["rows"] == 1
    assert [one["state"] for one in rows(run(db, "reinit", *url, "--yes", "-o", "json", "domain"))] == ["made"]
    assert rows(run(db, "show", *url, "-o", "json", "domain"))[0]["rows"] == 0
