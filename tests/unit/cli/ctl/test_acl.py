"""`osipctl acl`: groups granted, shown and revoked."""
from __future__ import annotations

from pathlib import Path
from typing import Any


def test_grant_show_revoke(ctl: Any, rows: Any) -> None:
    done = ctl("acl", "grant", "bob@h", "local", "int")
    assert done.exit_code == 0 and done.stdout == "bob@h: local granted\nbob@h: int granted\n"
    assert "was granted already" in ctl("acl", "grant", "bob@h", "int").stdout
    ctl("acl", "grant", "eve@h", "int")
    assert [(r["user"], r["group"]) for r in rows("acl", "show")] == [("bob", "int"), ("bob", "local"), ("eve", "int")]
    assert rows("acl", "show", "eve@h")[0]["since"] > "2020"
    assert ctl("acl", "revoke", "bob@h", "int").exit_code == 0
    assert [r["group"] for r in rows("acl", "show", "bob@h")] == ["local"]
    ctl("acl", "grant", "bob@h", "int")
    assert ctl("acl", "revoke", "bob@h").stdout == "bob@h: all groups revoked\n"
    assert rows("acl", "show", "bob@h") == [] and len(rows("acl", "show")) == 1
    nothing = ctl("acl", "revoke", "bob@h", "int")
    assert nothing.exit_code == 1 and "is not in int" in nothing.stderr


def test_groups_can_be_verified(ctl: Any, here: Path) -> None:
    (here / "opensipsctlrc").write_text('VERIFY_ACL=1\nACL_GROUPS="local int"\n')
    refused = ctl("acl", "grant", "bob@h", "local", "free")
    assert refused.exit_code == 1 and "free is none of ACL_GROUPS" in refused.stderr and not (here / "osip.db").exists()
    assert ctl("acl", "grant", "bob@h", "int").exit_code == 0


def test_a_long_name(ctl: Any) -> None:
    assert ctl("acl", "grant", "bob@h", "x" * 65).exit_code == 2
