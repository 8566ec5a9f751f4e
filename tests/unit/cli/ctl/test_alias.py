"""`osipctl alias_db`, `alias` in both of its places, and `speeddial`."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("verb", ["alias_db", "aliasdb", "alias"])
def test_aliases_in_the_table(verb: str, ctl: Any, rows: Any) -> None:
    assert ctl(verb, "add", "100@h", "bob@h").stdout == "100@h: alias of bob@h\n"
    ctl(verb, "add", "101@h", "bob@h")
    twice = ctl(verb, "add", "100@h", "eve@h")
    assert twice.exit_code == 1 and "is an alias already" in twice.stderr
    assert rows(verb, "show", "100@h") == [{"alias": "100@h", "user": "bob@h"}]
    assert [r["alias"] for r in rows(verb, "show")] == ["100@h", "101@h"]
    if verb != "alias":
        assert [r["alias"] for r in rows(verb, "list", "bob@h")] == ["100@h", "101@h"]
    assert ctl(verb, "rm", "100@h").exit_code == 0 and rows(verb, "show", "100@h") == []
    gone = ctl(verb, "rm", "100@h")
    assert gone.exit_code == 1 and "there is no alias 100@h" in gone.stderr


def test_aliases_in_usrloc(ctl: Any, rows: Any, played: Any, here: Path) -> None:
    (here / "opensipsctlrc").write_text("ALIASES_TYPE=UL\nSIP_DOMAIN=h\n")
    record = {"AOR": "100", "Contacts": [{"Contact": "sip:bob@h"}]}
    played.answers = {"ul_add": "OK", "ul_rm": "OK", "ul_show_contact": record, "ul_dump": {"Domains": [
        {"name": "location", "AORs": [{"AOR": "x", "Contacts": [{"Contact": "sip:x"}]}]}, {"name": "aliases", "AORs": [record]}]}}
    assert ctl("alias", "add", "100", "bob").stdout == "100: alias of sip:bob@h\n"
    assert rows("alias", "show", "100") == rows("alias", "show") == [{"alias": "100", "user": "sip:bob@h"}]
    assert ctl("alias", "rm", "100").exit_code == 0
    assert [asked[1][:2] for asked in played.asked] == [["aliases", "100"], ["aliases", "100"], [], ["aliases", "100"]]
    assert not (here / "osip.db").exists()


def test_short_numbers(ctl: Any, rows: Any) -> None:
    assert ctl("speeddial", "add", "bob@h", "11@h", "sip:eve@far.example", "my friend").exit_code == 0
    ctl("speed_dial", "add", "eve@h", "11@h", "sip:bob@h")
    twice = ctl("speeddial", "add", "bob@h", "11@h", "sip:x@y")
    assert twice.exit_code == 1 and "has the number" in twice.stderr
    assert rows("speeddial", "list", "bob@h") == [
        {"user": "bob@h", "number": "11@h", "uri": "sip:eve@far.example", "description": "my friend"}]
    assert [r["user"] for r in rows("speeddial", "show", "11@h")] == ["bob@h", "eve@h"]
    assert ctl("speeddial", "rm", "bob@h", "11@h").exit_code == 0 and len(rows("speeddial", "show")) == 1
    assert ctl("speeddial", "rm", "bob@h", "11@h").exit_code == 1
    bad = ctl("speeddial", "add", "bob@h", "12@h", "nonsense")
    assert bad.exit_code == 2 and "is no URI" in bad.stderr
