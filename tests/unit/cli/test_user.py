"""`osip user` and the verbs of opensipsctl: what stands in the table, and what never does."""
from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from osip.cli.user import secrets, user
from osip.core.sip.digest import digest_ha1


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, where the embedded database will be."""
    monkeypatch.chdir(tmp_path)
    for name in ("SIP_DOMAIN", "OSIP_DB_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def do(command: click.Command, *words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(command, list(words), input=stdin)


def table() -> list[tuple[Any, ...]]:
    with sqlite3.connect("osip.db") as base:
        return base.execute("select username, domain, password, ha1, ha1_sha256, ha1_sha512t256 from subscriber "
                            "order by id").fetchall()


def hashes(name: str, domain: str, password: str) -> tuple[str, ...]:
    return tuple(digest_ha1(name, domain, password, algorithm) for algorithm in ("MD5", "SHA-256", "SHA-512-256"))


def test_add_asks_twice_and_stores_no_password() -> None:
    done = do(user, "add", "alice@localhost", stdin="s3\ns3\n")
    assert done.exit_code == 0 and "alice@localhost: added" in done.output and "s3" not in done.output
    assert table() == [("alice", "localhost", "", *hashes("alice", "localhost", "s3"))]
    assert do(user, "add", "bob@localhost", stdin="one\ntwo\n").exit_code != 0 and len(table()) == 1


def test_life_of_a_user() -> None:
    assert do(user, "add", "--password-stdin", "--plain", "sip:bob@h", stdin="pw\n").exit_code == 0
    assert table() == [("bob", "h", "pw", *hashes("bob", "h", "pw"))]
    twice = do(user, "add", "--password-stdin", "bob@h", stdin="x\n")
    assert twice.exit_code == 1 and "is there already" in twice.output
    assert do(user, "passwd", "--password-stdin", "bob@h", stdin="new\n").exit_code == 0
    assert table() == [("bob", "h", "", *hashes("bob", "h", "new"))], "the plain password went"
    assert do(user, "rm", "bob@h").exit_code == 0 and table() == []
    for words in (("rm", "bob@h"), ("passwd", "--password-stdin", "bob@h")):
        gone = do(user, *words, stdin="x\n")
        assert gone.exit_code == 1 and "there is no user bob@h" in gone.output


def test_list() -> None:
    for name in ("b@h", "a@h", "c@g"):
        do(user, "add", "--password-stdin", name, stdin="pw\n")
    found = json.loads(do(user, "list", "-o", "json").output)
    assert [(row["user"], row["domain"]) for row in found] == [("c", "g"), ("a", "h"), ("b", "h")]
    assert found[0] == {"user": "c", "domain": "g", "hashes": "MD5,SHA-256,SHA-512-256", "plain": "no"}
    assert [row["user"] for row in json.loads(do(user, "list", "-o", "json", "g").output)] == ["c"]


@pytest.mark.parametrize("address", ["alice", "@h", "alice@", "a@b@c", "x" * 65 + "@h"])
def test_bad_addresses(address: str) -> None:
    assert do(user, "add", "--password-stdin", address, stdin="x\n").exit_code == 2


def test_bad_passwords() -> None:
    assert "is empty" in do(user, "add", "--password-stdin", "a@h").output
    assert "25 characters" in do(user, "add", "--password-stdin", "--plain", "a@h", stdin="x" * 26).output
    assert not Path("osip.db").exists()
    assert secrets(("a", "h"), "x" * 26, False)["password"] == ""


def test_a_database_of_ones_own_is_not_changed_unasked(tmp_path: Path) -> None:
    done = do(user, "add", "--url", f"sqlite:///{tmp_path}/own.db", "--password-stdin", "a@h", stdin="x\n")
    assert done.exit_code == 1 and 'has no table "subscriber"' in done.output
    assert f"osip db create auth_db --url sqlite:///{tmp_path}/own.db" in done.output


def test_a_list_of_nothing(tmp_path: Path) -> None:
    done = do(user, "list")
    assert done.exit_code == 1 and "there is no osip.db in" in done.output and not (tmp_path / "osip.db").exists()
