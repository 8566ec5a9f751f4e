"""Play whole calls: relaying, retransmissions, ACKs, failures, local answers (RFC 3261 sections 16 and 17)."""
from __future__ import annotations

import gc
from typing import Any

import pytest

from kit import message
from kit.flows import flow, ringing, tm
from kit.playbook import Playbook
from osip.core.run.ctx import Ctx
from osip.modules.sl import Sl
from osip.modules.tm import Tm
from osip.modules.tm.relay import relay_argument


def test_a_call() -> None:
    play = flow()
    play.recv("INVITE").sent(100).sent("INVITE", "bob")
    assert play.got.max_forwards == 69
    assert [via.host for via in play.got.vias] == ["10.0.0.9", "10.0.0.1"]
    play.answer("bob", 100).quiet("alice").answer("bob", 180).sent(180).answer("bob", 200).sent(200)
    assert [via.host for via in play.got.vias] == ["10.0.0.1"] and play.got.to_tag == "tag-bob"
    play.recv("ACK", branch="z9hG4bK-2", to_tag="tag-bob").sent("ACK", "bob")
    play.recv("BYE", branch="z9hG4bK-3", to_tag="tag-bob", cseq=2).sent("BYE", "bob")
    play.answer("bob", 200, "BYE").sent(200)
    play.quiet().advance(6).gone().quiet()


def test_invite_retransmissions_are_absorbed() -> None:
    play = flow().recv("INVITE").sent(100).sent("INVITE", "bob").again().sent(100).answer("bob", 180).sent(180)
    play.recv("INVITE").sent(180).quiet("bob")
    assert play.modules["tm"].uas_transactions == 1


def test_request_is_retransmitted_until_answered() -> None:
    play = flow().recv("INVITE").sent(100).sent("INVITE", "bob").quiet()
    first = play.got.raw
    for pause in (0.7, 1.15, 2.15):
        play.advance(pause).sent("INVITE", "bob").quiet()
        assert play.got.raw == first
    play.answer("bob", 100).advance(20).quiet()
    stats = play.modules["tm"]
    assert (stats.retransmission_req_t1_1, stats.retransmission_req_t1_2, stats.retransmission_req_t1_3) == (1, 1, 1)


def test_message_retransmissions() -> None:
    play = flow("bob").recv("MESSAGE").sent("MESSAGE", "bob").quiet()
    play.again().quiet().advance(0.7).sent("MESSAGE", "bob").answer("bob", 200, "MESSAGE").sent(200)
    play.again().quiet("bob")                           # the last input was bob's 200
    play.recv("MESSAGE").sent(200).quiet("bob").advance(6).gone()


def test_negative_response_is_acknowledged_both_ways() -> None:
    play = flow().recv("INVITE").sent(100).sent("INVITE", "bob")
    sent = play.got
    play.answer("bob", 486).sent("ACK", "bob")
    ack = play.got
    assert ack.via1_branch == sent.via1_branch and len(ack.vias) == 1 and ack.ruri == sent.ruri
    assert ack.to_tag == "tag-bob" and ack.cseq == 1 and ack.cseq_method == "ACK"
    play.sent(486).advance(0.7).resent(486).advance(1.15).resent(486)
    play.recv("ACK", to_tag="tag-bob").quiet().advance(3).quiet()
    play.answer("bob", 486).sent("ACK", "bob").quiet()  # a copy of the final response
    play.advance(6).gone()


def test_missing_ack_ends_with_timer_h() -> None:
    play = flow().recv("INVITE").answer("bob", 404).advance(33).gone()
    assert play.modules["tm"].retransmission_rpl_t2 > 8


def test_ack_of_2xx_goes_end_to_end() -> None:
    play = ringing("bob").answer("bob", 200).sent(200)
    play.recv("ACK", branch="z9hG4bK-other", to_tag="tag-bob").sent("ACK", "bob")
    assert len(play.got.vias) == 2
    one = play.got.via1_branch
    play.recv("ACK", branch="z9hG4bK-other", to_tag="tag-bob").sent("ACK", "bob")
    assert one.startswith("z9hG4bK") and play.got.max_forwards == 69


def test_2xx_are_all_passed_on() -> None:
    play = ringing("bob").answer("bob", 200).sent(200).answer("bob", 200).sent(200)
    play.answer("bob", 200, to_tag="other").sent(200)   # a second 2xx from a fork further down
    play.answer("bob", 180).quiet("alice").recv("INVITE").quiet()


def test_100_is_not_passed_and_auto_100_can_be_off() -> None:
    play = flow(params={"tm": {"auto_100trying": 0}}).recv("INVITE").quiet("alice").sent("INVITE", "bob")
    play.answer("bob", 100).quiet("alice").answer("bob", 183).sent(183)


def test_no_answer_gives_408() -> None:
    play = flow(params={"tm": {"fr_timeout": 3}}).recv("INVITE").sent(100).advance(2.9).quiet("alice")
    play.advance(0.3).sent(408).recv("ACK", to_tag=play.got.to_tag).advance(33).gone()
    assert play.modules["tm"].timeout_finalresponse == 1


def test_late_provisional_after_408_is_cancelled_and_its_487_acknowledged() -> None:
    play = flow(params={"tm": {"fr_timeout": 3}}).recv("INVITE").sent(100).advance(3.2).sent(408)
    play.sent("INVITE", "bob").resent("INVITE", "bob").resent("INVITE", "bob")
    play.answer("bob", 180).sent("CANCEL", "bob").answer("bob", 200, "CANCEL").answer("bob", 487).sent("ACK", "bob")
    play.quiet()


def test_ringing_too_long_is_cancelled_and_408_counts_at_once() -> None:
    play = ringing("bob", params={"tm": {"fr_inv_timeout": 10}}).advance(10.2).sent("CANCEL", "bob").sent(408)
    assert play.received["bob"][-1].via1_branch == play.received["bob"][0].via1_branch
    play.answer("bob", 200, "CANCEL").answer("bob", 487).sent("ACK", "bob").quiet()
    assert play.modules["tm"].timeout_finalresponse_inv == 1


@pytest.mark.parametrize("restart,rings_until", [(1, 18.0), (0, 10.0)])
def test_restart_fr_on_each_reply(restart: int, rings_until: float) -> None:
    play = ringing("bob", params={"tm": {"fr_inv_timeout": 10, "restart_fr_on_each_reply": restart}})
    play.advance(8).answer("bob", 183).sent(183).advance(rings_until - 8 - 0.3).quiet("alice").advance(0.5).sent(408)


def test_no_408_to_a_message_whose_client_gave_up() -> None:
    play = flow("bob").recv("MESSAGE").advance(40).quiet("alice").gone()            # RFC 4320 section 4.2
    assert play.modules["tm"].timeout_finalresponse == 1
    flow("bob", params={"tm": {"fr_timeout": 5}}).recv("MESSAGE").advance(5.5).quiet("alice")


def test_503_becomes_500() -> None:
    flow().recv("INVITE").sent(100).answer("bob", 503).sent(500).check(lambda m: m.reason == "Server Internal Error")
    flow(config={"disable_503_translation": 1}).recv("INVITE").sent(100).answer("bob", 503).sent(503)


AUTO = [
    ("sip:bob@unknown.example", 476), ("sip:bob@10.0.0.66", 477), ("sip:bob@[::bad:::]", 475),
]


@pytest.mark.parametrize("uri,code", AUTO)
def test_automatic_replies(uri: str, code: int) -> None:
    def route(ctx: Ctx) -> int:
        ctx.target.uri = uri
        code = tm(ctx).t_relay(ctx)
        assert code == 1
        return code
    play = flow(route=route)
    play.net.down.add("10.0.0.66:5060")
    play.recv("INVITE").sent(100).sent(code).check(lambda m: "/TM)" in m.reason and m.to_tag)


def test_no_auto_477() -> None:
    codes: list[int] = []

    def route(ctx: Ctx) -> int:
        codes.append(tm(ctx).t_relay(ctx, relay_argument("0x02")))
        return tm(ctx).t_reply(ctx, 500, "No luck")
    play = flow(route=route)
    play.net.down.add("10.0.0.2:5060")
    play.recv("INVITE").sent(100).sent(500)
    assert codes == [-6]
    codes.clear()

    def made_before(ctx: Ctx) -> int:
        assert tm(ctx).t_newtran(ctx) == 1
        codes.append(tm(ctx).t_relay(ctx))
        return 1
    play = flow(route=made_before)
    play.net.down.add("10.0.0.2:5060")
    play.recv("INVITE").sent(100).quiet()
    assert codes == [-6]


def test_max_forwards_by_default() -> None:
    flow().recv("INVITE", max_forwards=0).sent(100).sent(483)
    flow().recv("INVITE", max_forwards=None).sent("INVITE", "bob").check(lambda m: m.max_forwards == 70)
    flow().recv("ACK", max_forwards=5).sent("ACK", "bob").check(lambda m: m.max_forwards == 4)


def test_local_replies() -> None:
    def route(ctx: Ctx) -> int:
        assert tm(ctx).t_reply(ctx, 180, "Ringing") == 1
        assert tm(ctx).t_reply(ctx, 486, "Busy Here") == 1
        assert tm(ctx).t_reply(ctx, 200, "OK") == -1
        return 1
    play = flow(route=route).recv("INVITE").sent(100).sent(180)
    tag = play.got.to_tag
    play.sent(486).check(lambda m: m.to_tag == tag and tag).again().sent(486)
    play.recv("ACK", to_tag=tag)


def test_hop_ack_in_script() -> None:
    codes: list[int] = []

    def route(ctx: Ctx) -> int:
        if ctx.msg.method == "ACK":
            codes.append(tm(ctx).t_check_trans(ctx))
            return 1
        return tm(ctx).t_reply(ctx, 404, "Not Found")
    play = flow(route=route).recv("INVITE").sent(100).sent(404).recv("ACK", to_tag=play_tag(404)).quiet()
    play.recv("ACK", branch="z9hG4bK-else").advance(6).gone()
    assert codes == [1, -1]


def play_tag(status: int) -> str:
    return f"tag-{status}"


def test_retransmission_runs_the_script_until_tm_sees_it() -> None:
    runs: list[int] = []

    def route(ctx: Ctx) -> int:
        runs.append(tm(ctx).t_newtran(ctx))
        return tm(ctx).t_relay(ctx) if runs[-1] == 1 else 0
    flow(route=route).recv("INVITE").again().again()
    assert runs == [1, 0, 0]


def test_2543_peers_are_matched_by_fields() -> None:
    play = flow()
    for _ in range(2):
        play.recv("INVITE", branch="")
    play.sent(100).sent(100).sent("INVITE", "bob").quiet().answer("bob", 486).sent("ACK", "bob").sent(486)
    play.recv("ACK", branch="", to_tag="tag-bob", cseq_method="ACK").quiet().advance(6).gone()
    play.recv("INVITE", branch="", cseq=2).sent(100).sent("INVITE", "bob")


def test_response_of_another_method_or_branch_is_not_ours() -> None:
    play = flow().recv("INVITE").sent(100).sent("INVITE", "bob")
    stray = play.got.raw.replace(b"INVITE sip", b"BYE sip").replace(b"1 INVITE", b"1 BYE")
    play.feed(message.response(stray, 200), "bob")
    assert play.modules["tm"].received_replies == 0


def test_nobody_answers_a_silent_script() -> None:
    play = flow(route=lambda ctx: tm(ctx).t_newtran(ctx)).recv("INVITE").sent(100).advance(160).gone().quiet()
    assert play.modules["tm"].drain() == 0


def test_stateless_ack_is_absorbed_by_sl() -> None:
    seen: list[str] = []

    def route(ctx: Ctx) -> int:
        seen.append(ctx.msg.method)
        sl: Sl = ctx.env.modules["sl"]
        return sl.sl_send_reply(ctx, 404, "Not Found")
    play = flow(route=route).recv("INVITE").sent(404)
    tag = play.got.to_tag
    play.again().sent(404).check(lambda m: m.to_tag == tag)
    play.recv("ACK", to_tag=tag).quiet()
    assert seen == ["INVITE", "INVITE"] and play.modules["sl"].received_acks == 1
    play.recv("ACK", to_tag="foreign")
    assert seen[-1] == "ACK"


def test_replicate_absorbs_replies() -> None:
    play = flow(route=lambda ctx: tm(ctx).t_replicate(ctx, "sip:carol@10.0.0.3"))
    play.recv("MESSAGE").sent("MESSAGE", "carol").answer("carol", 200, "MESSAGE").quiet("alice").advance(6).gone()


def test_proxy_argument() -> None:
    def route(ctx: Ctx) -> int:
        return tm(ctx).t_relay(ctx, relay_argument("udp:10.0.0.4:5090"))
    play = flow(route=route).recv("INVITE").sent("INVITE", "dave").check(lambda m: m.ruri == "sip:bob@10.0.0.2")
    assert play.net.log[-1][0] == "10.0.0.4:5090"


@pytest.mark.parametrize("text,value", [("0x02", 2), ("no-auto-477,pass-reason-hdr", 10), ("", 0), ("18", 18)])
def test_relay_flags(text: str, value: int) -> None:
    assert relay_argument(text) == value


@pytest.mark.parametrize("text", ["no-auto-478", "tcp:", "host:99999"])
def test_bad_relay_arguments(text: str) -> None:
    with pytest.raises(ValueError):
        relay_argument(text)


def test_no_cycles_are_left() -> None:
    play = flow("bob", "carol")
    gc.collect()
    gc.disable()
    try:
        for number in range(20):
            _one_call(play, f"call-{number}")
        play.advance(6).gone()
        play.net.log.clear()
        play.received.clear()
        # What is left hangs in the wheel until its slot comes round, not in cycles.
        play.advance(130)
        assert not [thing for thing in gc.get_objects() if type(thing).__name__ in ("Transaction", "Branch", "Cancel")]
    finally:
        gc.enable()


def _one_call(play: Playbook, call: str) -> None:
    more: dict[str, Any] = {"call_id": call, "branch": f"z9hG4bK-{call}"}
    play.recv("INVITE", **more).answer("bob", 180).answer("carol", 180).answer("bob", 200)
    play.answer("carol", 200, "CANCEL").answer("carol", 487)


def test_tm_takes_over_replying() -> None:
    def route(ctx: Ctx) -> int:
        tm(ctx).t_newtran(ctx)
        raise ValueError("broken")
    play = flow(route=route).recv("INVITE").sent(100).sent(500)
    assert isinstance(play.modules["tm"], Tm) and play.again().sent(500)
