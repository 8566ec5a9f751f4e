"""`osipctl dispatcher`: the table, and the sets of the running server."""
from __future__ import annotations

from typing import Any

import pytest


def test_table(ctl: Any, rows: Any) -> None:
    assert ctl("dispatcher", "addgw", 1, "sip:10.0.0.1:5060", "", 0, 50, "gw=a", "first", "--priority", 3).exit_code == 0
    done = ctl("dispatcher", "addgw", 2, "sip:10.0.0.2", "udp:10.0.0.9:5060", 1)
    assert done.exit_code == 0 and "osipctl dispatcher reload" in done.stderr
    assert ctl("dispatcher", "addgw", 2, "sip:10.0.0.2").exit_code == 1
    first, second = rows("dispatcher", "show")
    assert first == {"id": 1, "set": 1, "destination": "sip:10.0.0.1:5060", "socket": "", "state": "active", "weight": "50",
                     "priority": 3, "attributes": "gw=a", "description": "first"}
    assert (second["socket"], second["state"], second["weight"]) == ("udp:10.0.0.9:5060", "inactive", "1")
    assert rows("dispatcher", "show", 2) == [second]
    assert ctl("dispatcher", "rmgw", 1).exit_code == 0 and rows("dispatcher", "show") == [second]
    gone = ctl("dispatcher", "rmgw", 1)
    assert gone.exit_code == 1 and "there is no destination with id 1" in gone.stderr


@pytest.mark.parametrize("words", [("x", "sip:a"), (1, "a b"), (1, "sip:a", "", 7), (1, "sip:a", "", 0, -1)])
def test_bad_rows(words: tuple[Any, ...], ctl: Any) -> None:
    assert ctl("dispatcher", "addgw", *words).exit_code == 2


def test_server(ctl: Any, rows: Any, played: Any) -> None:
    played.answers = {"ds_reload": "OK", "ds_set_state": "OK", "ds_list": {"PARTITIONS": [{"name": "default", "SETS": [
        {"id": 1, "Destinations": [{"URI": "sip:a", "state": "Active", "weight": 1}, {"URI": "sip:b", "state": "Inactive"}]}]}]}}
    found = rows("dispatcher", "dump")
    assert [(r["partition"], r["set"], r["destination"], r["state"], r["weight"]) for r in found] == [
        ("default", 1, "sip:a", "Active", 1), ("default", 1, "sip:b", "Inactive", "")]
    for words, asked in ((("reload",), ("ds_reload", [])), (("reload", "p"), ("ds_reload", {"partition": "p"})),
                         (("state", "1", "sip:a", "inactive"),
                          ("ds_set_state", {"state": "i", "group": "1", "address": "sip:a"}))):
        assert ctl("dispatcher", *words).exit_code == 0 and played.asked[-1] == asked
