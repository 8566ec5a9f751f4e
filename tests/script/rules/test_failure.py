"""Rules 16 to 21 of the forty: who answers, failure routes, the choice. Each test fails when its rule is broken."""

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


# --- 16 to 18: what runs, what answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["t_newtran()", "t_check_trans()", "t_relay()"])
def test_rule_16_retransmissions_run_the_script_until_tm_sees_them(word: str) -> None:
    relays = word == "t_relay()"  # it turns the 0 of a retransmission into 1
    book = ScriptBook(f'route {{ xlog("before"); {word}; xlog("behind"); {"" if relays else "t_relay();"} }}')
    book.recv("INVITE").says("before", "behind").again().says("before", *["behind"] * relays)
    book.sent(100).sent("INVITE", "bob").sent(100).quiet()


@pytest.mark.parametrize(
    ("uri", "status", "code"),
    [
        ("sip:bob@nowhere.example", 476, -4),
        ("sip:bob@10.0.0.7", 477, -6),
        ("sip:bob@10.0.0.8", 473, -5),
        ("sip:bob@10.0.0.2:0x", 475, -2),
    ],
)
@pytest.mark.parametrize(
    ("before", "flags", "is_own"), [("", "", False), ("", '"no-auto-477"', True), ("t_newtran();", "", True)]
)
def test_rule_17_t_relay_answers_by_itself(
    uri: str, status: int, code: int, before: str, flags: str, is_own: bool
) -> None:
    book = ScriptBook(f"""dst_blacklist = closed : {{ 10.0.0.8 }}
    route {{ {before} use_blacklist("closed"); $ru = $hdr(X-To); $var(c) = t_relay({flags});
        xlog("$var(c)"); if ($var(c) < 0) send_reply(500, "Mine"); }}""")
    book.net.down.add("10.0.0.7:5060")
    book.recv("INVITE", headers=f"X-To: {uri}\r\n").sent(100).sent(500 if is_own else status).quiet()
    assert book.said == [str(code if is_own else 1)]


def test_rule_18_nothing_is_sent_implicitly() -> None:
    ScriptBook('route { append_hf("X: 1\\r\\n"); $du = "sip:10.0.0.2"; xlog("ran"); }').recv("INVITE").says(
        "ran"
    ).quiet().advance(60).quiet()
    ScriptBook("route { t_newtran(); }").recv("INVITE").sent(100).quiet().advance(60).quiet()


# --- 19: failure_route -----------------------------------------------------------------------------------------------


def test_rule_19_failure_route_runs_once_all_branches_failed() -> None:
    book = ringing(
        "route { "
        + FORK
        + """ setbflag("F"); t_on_failure("f"); t_relay(); }
    failure_route[f] { xlog("$T_reply_code $ru $rU $(<reply>rr) $T_branch_idx"); }""",
        "bob",
        "carol",
    )
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
    book = (
        ScriptBook("""route { t_on_failure("f"); t_relay(); }
    failure_route[f] { $ru = "sip:carol@10.0.0.3"; $var(c) = t_relay(); xlog("$var(c)"); }""")
        .recv("INVITE")
        .sent(100)
    )
    book.answer("bob", status).says(code)
    if code == "1":
        book.quiet("alice").sent("INVITE", "carol")
    else:
        book.sent(603).quiet("carol")


def test_rule_19_no_new_branch_after_cancel() -> None:
    book = ringing(
        """route { if (is_method("CANCEL")) { t_relay(); exit; } t_on_failure("f"); t_relay(); }
    failure_route[f] { $ru = "sip:carol@10.0.0.3"; $var(c) = t_relay(); xlog("$var(c)"); }""",
        "bob",
    )
    book.recv("CANCEL").sent(200).sent("CANCEL", "bob").answer("bob", 487).says("-3").sent(487).quiet("carol")


def test_rule_19_a_reply_in_it_takes_the_place() -> None:
    book = (
        ScriptBook("""route { t_on_failure("f"); t_relay(); }
    failure_route[f] { t_reply(480, "Later"); }""")
        .recv("INVITE")
        .sent(100)
    )
    book.answer("bob", 486).sent(480).quiet("alice")


# --- 20, 21: order and choice ----------------------------------------------------------------------------------------

SERIAL = """route {
    $ru = "sip:bob@10.0.0.2"; $ru_q = %s; append_branch("sip:carol@10.0.0.3", "%s");
    append_branch("sip:dave@10.0.0.4", "%s");
    serialize_branches(1); next_branches(); t_on_failure("f"); t_relay();
}
failure_route[f] { if (next_branches()) { t_on_failure("f"); t_relay(); } }"""


@pytest.mark.parametrize(
    ("qs", "rounds"),
    [
        ((300, "0.9", "0.5"), ["carol", "dave", "bob"]),
        ((500, "0.9", "0.5"), ["carol", "bob dave"]),
        ((900, "0.9", "0.1"), ["bob carol", "dave"]),
        ((500, "0.5", "0.5"), ["bob carol dave"]),
    ],
)
def test_rule_20_serial_forking_by_q(qs: tuple[int, str, str], rounds: list[str]) -> None:
    book = ScriptBook(SERIAL % qs).recv("INVITE").sent(100)
    for group in rounds:
        for peer in group.split():
            book.sent("INVITE", peer)
        book.quiet("bob", "carol", "dave")
        for peer in group.split():
            book.answer(peer, 486).sent("ACK", peer)
    book.sent(486).quiet()


def test_rule_20_equal_q_is_no_order() -> None:
    text = """route { $ru = "sip:bob@10.0.0.2"; $ru_q = %d; append_branch("sip:carol@10.0.0.3", "0.5");
    serialize_branches(1); $var(c) = next_branches(); xlog("$var(c) $ru $(branch(uri)[*])"); }"""
    ScriptBook(text % 500).recv("INVITE").says("-1 sip:bob@10.0.0.2 sip:carol@10.0.0.3")
    ScriptBook(text % 400).recv("INVITE").says("1 sip:carol@10.0.0.3 <null>")


@pytest.mark.parametrize(
    ("bob", "carol", "best"),
    [
        (486, 603, 603),
        (302, 404, 302),
        (404, 401, 401),
        (486, 407, 407),
        (486, 415, 415),
        (404, 420, 420),
        (404, 484, 484),
        (500, 486, 486),
        (500, 408, 500),
        (408, 503, 408),
        (503, 500, 500),
        (302, 603, 603),
        (401, 302, 302),
        (503, 503, 500),
    ],
)
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
