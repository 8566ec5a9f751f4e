"""PRX-27 to PRX-41 of the requirements: responses, CANCEL, ACK, timers (RFC 3261 sections 16.7 to 16.11 and 17)."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit import message
from kit.flows import flow, ringing, tm
from kit.script import ScriptBook
from osip.core.net.endpoint import Dest
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse
from osip.modules.tm.branch import CANCEL_SENT

SAMPLE = Path(__file__).resolve().parents[3] / "cfg/rfc3261_proxy.cfg"
OURS = "Via: SIP/2.0/UDP 10.0.0.9:5060;branch="
ALICE = "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1\r\n"


def stray(status: int, branch: str, top: str = OURS, method: str = "INVITE") -> bytes:
    raw = message.response(message.request(method), status)
    return raw.replace(b"Via:", f"{top}{branch}\r\nVia:".encode(), 1)


@pytest.mark.parametrize("status", [180, 200, 404])
def test_prx_27_a_response_without_context_is_forwarded(status: int) -> None:
    play = ScriptBook(SAMPLE).feed(stray(status, "z9hG4bK.s12345"), "bob").sent(status)
    play.check(lambda m: len(m.vias) == 1)
    assert play.env.dispatch.fwd_replies == 1


def test_prx_27_unless_forbidden() -> None:
    play = ScriptBook(SAMPLE, disable_stateless_fwd=1).feed(stray(200, "z9hG4bK.s12345"), "bob")
    play.quiet()
    assert play.env.dispatch.drop_replies == 1 and not play.net.log


@pytest.mark.parametrize("status,arrives", [(180, False), (200, True), (404, False)])
def test_prx_27_what_is_left_of_a_transaction_of_ours_is_no_second_answer(status: int, arrives: bool) -> None:
    """RFC 6026 section 7.3: only a 2xx goes on, which its caller has to acknowledge."""
    play = ScriptBook(SAMPLE).recv("INVITE").sent(100).sent("INVITE", "bob").advance(32.5).sent(408)
    play.recv("ACK", to_tag=play.got.to_tag).advance(33).gone()
    play.quiet("alice").answer("bob", status)
    play.sent(status) if arrives else play.quiet("alice")


@pytest.mark.parametrize("top,status", [("", 200), ("Via: SIP/2.0/UDP 10.0.0.66:5060;branch=", 200)])
def test_prx_28_the_top_via_must_be_ours_and_another_must_follow(top: str, status: int) -> None:
    raw = stray(status, "z9hG4bK-x", top) if top else message.response(message.request(), status).replace(
        ALICE.encode(), f"{OURS}z9hG4bK-x\r\n".encode())
    play = ScriptBook(SAMPLE, check_via=1).feed(raw, "bob")
    assert not play.net.log and play.env.dispatch.drop_replies == 1


def test_prx_29_what_is_passed_at_once() -> None:
    play = flow("bob", "carol").recv("INVITE").sent(100).sent("INVITE", "bob").sent("INVITE", "carol")
    play.answer("bob", 100).quiet("alice").answer("bob", 180).sent(180).answer("carol", 183).sent(183)
    play.answer("bob", 603).quiet("alice").sent("ACK", "bob").sent("CANCEL", "carol")
    play.answer("carol", 200, "CANCEL").answer("carol", 487).sent(603)


def test_prx_29_a_2xx_of_one_branch() -> None:
    ringing("bob", "carol").answer("carol", 200).sent(200).sent("CANCEL", "bob")


def test_prx_30_after_the_final_response_only_2xx() -> None:
    play = ringing("bob", "carol").answer("bob", 200).sent(200).sent("CANCEL", "carol")
    play.answer("carol", 183).quiet("alice").answer("carol", 200, to_tag="other").sent(200)
    play.check(lambda m: m.to_tag == "other").answer("bob", 200).sent(200).answer("bob", 404).quiet("alice")


BEST = [((404, 486), 404), ((486, 404), 404), ((503, 404), 404), ((503, 503), 500), ((401, 404), 401), ((404, 407), 407),
        ((500, 486), 486), ((302, 404), 302), ((603, 200), 200), ((302, 603), 603), ((415, 484), 415), ((480, 408), 480)]


@pytest.mark.parametrize("codes,best", BEST)
def test_prx_31_the_best_response(codes: tuple[int, int], best: int) -> None:
    play = ringing("bob", "carol").answer("bob", codes[0])
    play.answer("carol", codes[1]).sent(best).quiet("alice")


def test_prx_31_a_503_as_it_is_when_asked_for() -> None:
    ringing("bob", config={"disable_503_translation": 1}).answer("bob", 503).sent(503)


def test_prx_31_no_answer_at_all() -> None:
    flow(params={"tm": {"fr_timeout": 2}}).recv("INVITE").sent(100).advance(2.2).sent(408)


def test_prx_32_challenges_are_gathered() -> None:
    play = ringing("bob", "carol").answer("bob", 401, headers='WWW-Authenticate: Digest realm="b", nonce="1"\r\n')
    play.answer("carol", 407, headers='Proxy-Authenticate: Digest realm="c", nonce="2"\r\n').sent(401)
    play.check(lambda m: 'realm="b"' in m.get("WWW-Authenticate") and 'realm="c"' in m.get("Proxy-Authenticate"))


def test_prx_33_no_record_route_needs_rewriting_in_a_response() -> None:
    """A double Record-Route says both addresses, so that the response can stay as it is (RFC 5658 section 4)."""
    play = ScriptBook("route { record_route(); t_relay(); }").recv("INVITE", "sip:bob@10.0.0.2;transport=tcp")
    routes = play.sent(100).sent("INVITE", "bob").got.get_all("Record-Route")
    play.answer("bob", 200).sent(200).check(lambda m: m.get_all("Record-Route") == routes and len(routes) == 2)


@pytest.mark.parametrize("params,port", [("", 5060), (";rport", 33333)])
def test_prx_34_where_responses_go(params: str, port: int) -> None:
    raw = message.request(via="192.168.1.1:5060", via_params=params)
    play = ScriptBook(SAMPLE)
    play.feed(raw, "alice", port=33333).sent("INVITE", "bob").answer("bob", 200)
    assert [where for where, data in play.net.log if data.startswith(b"SIP/2.0 200")] == [f"10.0.0.1:{port}"]
    via = parse(play.received["bob"][0].raw).vias[1]
    assert via.received == "10.0.0.1" and (via.rport == "33333") == bool(params)


def test_prx_34_rport_can_be_forced() -> None:
    play = ScriptBook("route { force_rport(); t_relay(); }")
    play.feed(message.request(), "alice", port=33333)
    assert {where for where, data in play.net.log if data.startswith(b"SIP/2.0")} == {"10.0.0.1:33333"}


@pytest.mark.parametrize("code", [200, 603])
def test_prx_35_the_others_are_cancelled(code: int) -> None:
    play = ringing("bob", "carol", "dave").answer("bob", code).sent("CANCEL", "carol").sent("CANCEL", "dave")
    play.answer("carol", 200, "CANCEL").answer("carol", 487).sent("ACK", "carol")


def test_prx_36_cancel_races() -> None:
    play = flow("bob", "carol").recv("INVITE").sent(100).answer("bob", 180).sent(180)
    play.recv("CANCEL").sent(200).check(lambda m: m.cseq_method == "CANCEL")
    play.sent("INVITE", "bob").sent("CANCEL", "bob").sent("INVITE", "carol").quiet("carol")     # carol: not yet
    play.answer("carol", 180).sent("CANCEL", "carol").answer("carol", 200).sent(180).sent(200)  # it was too late
    play.answer("bob", 487).sent("ACK", "bob").quiet("alice")


def test_prx_36_a_cancel_without_context_goes_on() -> None:
    play = ScriptBook(SAMPLE).recv("CANCEL").sent("CANCEL", "bob").quiet("alice").answer("bob", 481, "CANCEL").sent(481)


def test_prx_36_a_cancel_that_comes_when_all_is_over() -> None:
    play = ScriptBook(SAMPLE).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 200).sent(200)
    play.advance(8).gone().recv("CANCEL").sent(200).check(lambda m: m.cseq_method == "CANCEL").quiet("bob")


def test_prx_37_acks() -> None:
    play = ScriptBook(SAMPLE).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 200).sent(200)
    play.recv("ACK", to_tag="tag-bob", branch="z9hG4bK-ack").sent("ACK", "bob").check(lambda m: len(m.vias) == 2)
    play.recv("INVITE", call_id="2", branch="z9hG4bK-2").sent(100).sent("INVITE", "bob").answer("bob", 404)
    play.sent("ACK", "bob").sent(404).recv("ACK", call_id="2", branch="z9hG4bK-2", to_tag="tag-bob").quiet("bob")
    play.advance(4).quiet("alice")


def test_prx_38_a_transport_error_counts_as_503() -> None:
    play = flow()
    play.recv("INVITE", "sip:bob@10.0.0.2;transport=tcp").sent(100).sent("INVITE", "bob")
    play.worker.on_unsent(play.got.raw, Dest("tcp", "10.0.0.2", 5060))
    play.sent(477)


def test_prx_39_timers_by_their_letters() -> None:
    """The lengths by the letter are in tests/unit/modules/tm/test_machine.py; here: what a late copy meets."""
    play = flow().recv("MESSAGE").sent("MESSAGE", "bob").answer("bob", 200, "MESSAGE").sent(200)
    play.advance(4).again()                         # the last in was the response: it is absorbed by K
    play.quiet("alice").advance(2).gone()
    for at in (10, 15, 5):                          # J is 64*T1: the transaction is gone, its echo is not
        play.advance(at).recv("MESSAGE").sent(200).quiet("bob")
    play.advance(20).recv("MESSAGE").sent("MESSAGE", "bob")


def test_prx_39_a_repeated_failure_is_acknowledged_for_64_t1() -> None:
    play = flow().recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 404).sent("ACK", "bob").sent(404)
    play.recv("ACK", to_tag="tag-bob").advance(20).gone()
    play.answer("bob", 404).sent("ACK", "bob").quiet("alice").advance(30).answer("bob", 404).quiet("bob", "alice")


def test_prx_39_a_repeated_invite_after_its_2xx_is_absorbed() -> None:
    play = flow().recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 200).sent(200).advance(20).gone()
    play.recv("INVITE").quiet("alice", "bob")


def test_prx_39_nothing_is_repeated_on_streams() -> None:
    play = flow().feed(message.request(ruri="sip:bob@10.0.0.2;transport=tcp", transport="TCP"), "alice", "tcp")
    play.sent(100).sent("INVITE", "bob").advance(5).quiet("bob").answer("bob", 404).sent("ACK", "bob").sent(404)
    play.advance(5).quiet("alice").recv("ACK").advance(0.2)
    assert not play.modules["tm"].table.clients and not play.modules["tm"].echoes.entries


@pytest.mark.parametrize("auto,first", [(1, 100), (0, 180)])
def test_prx_40_100_at_once(auto: int, first: int) -> None:
    play = flow(params={"tm": {"auto_100trying": auto}}).recv("INVITE").sent("INVITE", "bob").answer("bob", 180)
    play.sent(first)


def test_prx_41_the_sample_proxy() -> None:
    """Every row above that starts from SAMPLE; here a whole call, with a retransmission and a CANCEL of the next."""
    play: Any = ScriptBook(SAMPLE).recv("INVITE").sent(100).again().sent(100).sent("INVITE", "bob")
    play.answer("bob", 180).sent(180).answer("bob", 200).sent(200)
    play.recv("ACK", to_tag="tag-bob", branch="z9hG4bK-a").sent("ACK", "bob")
    play.recv("BYE", to_tag="tag-bob", branch="z9hG4bK-b", cseq=2).sent("BYE", "bob").answer("bob", 200, "BYE").sent(200)
    play.recv("INVITE", call_id="2", branch="z9hG4bK-2").sent(100).sent("INVITE", "bob").answer("bob", 180).sent(180)
    play.recv("CANCEL", call_id="2", branch="z9hG4bK-2").sent(200).sent("CANCEL", "bob").answer("bob", 200, "CANCEL")
    branch = next(b for b in play.modules["tm"].table.clients.values() if b.cancelling == CANCEL_SENT)
    assert branch.cancel is not None
    play.answer("bob", 487).sent("ACK", "bob").sent(487)
    play.recv("ACK", call_id="2", branch="z9hG4bK-2", to_tag="tag-bob").advance(6).gone().quiet()


def test_prx_35_with_a_reason() -> None:
    def route(ctx: Ctx) -> int:
        tm(ctx).t_add_cancel_reason(ctx, 'Reason: SIP;cause=200;text="elsewhere"\r\n')
        ctx.target.uri = "sip:bob@10.0.0.2"
        return tm(ctx).t_relay(ctx)
    play = flow(route=route).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 180).sent(180)
    play.recv("CANCEL").sent(200)
    play.sent("CANCEL", "bob").check(lambda m: m.get("Reason") == 'SIP;cause=200;text="elsewhere"')
