"""`osipctl dr` and `registrant`: rows of the tables, made from one description each."""
from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from osip.cli.ctl.routing import REGISTRANT, ROUTE, TABLES, TREE, Kind

KINDS = [*TABLES.values(), TREE, ROUTE, REGISTRANT]


def test_gateways(ctl: Any, rows: Any) -> None:
    done = ctl("dr", "addgw", "gw1", 10, "10.0.0.1:5060", 2, "+49", "GW001", 0, "first_gw", "--socket", "udp:10.9.9.9:5060")
    assert done.exit_code == 0 and "osipctl dr reload" in done.stderr
    assert ctl("dr", "addgw", "gw1", 10, "10.0.0.2").exit_code == 1 and ctl("dr", "addgw", "gw2", 20, "10.0.0.3").exit_code == 0
    assert rows("dr", "show")[0] == {
        "id": 1, "gwid": "gw1", "type": 10, "address": "10.0.0.1:5060", "strip": 2, "pri prefix": "+49", "attrs": "GW001",
        "probe mode": 0, "description": "first_gw", "state": 0, "socket": "udp:10.9.9.9:5060"}
    assert ctl("dr", "rmgw", 1).exit_code == 0 and [row["gwid"] for row in rows("dr", "show", "gateways")] == ["gw2"]
    gone = ctl("dr", "rmgw", 1)
    assert gone.exit_code == 1 and "there is no gateway 1" in gone.stderr


def test_carriers_groups_and_rules(ctl: Any, rows: Any) -> None:
    assert ctl("dr", "addcr", "cr1", "gw1=50,gw2=50", 0, "CARRIER_1", "first", "--sort-alg", "W").exit_code == 0
    assert rows("dr", "show", "carriers")[0]["sort alg"] == "W"
    assert ctl("dr", "addgrp", "bob", "h", 3, "first group").exit_code == 0 and rows("dr", "show", "groups")[0]["groupid"] == 3
    for prefix in ("49", "", "1"):
        assert ctl("dr", "addrule", "3", prefix, "", 5, 0, "#cr1", "NA").exit_code == 0
    assert [(row["ruleid"], row["prefix"], row["priority"], row["timerec"]) for row in rows("dr", "show", "rules")] == [
        (1, "49", 5, ""), (2, "", 5, ""), (3, "1", 5, "")]
    with sqlite3.connect("osip.db") as sql:
        assert sql.execute("select timerec, prefix from dr_rules where ruleid = 2").fetchall() == [(None, "")]
    assert ctl("dr", "rmrule", 1).stdout == "rule 1: removed\n" and ctl("dr", "rmgrule", 2).exit_code == 0
    ctl("dr", "addrule", "3", "7", "", 0, "", "gw1")
    assert [row["ruleid"] for row in rows("dr", "show", "rules")] == [3, 4], "numbers are not given twice"
    assert ctl("dr", "rmcr", 1).exit_code == 0 and ctl("dr", "rmgrp", 1).exit_code == 0
    assert ctl("dr", "addgrp", "bob", "h", "x").exit_code == 2 and ctl("dr", "rmrule", "x").exit_code == 2


def test_carrierroute(ctl: Any, rows: Any) -> None:
    assert ctl("cr", "addrt", 1, "default").exit_code == 0 and rows("cr", "show", "trees") == [{"id": 1, "carrier": "default"}]
    assert ctl("cr", "addcarrier", 1, "49", "de", "gw.example").exit_code == 0
    assert ctl("cr", "addcarrier", 1, "", "de", "gw2.example", 0.5, 2, "00").exit_code == 0
    assert [(row["scan prefix"], row["prob"], row["strip"], row["rewrite prefix"]) for row in rows("cr", "show")] == [
        ("49", 1.0, 0, ""), ("", 0.5, 2, "00")]
    assert ctl("cr", "rmcarrier", 1, "49", "de").exit_code == 0 and ctl("cr", "rmcarrier", 1, "49", "de").exit_code == 1
    assert ctl("cr", "rmrt", "default").exit_code == 0 and len(rows("cr", "show")) == 1


def test_registrations(ctl: Any, rows: Any) -> None:
    words = ("registrant", "add", "sip:reg.example", "", "sip:me@reg.example", "", "me", "-", "sip:me@10.0.0.1", "", 600)
    done = ctl(*words, stdin="secret\nsecret\n")
    assert done.exit_code == 0 and "secret" not in done.output
    assert ctl(*words, "--password-stdin", stdin="other\n").exit_code == 1
    told = ctl(*[word if word != "-" else "visible" for word in words[:-3]], "sip:me@10.0.0.2")
    assert told.exit_code == 0 and "seen by every user" in told.stderr
    with sqlite3.connect("osip.db") as sql:
        assert sql.execute("select password, proxy from registrant").fetchall() == [("secret", None), ("visible", None)]
    row = rows("registrant", "show")[0]
    assert (row["aor"], row["password"], row["expiry"], row["binding URI"]) == (
        "sip:me@reg.example", "***", 600, "sip:me@10.0.0.1")
    assert ctl("registrant", "rmaor", 1).exit_code == 0 and ctl("registrant", "rmaor", 1).exit_code == 1
    assert ctl("registrant", "rm", stdin="n\n").exit_code == 1 and len(rows("registrant", "show")) == 1
    assert ctl("registrant", "rm", "--yes").stdout == "1 removed\n" and rows("registrant", "show") == []


@pytest.mark.parametrize(("words", "asked"), [
    (("dr", "reload"), ("dr_reload", [])), (("dr", "gw_status"), ("dr_gw_status", {})),
    (("dr", "gw_status", "gw1", "0"), ("dr_gw_status", {"gw_id": "gw1", "status": 0})),
    (("dr", "carrier_status", "c"), ("dr_carrier_status", {"carrier_id": "c"})),
    (("cr", "reload"), ("cr_reload_routes", [])), (("cr", "dump"), ("cr_dump_routes", [])),
    (("registrant", "dump"), ("reg_list", [])), (("registrant", "reload"), ("reg_reload", []))])
def test_server(words: tuple[str, ...], asked: tuple[str, Any], ctl: Any, played: Any) -> None:
    played.answers = {asked[0]: {}}
    assert ctl(*words).exit_code == 0 and played.asked == [asked]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.table)
def test_descriptions(kind: Kind) -> None:
    assert set(kind.unique) <= {*kind.words, kind.ident} and not set(kind.words) & set(kind.more)
    needed = [default == "needed" for _, default in kind.words.values()]
    assert needed == sorted(needed, reverse=True), "what must be given stands first"
