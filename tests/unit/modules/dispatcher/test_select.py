"""Selecting destinations, and going on with the next."""
from __future__ import annotations

from collections import Counter

import pytest
from kit.gateways import LIST, Gateways
from kit.playbook import FakeProgram

from osip.api import Target
from osip.modules.dispatcher.flag import parse_flags, parse_sets
from osip.modules.dispatcher.state import ACTIVE, INACTIVE, PROBING


def select(gates, ctx, sets="1", alg="8", flags="", limit=0, domain=False):
    run = gates.ds.ds_select_domain if domain else gates.ds.ds_select_dst
    return run(ctx, parse_sets(sets), tuple(map(int, alg.split(","))), parse_flags(flags), None, limit)


def tries(gates, ctx):
    """Return all destinations that failover reaches, from the one in use on."""
    found = [ctx.target.du]
    while gates.ds.ds_next_dst(ctx) > 0:
        found.append(ctx.target.du)
    return [uri.removeprefix("sip:10.") for uri in found]


ORDERS = [      # sets, algorithm, flags, limit, what is tried
    ("1", "8", "f", 0, ["1.0.1", "1.0.2:5070", "1.0.3;transport=tcp"]), ("1", "8", "", 0, ["1.0.1"]),
    ("1", "8", "2", 0, ["1.0.1", "1.0.2:5070"]), ("1", "8", "f", 2, ["1.0.1", "1.0.2:5070"]),
    ("2,1", "8", "f", 0, ["2.0.1", "2.0.2", "1.0.1", "1.0.2:5070", "1.0.3;transport=tcp"]),
    ("1", "99", "f", 1, ["1.0.1"]), ("1", "4", "f", 0, ["1.0.1", "1.0.2:5070", "1.0.3;transport=tcp"]),
    ("7,2", "8", "f", 0, ["2.0.1", "2.0.2"]), ("1", "8", "fd", 0, ["1.0.1", "1.0.2:5070", "1.0.3;transport=tcp"])]


@pytest.mark.parametrize(("sets", "alg", "flags", "limit", "order"), ORDERS)
def test_order(sets, alg, flags, limit, order):
    gates = Gateways()
    ctx = gates.ctx()
    assert select(gates, ctx, sets, alg, flags, limit) == 1
    assert tries(gates, ctx) == order


def test_nothing_active():
    gates = Gateways()
    ctx = gates.ctx()
    assert select(gates, ctx, "7") == -1
    for _, destination in gates.partition.all():
        destination.state = PROBING
    assert select(gates, ctx, "1") == -1
    assert ctx.target.du is None and gates.ds.ds_next_dst(ctx) == -1


def test_the_last_one_as_default():
    gates = Gateways()
    for destination in gates.partition.groups[1].destinations:
        destination.state = PROBING
    ctx = gates.ctx()
    assert select(gates, ctx, flags="d") == 1 and ctx.target.du == "sip:10.1.0.3;transport=tcp"
    gates.destination("0.3").state = INACTIVE
    assert select(gates, gates.ctx(), flags="d") == -1


HASHES = [      # algorithm, flags, two requests, same destination for both always
    ("0", "", {"call_id": "x"}, {"call_id": "x", "ruri": "sip:other@h"}),
    ("1", "", {"from_tag": "1"}, {"from_tag": "2", "call_id": "z"}),
    ("2", "", {"ruri": "sip:a@h"}, {"ruri": "sip:b@h"}),
    ("3", "", {"ruri": "sip:a@H;x=y"}, {"ruri": "sip:a@h:5060"}),
    ("3", "u", {"ruri": "sip:a@h"}, {"ruri": "sip:a@other"})]


@pytest.mark.parametrize(("alg", "flags", "one", "two"), HASHES)
def test_hashing(alg, flags, one, two):
    gates = Gateways()
    first, second = gates.ctx(**one), gates.ctx(**two)
    assert select(gates, first, alg=alg, flags=flags) == select(gates, second, alg=alg, flags=flags) == 1
    assert first.target.du == second.target.du


@pytest.mark.parametrize(("alg", "key"), [("0", "call_id"), ("3", "ruri")])
def test_hashing_spreads(alg, key):
    gates = Gateways()
    found = Counter()
    for number in range(300):
        ctx = gates.ctx(**{key: f"c{number}" if key == "call_id" else f"sip:u{number}@h"})
        select(gates, ctx, alg=alg)
        found[ctx.target.du] += 1
    assert len(found) == 3 and min(found.values()) > 60


def test_round_robin_by_weight():
    gates = Gateways()
    chosen = []
    for _ in range(8):
        ctx = gates.ctx()
        select(gates, ctx, "2", "4")
        chosen.append(ctx.target.du[-1])
    assert "".join(chosen) == "11121112"
    assert gates.destination("0.1", 2).hits == 6


def test_by_user_of_the_credentials_else_in_turn():
    gates = Gateways()
    header = 'Proxy-Authorization: Digest username="al", realm="r", nonce="n", uri="sip:h", response="0"\r\n'
    chosen = []
    for headers in (header, header, header, "", "", ""):
        ctx = gates.ctx(headers=headers)
        assert select(gates, ctx, alg="5") == 1
        chosen.append(ctx.target.du)
    assert len(set(chosen[:3])) == 1 and len(set(chosen[3:])) == 3


def test_at_random():
    gates = Gateways()
    found = Counter()
    for _ in range(400):
        ctx = gates.ctx()
        select(gates, ctx, "2", "6")
        found[ctx.target.du] += 1
    assert 240 < found["sip:10.2.0.1"] < 360


class Words(FakeProgram):
    """A program whose format strings know one variable."""

    def expand(self, ctx, text):
        loads = {"$stat(load_sip:10.1.0.1)": "7", "$stat(load_sip:10.1.0.2:5070)": "3"}
        return loads.get(text, "<null>" if "stat" in text else text.replace("$ci", ctx.msg.call_id))


def test_hash_of_a_text_and_lowest_load():
    gates = Gateways(params={"hash_pvar": "key-$ci", "pvar_algo_pattern": "$stat(load_%u)"}, program=Words())
    one, two = gates.ctx("a"), gates.ctx("a", ruri="sip:x@y")
    assert select(gates, one, alg="7") == select(gates, two, alg="7") == 1
    assert one.target.du == two.target.du
    ctx = gates.ctx()
    select(gates, ctx, alg="9", flags="f")
    assert tries(gates, ctx) == ["1.0.2:5070", "1.0.1", "1.0.3;transport=tcp"]


def test_score_of_a_route():
    seen = []

    def score(ctx):
        seen.append(ctx.params)
        return {"sip:10.1.0.1": 9, "sip:10.1.0.2:5070": 4}.get(ctx.params[0], 6)
    gates = Gateways(params={"algo_route": "score"}, program=FakeProgram(score=score))
    ctx = gates.ctx()
    ctx.params = ("outer",)
    select(gates, ctx, alg="10", flags="f")
    assert tries(gates, ctx) == ["1.0.2:5070", "1.0.3;transport=tcp", "1.0.1"]
    assert seen[0] == ("sip:10.1.0.1", "weight=1") and ctx.params == ("outer",)


def test_avps():
    gates = Gateways(params={"attrs_avp": "at", "script_attrs_avp": "sat"})
    gates.destination("0.1").script_attrs = "s1"
    ctx = gates.ctx()
    select(gates, ctx, flags="f")
    newest = {name: values[-1] for name, values in ctx.avps.items()}
    assert newest == {"ds_dst_failover": "sip:10.1.0.1", "ds_grp_failover": 1, "ds_sock_failover": "",
                      "ds_cnt_failover": 3, "at": "weight=1", "sat": "s1"}
    gates.ds.ds_next_dst(ctx)
    assert (ctx.avps["ds_dst_failover"][-1], ctx.avps["ds_cnt_failover"], ctx.avps["at"][-1]) == (
        "sip:10.1.0.2:5070", [2], "weight=1;site=a")


def test_append():
    gates = Gateways()
    ctx = gates.ctx()
    select(gates, ctx, "2", flags="f")
    assert select(gates, ctx, "1", flags="fa") == 1
    assert ctx.target.du == "sip:10.2.0.1"
    assert tries(gates, ctx) == ["2.0.1", "2.0.2", "1.0.1", "1.0.2:5070", "1.0.3;transport=tcp"]
    fresh = gates.ctx()
    select(gates, fresh, "1", flags="fa")
    assert fresh.target.du == "sip:10.1.0.1"


DOMAINS = [("sip:bob@h", 1, "sip:bob@10.1.0.1"), ("sip:bob@h:5090;x=y?a=b", 2, "sip:bob@10.1.0.2:5070;x=y?a=b"),
           ("sip:bob@h;transport=udp", 3, "sip:bob@10.1.0.3;transport=tcp")]


@pytest.mark.parametrize(("ruri", "which", "result"), DOMAINS)
def test_select_domain(ruri, which, result):
    gates = Gateways()
    ctx = gates.ctx(ruri=ruri)
    assert select(gates, ctx, flags="f", domain=True) == 1
    for _ in range(which - 1):
        assert gates.ds.ds_next_domain(ctx) == 1
    assert ctx.ruri == result and ctx.target.du is None


def test_sockets_come_and_go_with_the_destination():
    gates = Gateways("1 sip:a 0 0 weight=1;socket=udp:10.0.0.9:5062\n1 sip:b 0 0 weight=1\n")
    ctx = gates.ctx()
    select(gates, ctx, flags="f")
    assert ctx.target.socket is gates.env.sockets[1]
    gates.ds.ds_next_dst(ctx)
    assert ctx.target.du == "sip:b" and ctx.target.socket is None


def test_what_failed_meanwhile_is_passed_over_but_not_the_last_resort():
    gates = Gateways()
    ctx = gates.ctx()
    select(gates, ctx, flags="f")
    gates.destination("0.2").state = PROBING
    assert gates.ds.ds_next_dst(ctx) == 1 and ctx.target.du == "sip:10.1.0.3;transport=tcp"
    assert gates.ds.ds_next_dst(ctx) == -1


def test_a_reload_in_between():
    gates = Gateways()
    ctx = gates.ctx()
    select(gates, ctx, flags="f")
    gates.partition.replace({}, True)
    assert gates.ds.ds_mark_dst(ctx) == -1
    assert gates.ds.ds_next_dst(ctx) == 1 and ctx.target.du == "sip:10.1.0.2:5070"


def test_flags_of_1x():
    gates = Gateways(params={"flags": 2})
    ctx = gates.ctx()
    select(gates, ctx)
    assert len(tries(gates, ctx)) == 3
    gates = Gateways(params={"flags": 1})
    one, two = gates.ctx(ruri="sip:a@h"), gates.ctx(ruri="sip:a@other")
    select(gates, one, alg="3"), select(gates, two, alg="3")
    assert one.target.du == two.target.du


def test_branches_keep_their_own_target():
    gates = Gateways()
    ctx = gates.ctx()
    ctx.add_target(Target("sip:x@y"))
    select(gates, ctx)
    assert ctx.targets[0].du is None


def test_the_list_of_the_tests_is_all_active():
    assert {d.state for _, d in Gateways(LIST).partition.all()} == {ACTIVE}
