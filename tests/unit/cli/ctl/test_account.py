"""`osipctl add|passwd|rm`: what stands in the table, where the domain comes from, and passwords that others could see."""
from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from osip.core.sip.digest import digest_ha1


def table(path: str = "osip.db", name: str = "subscriber") -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as base:
        return base.execute(f"select username, domain, password, ha1, ha1_sha256, ha1_sha512t256 from {name} "
                            "order by username").fetchall()


def hashes(name: str, domain: str, password: str) -> tuple[str, ...]:
    return tuple(digest_ha1(name, domain, password, algorithm) for algorithm in ("MD5", "SHA-256", "SHA-512-256"))


def test_a_life(ctl: Any) -> None:
    done = ctl("add", "eve@h", stdin="s3\ns3\n")
    assert done.exit_code == 0 and "s3" not in done.output and "eve@h: added" in done.stdout
    assert table() == [("eve", "h", "", *hashes("eve", "h", "s3"))]
    again = ctl("add", "eve@h", "--password-stdin", stdin="x\n")
    assert again.exit_code == 1 and "is there already" in again.stderr
    assert ctl("passwd", "eve@h", "--password-stdin", stdin="new\n").exit_code == 0
    assert table() == [("eve", "h", "", *hashes("eve", "h", "new"))]
    assert ctl("rm", "eve@h").exit_code == 0 and table() == []
    for words in (("rm", "eve@h"), ("passwd", "eve@h", "x")):
        gone = ctl(*words)
        assert gone.exit_code == 1 and "there is no user eve@h" in gone.stderr


def test_a_password_on_the_command_line_is_warned_of(ctl: Any) -> None:
    done = ctl("add", "eve@h", "pw")
    assert done.exit_code == 0 and "seen by every user" in done.stderr and table()[0][3] == hashes("eve", "h", "pw")[0]


@pytest.mark.parametrize("source", ["environment", "rc"])
def test_the_domain_is_set(source: str, ctl: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if source == "environment":
        monkeypatch.setenv("SIP_DOMAIN", "h.example")
    else:
        (here / "opensipsctlrc").write_text("SIP_DOMAIN=h.example\n")
    assert ctl("add", "eve", "--password-stdin", stdin="x\n").exit_code == 0 and table()[0][:2] == ("eve", "h.example")


@pytest.mark.parametrize("user", ["eve", "@h", "eve@", "a@b@c", "x" * 65 + "@h"])
def test_bad_users(user: str, ctl: Any) -> None:
    done = ctl("add", user, "--password-stdin", stdin="x\n")
    assert done.exit_code == 2 and "SIP_DOMAIN" in done.stderr


def test_settings_of_opensipsctlrc(ctl: Any, here: Path) -> None:
    (here / "opensipsctlrc").write_text(f"DBENGINE=SQLITE\nDB_PATH={here}/x.db\nSTORE_PLAINTEXT_PW=1\nSUB_TABLE=people\n")
    with sqlite3.connect("x.db") as base:
        base.execute("create table people (username, domain, password, ha1, ha1_sha256, ha1_sha512t256)")
    assert ctl("add", "eve@h", "--password-stdin", stdin="pw\n").exit_code == 0
    assert table("x.db", "people")[0][2] == "pw"
    other = ctl("--db-url", f"sqlite:///{here}/none.db", "add", "eve@h", "pw")
    assert other.exit_code == 1 and 'has no table "people"' in other.stderr, "the flag has the last word"


def test_remote_party_ids(ctl: Any, rows: Any) -> None:
    ctl("add", "eve@h", "--password-stdin", stdin="x\n")
    lacking = ctl("rpid", "add", "eve@h", "+49123")
    assert lacking.exit_code == 1 and "alter table subscriber add rpid" in lacking.stderr
    ctl("db", "exec", "alter table subscriber add rpid varchar(64)")
    assert ctl("rpid", "add", "eve@h", "+49123").stdout == "eve@h: +49123\n"
    assert rows("rpid", "show", "eve@h") == [{"user": "eve", "domain": "h", "rpid": "+49123"}]
    assert ctl("rpid", "rm", "eve@h").exit_code == 0 and rows("rpid", "show", "eve@h")[0]["rpid"] == ""
    assert ctl("rpid", "add", "bob@h", "1").exit_code == 1
