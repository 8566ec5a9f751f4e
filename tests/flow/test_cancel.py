"""Cancel: before and after a provisional response, and every race (RFC 3261 sections 9, 16.7 step 10, 16.10)."""
from __future__ import annotations

from kit.flows import URIS, flow, ringing, tm
from osip.core.run.ctx import Ctx
from osip.modules.tm.relay import relay_argument


def test_after_a_provisional() -> None:
    play = ringing("bob").recv("CANCEL").sent(200).check(lambda m: m.cseq_method == "CANCEL" and m.to_tag)
    play.sent("CANCEL", "bob")
    invite, cancel = play.received["bob"]
    assert cancel.raw.split(b"\r\n")[1] == invite.raw.split(b"\r\n")[1] and len(cancel.vias) == 1
    assert (cancel.ruri, cancel.call_id, cancel.cseq, cancel.to_tag) == (invite.ruri, invite.call_id, 1, "")
    play.answer("bob", 200, "CANCEL").quiet().answer("bob", 487).sent("ACK", "bob").sent(487).quiet()
    play.recv("ACK", to_tag="tag-bob").advance(6).gone()


def test_before_a_provisional_waits_for_it() -> None:
    play = flow("bob").recv("INVITE").sent(100).sent("INVITE", "bob").recv("CANCEL").sent(200).quiet()
    play.answer("bob", 180).sent("CANCEL", "bob").sent(180).answer("bob", 487).sent("ACK", "bob").sent(487)


def test_before_a_provisional_and_nothing_ever_comes() -> None:
    flow("bob").recv("INVITE").sent(100).recv("CANCEL").sent(200).advance(31).sent(487)


def test_cancel_crosses_the_200() -> None:
    play = ringing("bob").recv("CANCEL").sent(200).sent("CANCEL", "bob").answer("bob", 200).sent(200)
    assert play.got.cseq_method == "INVITE"
    play.answer("bob", 481, "CANCEL").quiet().advance(6).gone()


def test_cancel_after_the_final_response() -> None:
    ringing("bob").answer("bob", 200).sent(200).recv("CANCEL").sent(200).quiet()


def test_repeated_cancels_are_answered_and_cancel_once() -> None:
    play = ringing("bob")
    for _ in range(3):
        play.recv("CANCEL").sent(200)
    play.sent("CANCEL", "bob").quiet()


def test_the_cancel_is_retransmitted() -> None:
    play = ringing("bob").recv("CANCEL").sent(200).sent("CANCEL", "bob").advance(0.7).resent("CANCEL", "bob")
    play.answer("bob", 200, "CANCEL").advance(5).quiet()


def test_after_cancel_64_t1_are_the_most() -> None:
    ringing("bob").recv("CANCEL").sent(200).advance(32.3).sent(487)


def test_cancel_without_transaction_goes_on_statelessly() -> None:
    play = flow("bob").recv("CANCEL").sent("CANCEL", "bob").check(lambda m: len(m.vias) == 2)
    first = play.got.via1_branch
    play.again().sent("CANCEL", "bob").check(lambda m: m.via1_branch == first)
    play.gone()


def test_all_branches_are_cancelled_wherever_the_request_uri_points_now() -> None:
    play = ringing("bob", "carol").recv("CANCEL", "sip:bob@example.com").sent(200)
    play.sent("CANCEL", "bob").sent("CANCEL", "carol").answer("bob", 487).answer("carol", 486)
    play.sent(487)


def test_nothing_forwarded_yet() -> None:
    def route(ctx: Ctx) -> int:
        return tm(ctx).t_newtran(ctx) if ctx.msg.method == "INVITE" else tm(ctx).t_relay(ctx)
    flow(route=route).recv("INVITE").sent(100).recv("CANCEL").sent(200).sent(487).quiet()


def test_failure_route_of_a_cancelled_call() -> None:
    seen: list[int] = []

    def failure(ctx: Ctx) -> int:
        seen.append(tm(ctx).t_was_cancelled(ctx))
        ctx.target.uri = URIS["carol"]
        seen.append(tm(ctx).t_relay(ctx))
        return 1
    play = ringing("bob", arm=lambda t, c: t.t_on_failure(c, "F"), F=failure).recv("CANCEL").sent(200)
    play.answer("bob", 487).sent(487).quiet("carol")
    assert seen == [1, -3]


def test_reason_is_kept_when_asked_for() -> None:
    def route(ctx: Ctx) -> int:
        return tm(ctx).t_relay(ctx, relay_argument("0x08"))
    play = flow(route=route).recv("INVITE").answer("bob", 180)
    play.recv("CANCEL", headers="Reason: SIP;cause=200\r\n").sent("INVITE", "bob").sent("CANCEL", "bob")
    assert play.got.get("Reason") == "SIP;cause=200"
    play = ringing("bob").recv("CANCEL", headers="Reason: SIP;cause=200\r\n").sent("CANCEL", "bob")
    assert play.got.get("Reason") is None


def test_own_reason_and_headers() -> None:
    def arm(t: object, c: Ctx) -> None:
        if c.msg.method == "INVITE":
            t.t_add_cancel_reason(c, "Reason: SIP;cause=480\r\n")   # type: ignore[attr-defined]
            t.t_add_hdrs(c, "X-All: 7")                             # type: ignore[attr-defined]
    play = ringing("bob", arm=arm).recv("CANCEL").sent("CANCEL", "bob")
    assert (play.got.get("Reason"), play.got.get("X-All")) == ("SIP;cause=480", "7")
    play.answer("bob", 487).sent("ACK", "bob").check(lambda m: m.get("X-All") == "7")
    assert play.received["bob"][0].get("X-All") == "7"


def test_cancel_from_a_reply_route() -> None:
    def route(ctx: Ctx) -> int:
        if ctx.msg.status == 183:
            tm(ctx).t_cancel_branch(ctx, "o")
        return 1
    play = ringing("bob", "carol", "dave", arm=lambda t, c: t.t_on_reply(c, "R"), R=route)
    play.answer("bob", 183).sent("CANCEL", "carol").sent("CANCEL", "dave").quiet("bob")


def test_check_trans() -> None:
    codes: list[int] = []

    def route(ctx: Ctx) -> int:
        codes.append(tm(ctx).t_check_trans(ctx))
        return tm(ctx).t_relay(ctx) if codes[-1] else 0
    play = flow(route=route).recv("CANCEL", call_id="x", branch="z9hG4bK-x").recv("INVITE").recv("INVITE")
    play.answer("bob", 180).recv("CANCEL").recv("CANCEL")
    assert codes == [-1, -1, 0, 1, 0]


def test_request_disposition_no_cancel() -> None:
    def route(ctx: Ctx) -> int:
        if ctx.msg.method == "INVITE":
            from kit.flows import fork
            fork(ctx, "bob", "carol")
        return tm(ctx).t_relay(ctx, relay_argument("allow-no-cancel"))
    play = flow(route=route).recv("INVITE", headers="Request-Disposition: no-cancel\r\n").answer("bob", 180)
    play.answer("carol", 180).answer("bob", 200).sent(100).sent(180).sent(180).sent(200).answer("carol", 200).sent(200)
    assert not [m for m in play.received["carol"] if m.method == "CANCEL"]
