"""Rules 22 to 26 of the forty: timers, CANCEL, ACK, routes. Each test fails when its rule is broken."""

from __future__ import annotations

from typing import Any

import pytest
from kit.script import ScriptBook

FORK = '$ru = "sip:bob@10.0.0.2"; $branch = "sip:carol@10.0.0.3";'


def ringing(text: str, *peers: str, **more: Any) -> ScriptBook:
    """Start a call through a script and let the peers ring."""
    book = ScriptBook(text, **more).recv("INVITE").sent(100)
    for peer in peers:
        book.sent("INVITE", peer).answer(peer, 180).sent(180)
    return book


# --- 22 to 26: timers, CANCEL, ACK, routes of replies and branches ---------------------------------------------------

TIMED = """modparam("tm", "fr_timeout", 5) modparam("tm", "fr_inv_timeout", 20)
route { t_on_failure("f"); t_relay(); }
failure_route[f] { if (t_local_replied("all")) xlog("local $T_reply_code"); }"""


def test_rule_22_silence_is_408_after_fr_timeout() -> None:
    book = ScriptBook(TIMED).recv("INVITE").sent(100).sent("INVITE", "bob")
    book.advance(4.8).says().quiet("alice").advance(0.5).says("local 408").sent(408)
    assert not [m for m in book.received["bob"] if m.method == "CANCEL"]


def test_rule_22_after_ringing_a_cancel_goes_out_and_408_counts_at_once() -> None:
    book = ringing(TIMED, "bob")
    book.advance(19).says().quiet("bob").advance(1.5).says("local 408").sent("CANCEL", "bob").sent(408)
    book.answer("bob", 200, "CANCEL").answer("bob", 487).sent("ACK", "bob").says().quiet("alice")


CANCELS = """route { if (is_method("CANCEL")) { if (t_relay()) xlog("relayed"); else xlog("none"); exit; }
$ru = "sip:bob@10.0.0.2"; $branch = "sip:carol@10.0.0.3"; t_relay(); }"""


def test_rule_23_cancel_follows_the_invite() -> None:
    book = (
        ScriptBook(CANCELS)
        .recv("INVITE", "sip:x@nowhere.example")
        .sent(100)
        .sent("INVITE", "bob")
        .sent("INVITE", "carol")
    )
    branch = book.got.via1_branch
    book.answer("bob", 180).sent(180).recv("CANCEL", "sip:x@nowhere.example").sent(200).says("relayed")
    book.sent("CANCEL", "bob").quiet("carol")
    book.answer("carol", 180).sent(180).sent("CANCEL", "carol")
    assert book.got.via1_branch == branch and book.got.ruri == "sip:carol@10.0.0.3" and len(book.got.vias) == 1
    book.answer("bob", 487).quiet("alice").answer("carol", 487).sent(487).quiet("alice")


def test_rule_23_cancel_without_invite_gets_no_reply_from_tm() -> None:
    book = ScriptBook("route { t_relay(); }").recv("CANCEL")
    book.sent("CANCEL", "bob").quiet("alice").gone()


ACKS = """route { if (is_method("ACK")) { if (t_check_trans()) { xlog("hop"); t_relay(); }
    else { loose_route(); xlog("end to end");
t_relay(); } exit; } record_route(); t_relay(); }"""


def test_rule_24_ack_of_a_failure_is_hop_by_hop() -> None:
    book = (
        ScriptBook(ACKS).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 486).sent("ACK", "bob").sent(486)
    )
    book.recv("ACK", to_tag="tag-bob")
    assert book.said in ([], ["hop"])
    book.quiet()


def test_rule_24_ack_of_a_success_is_routed() -> None:
    book = ringing(ACKS, "bob").answer("bob", 200).sent(200)
    book.recv(
        "ACK",
        "sip:bob@10.0.0.2:5060",
        branch="z9hG4bK-9",
        to_tag="tag-bob",
        headers="Route: <sip:10.0.0.9;lr;ftag=a1>, <sip:10.0.0.4;lr>\r\n",
    ).says("end to end")
    book.sent("ACK", "dave").quiet()


def test_rule_24_ack_is_never_answered() -> None:
    ScriptBook('route { sl_send_reply(404, "x"); send_reply(404, "x"); t_reply(404, "x"); }').recv("ACK").quiet()


REPLIES = """route { t_on_reply("tx"); t_on_branch("b"); t_relay(); } branch_route[b] { t_on_reply("branch"); }
onreply_route { xlog("global $rs"); %s }
onreply_route[branch] { xlog("branch $rs"); %s }
onreply_route[tx] { xlog("tx $rs"); %s }"""


def test_rule_25_order_of_reply_routes() -> None:
    book = ScriptBook(REPLIES % ("exit;", "exit;", "exit;")).recv("INVITE").sent(100)
    book.answer("bob", 180).says("global 180", "branch 180", "tx 180").sent(180)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_rule_25_drop_stops_provisional_replies_only(place: int) -> None:
    words = ["", "", ""]
    words[place] = "drop;"
    book = ScriptBook(REPLIES % tuple(words)).recv("INVITE").sent(100)
    book.answer("bob", 180).quiet("alice").answer("bob", 486).sent(486)


def test_rule_25_local_replies_do_not_pass_them() -> None:
    ScriptBook(REPLIES % ("", "", "")).recv("INVITE").sent(100).advance(40).sent(408).says()


@pytest.mark.parametrize(
    ("word", "sent"), [("drop;", False), ("exit;", True), ("return(0);", True), (";", True), ("return(-1);", True)]
)
def test_rule_26_only_drop_removes_a_branch(word: str, sent: bool) -> None:
    book = (
        ScriptBook(
            "route { " + FORK + ' t_on_branch("b"); $var(c) = t_relay(); xlog("$var(c)"); } '
            f'branch_route[b] {{ if ($rU == "carol") {{ {word} }} }}'
        )
        .recv("INVITE")
        .sent(100)
        .says("1")
    )
    book.sent("INVITE", "bob").quiet("bob")
    if sent:
        book.sent("INVITE", "carol")
    book.quiet("carol")


def test_rule_26_all_branches_dropped() -> None:
    text = 'route { %s $var(c) = t_relay(); xlog("$var(c)"); } branch_route[b] { drop; }'
    ScriptBook(text % 't_on_branch("b");').recv("INVITE").says("1").sent(100).sent(500).quiet()
    ScriptBook(text % 't_on_branch("b"); t_newtran();').recv("INVITE").says("-3").sent(100).quiet()
