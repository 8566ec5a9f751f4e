"""Rules 12 to 15 of the forty: what an edit changes, and when. Each test fails when its rule is broken."""

from __future__ import annotations

import pytest
from kit.script import ScriptBook

FORK = '$ru = "sip:bob@10.0.0.2"; $branch = "sip:carol@10.0.0.3";'


# --- 12 to 15: message editing ---------------------------------------------------------------------------------------


def test_rule_12_edits_apply_only_when_sending() -> None:
    book = (
        ScriptBook("""route {
        append_hf("X-New: 1\\r\\n"); append_hf("X-New: 2\\r\\n"); remove_hf("X-New");
        remove_hf("X-Old"); replace("alice", "anna");
        if (is_present_hf("X-New")) xlog("sees new");
        if (search("anna")) xlog("sees anna");
        xlog("$hdr(X-Old) $(hdr(X-New)) $fU");
        t_relay();
    }""")
        .recv("INVITE", headers="X-Old: here\r\n")
        .says("here <null> alice")
        .sent(100)
        .sent("INVITE", "bob")
    )
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
    book.says(
        "sip:dave@10.0.0.4 sip:10.0.0.2:5070 sip:carol@10.0.0.3 <null>",
        "sip:dave@10.0.0.4 <null> sip:dave@10.0.0.4 sip:10.0.0.2:5070 0 1",
        "sip:dave@10.0.0.4",
    )


def test_rule_14_where_an_edit_belongs() -> None:
    book = ScriptBook(
        """route {
        """
        + FORK
        + """
        append_hf("X-All: 1\\r\\n"); t_on_branch("b"); t_on_failure("f"); t_relay();
    }
    branch_route[b] { append_hf("X-Branch: $T_branch_idx\\r\\n"); }
    failure_route[f] { append_hf("X-Failure: 1\\r\\n"); $ru = "sip:dave@10.0.0.4"; t_relay(); }"""
    ).recv("INVITE")
    for peer, number in (("bob", "0"), ("carol", "1")):
        book.sent("INVITE", peer)
        assert [book.got.get_all(name) for name in ("X-All", "X-Branch", "X-Failure")] == [["1"], [number], []]
    book.answer("bob", 486).answer("carol", 486).sent("INVITE", "dave")
    assert [book.got.get_all(name) for name in ("X-All", "X-Branch", "X-Failure")] == [["1"], ["2"], ["1"]]


@pytest.mark.parametrize(
    ("ruri", "recorded"),
    [
        ("sip:bob@10.0.0.2", ["<sip:10.0.0.9:5060;lr;ftag=a1;x=y>"]),
        (
            "sip:bob@10.0.0.2;transport=tcp",
            ["<sip:10.0.0.9:5060;transport=tcp;r2=on;lr;ftag=a1;x=y>", "<sip:10.0.0.9:5060;r2=on;lr;ftag=a1;x=y>"],
        ),
    ],
)
def test_rule_15_record_route_is_finished_at_send_time(ruri: str, recorded: list[str]) -> None:
    book = ScriptBook('route { record_route(); add_rr_param(";x=y"); if (record_route()) xlog("twice"); t_relay(); }')
    book.recv("INVITE", ruri).says().sent(100).sent("INVITE", "bob")
    assert [value.replace("9;", "9:5060;") for value in book.got.get_all("Record-Route")] == recorded
