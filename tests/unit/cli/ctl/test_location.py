"""`osipctl ul` and `online`: what the server is asked, and how its answer looks."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osip.core.errors import MIError

BOB = {"AOR": "bob", "Contacts": [{"Contact": "sip:bob@1", "Expires": 60, "Q": "0.5", "Received": "sip:9.9.9.9"},
                                  {"Contact": "sip:bob@2", "Expires": "permanent"}]}
ALL = {"Domains": [{"name": "location", "AORs": [BOB, {"AOR": "ann"}]}, {"name": "aliases", "AORs": [{"AOR": "100"}]}]}


def test_show(rows: Any, played: Any) -> None:
    played.answers = {"ul_dump": ALL, "ul_show_contact": BOB}
    for words in (("ul", "show"), ("usrloc", "show", "bob")):
        assert rows(*words) == [
            {"aor": "bob", "contact": "sip:bob@1", "expires": 60, "q": "0.5", "user agent": "", "received": "sip:9.9.9.9"},
            {"aor": "bob", "contact": "sip:bob@2", "expires": "permanent", "q": "", "user agent": "", "received": ""}]
    assert rows("online") == [{"user": "ann"}, {"user": "bob"}]
    assert rows("online", "--table", "aliases") == [{"user": "100"}]
    assert rows("ul", "show", "--table", "aliases") == []
    assert rows("ul", "dump") == ALL and rows("ul", "dump", "--brief") == ALL and played.asked[-1][1] == ["brief"]


@pytest.mark.parametrize(("words", "asked"), [
    (("show", "bob"), ("ul_show_contact", ["location", "bob"])), (("show", "sip:bob@h"), ("ul_show_contact", ["location", "bob@h"])),
    (("rm", "bob"), ("ul_rm", ["location", "bob"])),
    (("rm", "bob", "sip:b@1", "--table", "t"), ("ul_rm_contact", ["t", "bob", "sip:b@1"])),
    (("add", "bob", "sip:b@1"), ("ul_add", ["location", "bob", "sip:b@1", 0, "1.00", "0", "0", 0])),
    (("add", "bob", "sip:b@1", "60", "-q", "0.3"), ("ul_add", ["location", "bob", "sip:b@1", 60, "0.30", "0", "0", 0])),
    (("flush",), ("ul_flush", []))])
def test_what_is_asked(words: tuple[str, ...], asked: tuple[str, Any], ctl: Any, played: Any) -> None:
    played.answers = {asked[0]: {"AOR": "bob"}}
    assert ctl("ul", *words).exit_code == 0 and played.asked == [asked]


def test_the_domain_is_added(ctl: Any, played: Any, here: Path) -> None:
    (here / "opensipsctlrc").write_text("SIP_DOMAIN=h\nUL_TABLE=people\n")
    played.answers = {"ul_rm": "OK"}
    ctl("ul", "rm", "bob"), ctl("ul", "rm", "bob@x")
    assert [params for _, params in played.asked] == [["people", "bob@h"], ["people", "bob@x"]]


@pytest.mark.parametrize("words", [("add", "bob", "nonsense"), ("add", "bob", "sip:b", "-1"), ("add", "bob", "sip:b", "-q", "2")])
def test_what_is_not_asked(words: tuple[str, ...], ctl: Any, played: Any) -> None:
    assert ctl("ul", *words).exit_code == 2 and played.asked == []


def test_nobody_of_that_name(ctl: Any, played: Any) -> None:
    played.answers = {"ul_show_contact": MIError(404, "AOR not found")}
    done = ctl("ul", "show", "bob")
    assert done.exit_code == 4 and "ul_show_contact: 404 AOR not found" in done.stderr


def test_a_user_agent_cannot_move_the_cursor(ctl: Any, played: Any) -> None:
    played.answers = {"ul_show_contact": {"AOR": "bob", "Contacts": [{"Contact": "c", "Expires": 1, "User-agent": "\x1b[2J"}]}}
    assert "\x1b" not in ctl("ul", "show", "bob").stdout
    assert json.loads(ctl("-o", "json", "ul", "show", "bob").stdout)[0]["user agent"] == "\x1b[2J"
