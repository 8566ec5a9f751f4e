"""Rows of tables from commands: read, added, changed, removed, and what is said when something is missing."""
from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kit.peer import free_port
from osip.cli.row import Base, Place, declared

GRP = Place("grp", "group", {"username": str, "domain": str, "grp": str})
BOB, EVE = {"username": "bob", "domain": "h", "grp": "g%"}, {"username": "eve", "domain": "h", "grp": "gx"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OSIP_DB_URL", raising=False)
    return tmp_path


def test_the_embedded_database_is_made(here: Path) -> None:
    base = Base()
    assert base.add(GRP, BOB) and base.add(GRP, EVE, ("username",))
    assert not base.add(GRP, {**EVE, "grp": "other"}, ("username", "domain"))
    assert base.rows(GRP, order=("username",)) == [BOB, EVE]
    assert base.rows(GRP, {"grp": "g%"}) == [BOB], "no pattern"
    assert base.change(GRP, {"grp": "z"}, {"username": "bob"}) == 1 and base.change(GRP, {"grp": "z"}, {"username": "x"}) == 0
    assert base.remove(GRP, {"domain": "h"}) == 2 and base.rows(GRP) == []
    with sqlite3.connect("osip.db") as base_:
        assert base_.execute("select table_name from version").fetchall() == [("grp",)]


def test_text_is_no_sql() -> None:
    base, evil = Base(), {"username": "x'; drop table grp; --", "domain": "h", "grp": ":a %s"}
    assert base.add(GRP, evil) and base.rows(GRP, {"username": evil["username"]}) == [evil]


def test_reading_makes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Base("", "--this").rows(GRP)
    told = capsys.readouterr().err
    assert caught.value.code == 1 and "there is no osip.db" in told and "--this" in told and not (here / "osip.db").exists()


@pytest.mark.parametrize("act", [lambda base: base.rows(GRP), lambda base: base.add(GRP, BOB), lambda base: base.remove(GRP, {})])
def test_a_missing_table_is_told_with_the_line_that_makes_it(act, here: Path, capsys: pytest.CaptureFixture[str],   # type: ignore[no-untyped-def]
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{here}/own.db"
    with pytest.raises(SystemExit):
        act(Base(url))
    assert f'has no table "grp"; make it: osip db create group --url {url}' in capsys.readouterr().err
    monkeypatch.setenv("OSIP_DB_URL", url)
    with pytest.raises(SystemExit):
        act(Base(url))
    assert capsys.readouterr().err.endswith("osip db create group\n")


def test_another_error_stays_what_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Base().add(GRP, BOB)
    with pytest.raises(SystemExit):
        Base().rows(Place("grp", "group", {"nonsense": str}))
    told = capsys.readouterr().err
    assert "no such column" in told and "db create" not in told


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        Base(f"postgres://me:secret@127.0.0.1:{free_port()}/x", "--that").rows(GRP)
    told = capsys.readouterr().err
    assert "secret" not in told and "Is the database running there?" in told and "--that" in told


@pytest.mark.parametrize("url", ["nonsense", "nonsense://x/y"])
def test_what_is_no_url(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        Base(url).rows(GRP)
    assert "nonsense" in capsys.readouterr().err


def test_declarations() -> None:
    assert [spec.name for spec in declared(GRP)] == ["grp"]
    assert declared(Place("mine", "group")) == [] and declared(Place("x", "no_such_module")) == []
    assert [spec.name for spec in declared(Place("dialplan", "no_such_module"))] == ["dialplan"]
