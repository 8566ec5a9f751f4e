"""Rules 12 to 31 of the forty: edits, routing, transactions. Each test fails when its rule is broken."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.script import ScriptBook
from osip.core.net.dns import Answer, Naptr, Srv
from osip.core.net.resolve import Resolver

FORK = '$ru = "sip:bob@10.0.0.2"; $branch = "sip:carol@10.0.0.3";'
RR = "Record-Route: <sip:10.0.0.9;lr;ftag=a1>\r\n"


def ringing(text: str, *peers: str, **more: Any) -> ScriptBook:
    """Start a call through a script and let the peers ring."""
    book = ScriptBook(text, **more).recv("INVITE").sent(100)
    for peer in peers:
        book.sent("INVITE", peer).answer(peer, 180).sent(180)
    return book


# --- 12 to 15: message editing ------------------------------------------------------------------------------------------

def test_rule_12_edits_apply_only_when_sending() -> None:
    book = ScriptBook("""route {
        append_hf("X-New: 1\\r\\n"); append_hf("X-New: 2\\r\\n"); remove_hf("X-New");
        remove_hf("X-Old"); replace("alice", "anna");
        if (is_present_hf("X-New")) xlog("sees new");
        if (search("anna")) xlog("sees anna");
        xlog("$hdr(X-Old) $(hdr(X-New)) $fU");
        t_relay();
    }""").recv("INVITE", headers="X-Old: here\r\n").says("here <null> alice").sent(100).sent("INVITE", "bob")
    assert book.got.get_all("X-New") == ["1", "2"] and book.got.get("X-Old") is None
    assert b"anna" in book.got.raw


def test_rule_13_ruri_and_branches_are_live() -> None:
    book = ScriptBook("""route {
        $branch = "sip:carol@10.0.0.3";
        $ru = "sip:dave@10.0.0.4"; $du = "sip:10.0.0.2:5070"; setbflag("F");
        xlog("$ru $du $(branch(uri)[0]) $(branch(duri)[0])");
        append_branch();
        xlog("$ru $du $(branch(uri)[1]) $(branch(duri)[1]) $(branch.flag(F)[0]) $(branch.flag(F)[2])");
        $ru = "sip:x@10.0.0.4";
        xlog("$(branch(uri)[1])");
    }""").recv("INVITE")
    book.says("sip:dave@10.0.0.4 sip:10.0.0.2:5070 sip:carol@10.0.0.3 <null>",
              "sip:dave@10.0.0.4 <null> sip:dave@10.0.0.4 sip:10.0.0.2:5070 0 1", "sip:dave@10.0.0.4")


def test_rule_14_where_an_edit_belongs() -> None:
    book = ScriptBook("""route {
        """ + FORK + """
        append_hf("X-All: 1\\r\\n"); t_on_branch("b"); t_on_failure("f"); t_relay();
    }
    branch_route[b] { append_hf("X-Branch: $T_branch_idx\\r\\n"); }
    failure_route[f] { append_hf("X-Failure: 1\\r\\n"); $ru = "sip:dave@10.0.0.4"; t_relay(); }""").recv("INVITE")
    for peer, number in (("bob", "0"), ("carol", "1")):
        book.sent("INVITE", peer)
        assert [book.got.get_all(name) for name in ("X-All", "X-Branch", "X-Failure")] == [["1"], [number], []]
    book.answer("bob", 486).answer("carol", 486).sent("INVITE", "dave")
    assert [book.got.get_all(name) for name in ("X-All", "X-Branch", "X-Failure")] == [["1"], ["2"], ["1"]]


@pytest.mark.parametrize(("ruri", "recorded"), [
    ("sip:bob@10.0.0.2", ["<sip:10.0.0.9:5060;lr;ftag=a1;x=y>"]),
    ("sip:bob@10.0.0.2;transport=tcp", ["<sip:10.0.0.9:5060;transport=tcp;r2=on;lr;ftag=a1;x=y>",
                                        "<sip:10.0.0.9:5060;r2=on;lr;ftag=a1;x=y>"])])
def test_rule_15_record_route_is_finished_at_send_time(ruri: str, recorded: list[str]) -> None:
    book = ScriptBook('route { record_route(); add_rr_param(";x=y"); if (record_route()) xlog("twice"); t_relay(); }')
    book.recv("INVITE", ruri).says().sent(100).sent("INVITE", "bob")
    assert [value.replace("9;", "9:5060;") for value in book.got.get_all("Record-Route")] == recorded


# --- 16 to 18: what runs, what answers ----------------------------------------------------------------------------------

@pytest.mark.parametrize("word", ["t_newtran()", "t_check_trans()", "t_relay()"])
def test_rule_16_retransmissions_run_the_script_until_tm_sees_them(word: str) -> None:
    relays = word == "t_relay()"                        # it turns the 0 of a retransmission into 1
    book = ScriptBook(f'route {{ xlog("before"); {word}; xlog("behind"); {"" if relays else "t_relay();"} }}')
    book.recv("INVITE").says("before", "behind").again().says("before", *["behind"] * relays)
    book.sent(100).sent("INVITE", "bob").sent(100).quiet()


@pytest.mark.parametrize(("uri", "status", "code"), [
    ("sip:bob@nowhere.example", 476, -4), ("sip:bob@10.0.0.7", 477, -6), ("sip:bob@10.0.0.8", 473, -5),
    ("sip:bob@10.0.0.2:0x", 475, -2)])
@pytest.mark.parametrize(("before", "flags", "is_own"), [("", "", False), ("", '"no-auto-477"', True), ("t_newtran();", "", True)])
def test_rule_17_t_relay_answers_by_itself(uri: str, status: int, code: int, before: str, flags: str, is_own: bool) -> None:
    book = ScriptBook(f"""dst_blacklist = closed : {{ 10.0.0.8 }}
    route {{ {before} use_blacklist("closed"); $ru = $hdr(X-To); $var(c) = t_relay({flags});
        xlog("$var(c)"); if ($var(c) < 0) send_reply(500, "Mine"); }}""")
    book.net.down.add("10.0.0.7:5060")
    book.recv("INVITE", headers=f"X-To: {uri}\r\n").sent(100).sent(500 if is_own else status).quiet()
    assert book.said == [str(code if is_own else 1)]


def test_rule_18_nothing_is_sent_implicitly() -> None:
    ScriptBook('route { append_hf("X: 1\\r\\n"); $du = "sip:10.0.0.2"; xlog("ran"); }').recv("INVITE").says("ran") \
        .quiet().advance(60).quiet()
    ScriptBook('route { t_newtran(); }').recv("INVITE").sent(100).quiet().advance(60).quiet()


# --- 19: failure_route --------------------------------------------------------------------------------------------------

def test_rule_19_failure_route_runs_once_all_branches_failed() -> None:
    book = ringing("route { " + FORK + """ setbflag("F"); t_on_failure("f"); t_relay(); }
    failure_route[f] { xlog("$T_reply_code $ru $rU $(<reply>rr) $T_branch_idx"); }""", "bob", "carol")
    book.answer("carol", 404).sent("ACK", "carol").says().quiet("alice")
    book.answer("bob", 486).sent("ACK", "bob")
    book.says("404 sip:carol@10.0.0.3 carol Reason 1").sent(404).quiet("alice")


def test_rule_19_success_does_not_run_it() -> None:
    book = ringing('route { t_on_failure("f"); t_relay(); } failure_route[f] { xlog("ran"); }', "bob")
    book.answer("bob", 200).sent(200).says().advance(300).says()


def test_rule_19_arming_is_used_up() -> None:
    text = """route { t_on_failure("f"); t_relay(); }
    failure_route[f] { xlog("ran"); %s $ru = "sip:carol@10.0.0.3"; t_relay(); }"""
    book = ScriptBook(text % "").recv("INVITE").sent(100).answer("bob", 486).sent("INVITE", "carol")
    book.answer("carol", 404).says("ran").sent(404)
    book = ScriptBook(text % 't_on_failure("f"); if ($ru != "sip:bob@10.0.0.2") exit;').recv("INVITE").sent(100)
    book.answer("bob", 486).sent("INVITE", "carol").answer("carol", 404).says("ran", "ran").sent(404)


@pytest.mark.parametrize(("status", "code"), [(486, "1"), (603, "-3")])
def test_rule_19_no_new_branch_after_6xx(status: int, code: str) -> None:
    book = ScriptBook("""route { t_on_failure("f"); t_relay(); }
    failure_route[f] { $ru = "sip:carol@10.0.0.3"; $var(c) = t_relay(); xlog("$var(c)"); }""").recv("INVITE").sent(100)
    book.answer("bob", status).says(code)
    if code == "1":
        book.quiet("alice").sent("INVITE", "carol")
    else:
        book.sent(603).quiet("carol")


def test_rule_19_no_new_branch_after_cancel() -> None:
    book = ringing("""route { if (is_method("CANCEL")) { t_relay(); exit; } t_on_failure("f"); t_relay(); }
    failure_route[f] { $ru = "sip:carol@10.0.0.3"; $var(c) = t_relay(); xlog("$var(c)"); }""", "bob")
    book.recv("CANCEL").sent(200).sent("CANCEL", "bob").answer("bob", 487).says("-3").sent(487).quiet("carol")


def test_rule_19_a_reply_in_it_takes_the_place() -> None:
    book = ScriptBook("""route { t_on_failure("f"); t_relay(); }
    failure_route[f] { t_reply(480, "Later"); }""").recv("INVITE").sent(100)
    book.answer("bob", 486).sent(480).quiet("alice")


# --- 20, 21: order and choice -------------------------------------------------------------------------------------------

SERIAL = """route {
    $ru = "sip:bob@10.0.0.2"; $ru_q = %s; append_branch("sip:carol@10.0.0.3", "%s"); append_branch("sip:dave@10.0.0.4", "%s");
    serialize_branches(1); next_branches(); t_on_failure("f"); t_relay();
}
failure_route[f] { if (next_branches()) { t_on_failure("f"); t_relay(); } }"""


@pytest.mark.parametrize(("qs", "rounds"), [
    ((300, "0.9", "0.5"), ["carol", "dave", "bob"]), ((500, "0.9", "0.5"), ["carol", "bob dave"]),
    ((900, "0.9", "0.1"), ["bob carol", "dave"]), ((500, "0.5", "0.5"), ["bob carol dave"])])
def test_rule_20_serial_forking_by_q(qs: tuple[int, str, str], rounds: list[str]) -> None:
    book = ScriptBook(SERIAL % qs).recv("INVITE").sent(100)
    for group in rounds:
        for peer in group.split():
            book.sent("INVITE", peer)
        book.quiet("bob", "carol", "dave")
        for peer in group.split():
            book.answer(peer, 486).sent("ACK", peer)
    book.sent(486).quiet()


@pytest.mark.parametrize(("bob", "carol", "best"), [
    (486, 603, 603), (302, 404, 302), (404, 401, 401), (486, 407, 407), (486, 415, 415), (404, 420, 420), (404, 484, 484),
    (500, 486, 486), (500, 408, 500), (408, 503, 408), (503, 500, 500), (302, 603, 603), (401, 302, 302),
    (503, 503, 500)])
def test_rule_21_the_winning_reply(bob: int, carol: int, best: int) -> None:
    for first, second in ((bob, carol), (carol, bob)):
        book = ScriptBook("route { " + FORK + " t_relay(); }").recv("INVITE").sent(100)
        book.answer("bob", first).answer("carol", second).sent(best).quiet("alice")


def test_rule_21_503_stays_when_asked() -> None:
    for config, status in (({}, 500), ({"disable_503_translation": 1}, 503)):
        ScriptBook("route { t_relay(); }", **config).recv("INVITE").sent(100).answer("bob", 503).sent(status)


def test_rule_21_challenges_are_gathered() -> None:
    book = ScriptBook("route { " + FORK + " t_relay(); }").recv("INVITE").sent(100)
    book.answer("bob", 401, headers='WWW-Authenticate: Digest realm="b"\r\n')
    book.answer("carol", 407, headers='Proxy-Authenticate: Digest realm="c"\r\n').sent(401)
    assert book.got.get_all("WWW-Authenticate") == ['Digest realm="b"']
    assert book.got.get_all("Proxy-Authenticate") == ['Digest realm="c"']


def test_rule_21_successes_pass_at_once() -> None:
    book = ringing("route { " + FORK + " t_relay(); }", "bob", "carol")
    book.answer("bob", 100).quiet("alice").answer("bob", 200).sent(200).sent("CANCEL", "carol")
    book.answer("carol", 180).quiet("alice").answer("carol", 200, to_tag="c").sent(200)
    assert book.got.to_tag == "c"


# --- 22 to 26: timers, CANCEL, ACK, routes of replies and branches -------------------------------------------------------

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
    book = ScriptBook(CANCELS).recv("INVITE", "sip:x@nowhere.example").sent(100).sent("INVITE", "bob").sent("INVITE", "carol")
    branch = book.got.via1_branch
    book.answer("bob", 180).sent(180).recv("CANCEL", "sip:x@nowhere.example").sent(200).says("relayed")
    book.sent("CANCEL", "bob").quiet("carol")
    book.answer("carol", 180).sent(180).sent("CANCEL", "carol")
    assert book.got.via1_branch == branch and book.got.ruri == "sip:carol@10.0.0.3" and len(book.got.vias) == 1
    book.answer("bob", 487).quiet("alice").answer("carol", 487).sent(487).quiet("alice")


def test_rule_23_cancel_without_invite_gets_no_reply_from_tm() -> None:
    book = ScriptBook('route { t_relay(); }').recv("CANCEL")
    book.sent("CANCEL", "bob").quiet("alice").gone()


ACKS = """route { if (is_method("ACK")) { if (t_check_trans()) { xlog("hop"); t_relay(); } else { loose_route(); xlog("end to end");
t_relay(); } exit; } record_route(); t_relay(); }"""


def test_rule_24_ack_of_a_failure_is_hop_by_hop() -> None:
    book = ScriptBook(ACKS).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 486).sent("ACK", "bob").sent(486)
    book.recv("ACK", to_tag="tag-bob")
    assert book.said in ([], ["hop"])
    book.quiet()


def test_rule_24_ack_of_a_success_is_routed() -> None:
    book = ringing(ACKS, "bob").answer("bob", 200).sent(200)
    book.recv("ACK", "sip:bob@10.0.0.2:5060", branch="z9hG4bK-9", to_tag="tag-bob",
              headers="Route: <sip:10.0.0.9;lr;ftag=a1>, <sip:10.0.0.4;lr>\r\n").says("end to end")
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
    book = ScriptBook(REPLIES % ("", "", "")).recv("INVITE").sent(100).advance(40).sent(408).says()


@pytest.mark.parametrize(("word", "sent"), [("drop;", False), ("exit;", True), ("return(0);", True), (";", True), ("return(-1);", True)])
def test_rule_26_only_drop_removes_a_branch(word: str, sent: bool) -> None:
    book = ScriptBook("route { " + FORK + ' t_on_branch("b"); $var(c) = t_relay(); xlog("$var(c)"); } '
                      f'branch_route[b] {{ if ($rU == "carol") {{ {word} }} }}').recv("INVITE").sent(100).says("1")
    book.sent("INVITE", "bob").quiet("bob")
    if sent:
        book.sent("INVITE", "carol")
    book.quiet("carol")


def test_rule_26_all_branches_dropped() -> None:
    text = 'route { %s $var(c) = t_relay(); xlog("$var(c)"); } branch_route[b] { drop; }'
    ScriptBook(text % 't_on_branch("b");').recv("INVITE").says("1").sent(100).sent(500).quiet()
    ScriptBook(text % 't_on_branch("b"); t_newtran();').recv("INVITE").says("-3").sent(100).quiet()


# --- 27 to 31: Route, contexts, Via, stateless replies, DNS --------------------------------------------------------------

OURS, NEXT, STRICT = "<sip:10.0.0.9;lr>", "<sip:10.0.0.3;lr>", "<sip:10.0.0.3>"


@pytest.mark.parametrize(("routes", "ruri", "tag", "code", "du", "left", "now"), [
    ([], "sip:bob@10.0.0.2", "t", -1, None, [], "sip:bob@10.0.0.2"),
    ([OURS], "sip:bob@10.0.0.2", "", -1, None, [], "sip:bob@10.0.0.2"), ([OURS], "sip:bob@10.0.0.2", "t", 1, None, [], "sip:bob@10.0.0.2"),
    ([NEXT], "sip:bob@10.0.0.2", "", 1, "sip:10.0.0.3;lr", [NEXT], "sip:bob@10.0.0.2"),
    ([OURS, NEXT], "sip:bob@10.0.0.2", "", 1, "sip:10.0.0.3;lr", [NEXT], "sip:bob@10.0.0.2"),
    (["<sip:bob@10.0.0.2>"], "sip:10.0.0.9;lr", "t", 1, None, [], "sip:bob@10.0.0.2"),
    ([OURS, STRICT], "sip:bob@10.0.0.2", "t", 1, None, ["<sip:bob@10.0.0.2>"], "sip:10.0.0.3")])
def test_rule_27_loose_route(routes: list[str], ruri: str, tag: str, code: int, du: str | None, left: list[str], now: str) -> None:
    book = ScriptBook('route { $var(c) = loose_route(); xlog("$var(c) $du"); t_relay(); }')
    book.recv("INVITE", ruri, to_tag=tag, headers="".join(f"Route: {route}\r\n" for route in routes))
    book.says(f"{code} {du or '<null>'}")
    sent = [m for peer in ("bob", "carol") for m in (book._collect() or book.received.get(peer, []))]
    assert [m.ruri for m in sent] == [now] and book.said == []
    assert sent[0].get_all("Route") == left


def test_rule_28_variables_depend_on_the_route() -> None:
    book = ScriptBook("""route {
        """ + FORK + """
        xlog("$T_branch_idx $T_reply_code $(<reply>rs)");
        t_on_branch("b"); t_on_reply("r"); t_on_failure("f"); t_relay(); }
    branch_route[b] { xlog("$T_branch_idx $ru"); }
    onreply_route { xlog("$ru"); }
    onreply_route[r] { xlog("$ru $(<request>ru) $T_ruri $T_branch_idx $T_reply_code"); }
    failure_route[f] { xlog("$ru $T_reply_code $(<reply>rs) $(<reply>hdr(X)) $(<request>ci) $rs"); }""")
    book.recv("INVITE", "sip:x@example.com").says("<null> 0 <null>", "0 sip:bob@10.0.0.2", "1 sip:carol@10.0.0.3")
    book.answer("bob", 486, headers="X: b\r\n").says("<null>", "<null> sip:x@example.com sip:bob@10.0.0.2 0 486")
    book.answer("carol", 404, headers="X: c\r\n")
    assert book.said[-1] == "sip:carol@10.0.0.3 404 404 c call-1 <null>"


@pytest.mark.parametrize(("via", "via_params", "word", "expected", "port"), [
    ("10.0.0.1:5060", "", "", "", 5060), ("10.9.9.9:5070", "", "", ";received=10.0.0.1", 5070),
    ("10.9.9.9:5070", ";rport", "", ";rport=6000;received=10.0.0.1", 6000),
    ("10.9.9.9:5070", "", "force_rport();", ";rport=6000;received=10.0.0.1", 6000)])
def test_rule_29_via_of_the_peer(via: str, via_params: str, word: str, expected: str, port: int) -> None:
    book = ScriptBook(f"route {{ {word} t_relay(); }}")
    book.feed(message.request(via=via, via_params=via_params), port=6000)
    assert [where for where, _ in book.net.log] == [f"10.0.0.1:{port}", "10.0.0.2:5060"]
    book._collect()
    got = str(book.received["bob"][0].vias[1])
    assert all(part in got for part in expected.split(";") if part) and ("received" in got) == bool(expected), got


def test_rule_29_branch_ids_repeat() -> None:
    for word in ("t_relay();", "forward();"):
        book = ScriptBook(f"route {{ {word} }}").recv("INVITE")
        if word == "t_relay();":
            book.answer("bob", 180).recv("CANCEL").advance(0.1)
        else:
            book.again().recv("CANCEL")
        book._collect()
        branches = {m.via1_branch for m in book.received["bob"]}
        assert len(book.received["bob"]) > 1 and len(branches) == 1
    book.recv("INVITE", branch="z9hG4bK-other")._collect()
    assert len({m.via1_branch for m in book.received["bob"]}) == 2


def test_rule_30_the_ack_of_a_stateless_reply_is_absorbed() -> None:
    book = ScriptBook('route { xlog("$rm"); sl_send_reply(404, "Not here"); }').recv("INVITE").sent(404).says("INVITE")
    tag = book.got.to_tag
    assert tag
    book.again().sent(404).says("INVITE").check(lambda msg: msg.to_tag == tag)
    book.recv("ACK", to_tag=tag).says().quiet()
    book.recv("ACK", to_tag="another").says("ACK").quiet()


ZONE = {("NAPTR", "full.example"): (Naptr(10, 50, "s", "sip+d2t", "_sip._tcp.full.example"),
                                    Naptr(20, 50, "s", "sip+d2u", "_sip._udp.full.example")),
        ("SRV", "_sip._tcp.full.example"): (Srv(2, 0, 5082, "b.full.example"), Srv(1, 0, 5081, "a.full.example")),
        ("SRV", "_sip._udp.full.example"): (Srv(1, 0, 5083, "a.full.example"),),
        ("A", "a.full.example"): ("10.0.0.2",), ("A", "b.full.example"): ("10.0.0.3",), ("A", "full.example"): ("10.0.0.4",)}


@pytest.mark.parametrize(("uri", "down", "first"), [
    ("sip:x@full.example", [], "10.0.0.2:5081"), ("sip:x@full.example", ["10.0.0.2:5081"], "10.0.0.3:5082"),
    ("sip:x@full.example;transport=udp", [], "10.0.0.2:5083"), ("sip:x@full.example:5099", [], "10.0.0.4:5099"),
    ("sip:x@full.example;maddr=10.0.0.3", [], "10.0.0.3:5060"), ("sip:x@full.example;transport=tcp;maddr=10.0.0.3", [], "10.0.0.3:5060"),
    ("sip:x@full.example;transport=tcp", ["10.0.0.2:5081", "10.0.0.3:5082"], "")])
async def test_rule_31_dns_order_and_fail_over(uri: str, down: list[str], first: str) -> None:
    book = ScriptBook('route { t_on_failure("f"); t_relay(); } failure_route[f] { xlog("failed $T_reply_code"); }')

    async def query(kind: str, name: str) -> Answer:
        return Answer(ZONE.get((kind, name), ()), 60.0)
    resolver = Resolver(book.env.config, {"udp", "tcp"}, query=query, hosts={})
    book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
    book.net.down.update(down)
    book.recv("INVITE", uri)
    while book.env._tasks:
        await next(iter(book.env._tasks))
    sent = [where for where, raw in book.net.log if raw.startswith(b"INVITE")]
    assert sent == ([first] if first else [])           # no other transport, no other address
    assert bool(book.said) is not bool(first)           # fail-over comes before failure_route


def test_rule_31_sips_goes_by_tls_or_not_at_all() -> None:
    book = ScriptBook("route { t_relay(); }")
    resolver = Resolver(book.env.config, {"udp", "tcp"}, hosts={})
    book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
    book.recv("INVITE", "sips:bob@10.0.0.2").sent(100).sent(476).quiet("bob")


def test_rule_31_the_next_address_before_failure_route() -> None:
    book = ScriptBook('route { t_on_failure("f"); t_relay(); } failure_route[f] { xlog("failed"); }')
    book.net.names["two.example"] = ["10.0.0.2", "10.0.0.3"]
    book.recv("INVITE", "sip:x@two.example").sent("INVITE", "bob").answer("bob", 503).says().sent("INVITE", "carol")
    book.answer("carol", 503).says("failed")
