"""Copies by t_replicate: their responses stop here, those to the request itself go up."""
from __future__ import annotations

import pytest

from kit.playbook import Playbook
from kit.script import ScriptBook

COPY = 't_replicate("sip:carol@10.0.0.3"); '


def book(rest: str, more: str = "") -> Playbook:
    return ScriptBook("route { " + COPY + rest + " } " + more)


@pytest.mark.parametrize("reply", ['send_reply(200, "OK");', 't_reply(200, "OK");', 'sl_send_reply(200, "OK");'])
def test_our_own_reply_goes_up(reply: str) -> None:
    play = book(reply).recv("REGISTER").sent(200).sent("REGISTER", "carol").answer("carol", 404, "REGISTER")
    play.quiet().advance(40).gone()


def test_a_copy_of_an_answered_request() -> None:
    play = ScriptBook('route { t_newtran(); t_reply(200, "OK"); ' + COPY + "}").recv("REGISTER").sent(200).sent("REGISTER", "carol")
    play.again().sent(200).quiet("carol").answer("carol", 200, "REGISTER").quiet().advance(60).gone()


@pytest.mark.parametrize("status", [200, 486])
@pytest.mark.parametrize("copied", [200, 404, 603, 0])
def test_the_responses_to_a_later_relay_go_up(status: int, copied: int) -> None:
    play = book("t_relay();").recv("INVITE").sent(100).sent("INVITE", "carol").sent("INVITE", "bob")
    play.check(lambda m: m.max_forwards == 69)
    if copied:
        play.answer("carol", 180).answer("carol", copied).quiet("alice", "bob")
    play.answer("bob", 180).sent(180).answer("bob", status).sent(status).quiet("alice").advance(200)


def test_a_copy_counts_for_nothing_in_the_choice() -> None:
    more = 'failure_route[F] { xlog("failed $T_reply_code"); }'
    play = book('t_on_failure("F"); t_relay();', more).recv("INVITE").answer("carol", 603).answer("bob", 480)
    play.sent(100).sent(480)
    assert [line for line in play.said if line.startswith("failed")] == ["failed 480"]      # type: ignore[attr-defined]


def test_a_copy_out_of_a_failure_route() -> None:
    play = ScriptBook('route { t_on_failure("F"); t_relay(); } failure_route[F] { ' + COPY + "}")
    play.recv("INVITE").sent(100).answer("bob", 480).sent(480).sent("INVITE", "carol").answer("carol", 200).quiet("alice")


def test_nothing_but_a_copy() -> None:
    play = book("").recv("MESSAGE").sent("MESSAGE", "carol").again().answer("carol", 200, "MESSAGE").again()
    play.quiet().advance(6).gone()


def test_a_copy_that_nobody_answers() -> None:
    book("").recv("INVITE").sent(100).sent("INVITE", "carol").advance(400).quiet("alice").gone()


def test_the_caller_cancels_while_only_copies_ring() -> None:
    play = book("").recv("INVITE").sent(100).sent("INVITE", "carol").answer("carol", 180).recv("CANCEL").sent(200)
    play.sent(487).sent("CANCEL", "carol").answer("carol", 487).sent("ACK", "carol").quiet("alice")
