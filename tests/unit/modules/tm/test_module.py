"""Words and management of tm that the call flows do not show."""
from __future__ import annotations

import re
from typing import Any

import pytest

from kit import message
from kit.flows import flow, ringing, tm
from kit.script import ScriptBook
from osip.core.errors import MIError
from osip.core.run.ctx import Ctx, Target
from osip.core.run.steer import owner_of
from osip.core.sip.message import parse
from osip.modules.tm import Tm
from osip.modules.tm.module import inject_flags
from osip.modules.tm.transaction import ON_CANCEL, ON_DONE, ON_FINAL, ON_REPLY


def test_every_name_of_the_reference_is_there() -> None:
    functions = {name for spec in Tm.spec.functions for name in (spec.name, *spec.aliases)}
    assert {"t_newtran", "t_reply", "t_replicate", "t_relay", "t_on_failure", "t_on_reply", "t_on_branch",
            "t_check_status", "t_flush_flags", "t_local_replied", "t_check_trans", "t_was_cancelled",
            "t_cancel_branch",
            "t_add_hdrs", "t_reply_with_body", "t_new_request", "t_add_cancel_reason", "t_inject_branches",
            "t_wait_for_new_branches", "t_wait_no_more_branches", "t_reply_by_callid", "t_get_branch_idx_by_attr",
            "t_is_set", "t_is_canceled"} <= functions
    assert Tm.spec.param("fr_timer") is Tm.spec.param("fr_timeout") and Tm.spec.param("T1_timer").default == 500


def test_check_status_and_is_set() -> None:
    seen: list[int] = []

    def arm(t: Tm, ctx: Ctx) -> None:
        seen.append(t.t_is_set(ctx, "failure_route"))
        seen.append(t.t_on_failure(ctx, "missing"))
        seen.append(t.t_on_failure(ctx, "F"))
        seen.append(t.t_is_set(ctx, "failure_route"))

    def failure(ctx: Ctx) -> int:
        seen.append(tm(ctx).t_check_status(ctx, re.compile("4[0-9]{2}")))
        seen.append(tm(ctx).t_check_status(ctx, re.compile("5..")))
        return 1
    flow("bob", arm=arm, F=failure).recv("INVITE").answer("bob", 486)
    assert seen == [-1, -1, 1, 1, 1, -1]


def test_body_in_a_reply() -> None:
    def route(ctx: Ctx) -> int:
        ctx.reply_edits = [b"Content-Type: text/plain\r\n"]
        return tm(ctx).t_reply_with_body(ctx, 488, "No", "why")
    flow(route=route).recv("INVITE").sent(100).sent(488).check(lambda m: m.body == b"why" and m.content_length == 3)


def test_reply_by_callid() -> None:
    codes: list[int] = []

    def route(ctx: Ctx) -> int:
        if ctx.msg.method == "INVITE":
            return tm(ctx).t_newtran(ctx)
        codes.append(tm(ctx).t_reply_by_callid(ctx, 480, "Gone", "call-1", "1 INVITE"))
        codes.append(tm(ctx).t_reply_by_callid(ctx, 480, "Gone", "call-9", "1"))
        return 1
    flow(route=route).recv("INVITE").sent(100).recv("MESSAGE", call_id="else", branch="z9hG4bK-m").sent(480)
    assert codes == [1, -1]


def test_watchers() -> None:
    seen: list[tuple[int, int]] = []

    def arm(t: Tm, ctx: Ctx) -> None:
        mask = ON_REPLY | ON_FINAL | ON_CANCEL | ON_DONE
        t.watch(ctx, mask, lambda tx, what, status, _: seen.append((what, status)))
    play = flow("bob", arm=lambda t, c: arm(t, c) if c.msg.method == "INVITE" else None).recv("INVITE")
    play.answer("bob", 180).recv("CANCEL").answer("bob", 487).recv("ACK").advance(6).gone()
    assert seen == [(ON_REPLY, 180), (ON_CANCEL, 0), (ON_REPLY, 487), (ON_FINAL, 487), (ON_DONE, 487)]


def test_minor_branches_are_not_waited_for() -> None:
    def arm(t: Tm, ctx: Ctx) -> None:
        if ctx.targets:
            ctx.targets[0].bflags = t.layer.minor_mask
    play = ringing("bob", "carol", arm=arm, params={"tm": {"minor_branch_flag": "MINOR"}})
    play.answer("bob", 404).sent(404).sent("CANCEL", "carol")


def test_injected_branches() -> None:
    def route(ctx: Ctx) -> int:
        t = tm(ctx)
        t.t_newtran(ctx)
        return t.t_wait_for_new_branches(ctx, 2)
    play = flow(route=route).recv("INVITE").sent(100)
    tx = next(iter(play.modules["tm"].table.servers.values()))
    ctx = tx.make_ctx(1)
    ctx.targets = [Target("sip:bob@10.0.0.2")]
    assert play.modules["tm"].t_inject_branches(ctx, "msg") == 1
    play.sent("INVITE", "bob").answer("bob", 486).quiet("alice")
    ctx.targets = [Target("sip:carol@10.0.0.3")]
    assert play.modules["tm"].t_inject_branches(ctx, "msg", frozenset({"last"})) == 1
    play.sent("INVITE", "carol").answer("carol", 404).sent(404)


@pytest.mark.parametrize("how", ["no more", "last"])
@pytest.mark.parametrize("failed,code", [(True, 486), (False, None)])
def test_waiting_for_branches_is_called_off(how: str, failed: bool, code: int | None) -> None:
    def arm(t: Tm, ctx: Ctx) -> None:
        t.t_newtran(ctx)
        assert t.t_wait_for_new_branches(ctx) == 1
    play = flow("bob", arm=arm).recv("INVITE").sent(100).sent("INVITE", "bob")
    t: Any = play.modules["tm"]
    if failed:
        play.answer("bob", 486).sent("ACK", "bob").quiet("alice")
    ctx = next(iter(t.table.servers.values())).make_ctx(1)
    if how == "last":
        assert t.t_inject_branches(ctx, "msg", frozenset({"last"})) == -1
    else:
        assert t.t_wait_no_more_branches(ctx) == 1
    play.advance(0.1)
    if code:
        play.sent(code)
    else:
        play.quiet().answer("bob", 404).sent("ACK", "bob").sent(404)
    assert t.t_wait_no_more_branches(ctx) == -1


def test_waiting_for_branches_that_never_were() -> None:
    def route(ctx: Ctx) -> int:
        tm(ctx).t_newtran(ctx)
        tm(ctx).t_wait_for_new_branches(ctx, 1)
        return tm(ctx).t_wait_no_more_branches(ctx)
    flow(route=route).recv("INVITE").sent(100).advance(0.1).sent(408)


def test_injecting_may_cancel_what_is_pending() -> None:
    play = ringing("bob")
    t: Any = play.modules["tm"]
    ctx = next(iter(t.table.servers.values())).make_ctx(1)
    ctx.event = {"uri": "sip:carol@10.0.0.3", "received": "sip:10.0.0.4", "qval": 500}
    assert t.t_inject_branches(ctx, "event", frozenset({"cancel"})) == 1
    play.sent("CANCEL", "bob").sent("INVITE", "dave").check(lambda m: m.ruri == "sip:carol@10.0.0.3")
    play.answer("bob", 487).answer("dave", 200).sent(200)
    assert t.t_inject_branches(ctx, "event", frozenset()) == -1     # it is answered


@pytest.mark.parametrize("text,flags", [("", set()), ("cancel", {"cancel"}), ("c", {"cancel"}), ("l", {"last"}),
                                        ("last, cancel", {"cancel", "last"}), ("cl", {"cancel", "last"})])
def test_inject_flags(text: str, flags: set[str]) -> None:
    assert inject_flags(text) == flags
    with pytest.raises(ValueError, match="unknown flag"):
        inject_flags(text + "x")


def test_anycast_without_cluster() -> None:
    book = ScriptBook('modparam("tm", "tm_replication_cluster", 1) '
                      'route { if (!t_anycast_replicate()) xlog("rc=$rc"); }', "tm")
    book.recv("ACK", to_tag="x")
    assert book.said[-1] == "rc=-1" and not book.net.log


def test_flags_are_flushed() -> None:
    book = ScriptBook('route { t_newtran(); setflag("late"); t_flush_flags(); t_on_failure("F"); t_relay(); } '
                      'failure_route[F] { if (isflagset("late")) xlog("flag is there"); }', "tm")
    book.recv("INVITE").answer("bob", 486)
    assert book.said[-1] == "flag is there"


def test_waiting_for_branches_ends() -> None:
    def route(ctx: Ctx) -> int:
        tm(ctx).t_newtran(ctx)
        return tm(ctx).t_wait_for_new_branches(ctx)
    flow(route=route, params={"tm": {"fr_inv_timeout": 10}}).recv("INVITE").sent(100).advance(10.2).sent(408)


INJECT = """route { t_newtran(); t_wait_for_new_branches(%s); t_on_reply("R"); t_relay(); }
onreply_route[R] { if ($rs == 180) { %s; t_inject_branches("msg"); xlog("rc=$rc"); } }"""


@pytest.mark.parametrize("adding", ['append_branch("sip:carol@10.0.0.3")', '$branch = "sip:carol@10.0.0.3"',
                                    '$msg.branch = "sip:carol@10.0.0.3"', 'append_msg_branch("sip:carol@10.0.0.3")'])
@pytest.mark.parametrize("ruri", ["", '$ru = "sip:bob@10.0.0.2"; '])
def test_branches_out_of_an_onreply_route(adding: str, ruri: str) -> None:
    script = (INJECT % (1, adding)).replace("t_relay();", ruri + "t_relay();")
    play = ScriptBook(script).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 180).sent("INVITE", "carol")
    assert play.said[-1] == "rc=1"
    play.check(lambda m: m.ruri == "sip:carol@10.0.0.3").answer("carol", 200).sent(180).sent(200).sent("CANCEL", "bob")


def test_no_branch_is_injected_after_a_6xx() -> None:
    play = ScriptBook("""route { append_branch("sip:dave@10.0.0.4"); t_newtran(); t_wait_for_new_branches(); t_on_reply("R");
        t_relay(); } onreply_route[R] { if ($rs == 487) { append_branch("sip:carol@10.0.0.3");
        t_inject_branches("msg"); xlog("rc=$rc"); } }""").recv("INVITE").sent(100).answer("dave", 180).sent(180)
    play.answer("bob", 603).answer("dave", 487).sent(603).quiet("carol")
    assert play.said[-1] == "rc=-1"


def test_reply_by_callid_goes_to_the_worker_that_has_the_call() -> None:
    script = 'route { if (is_method("INVITE")) { t_newtran(); t_reply(180, "Ringing"); exit; } ' \
             't_reply_by_callid(480, "By", "call-1", "1"); xlog("rc=$rc"); }'
    owner, other = ScriptBook(script), ScriptBook(script)
    owner.recv("INVITE").sent(100).sent(180)
    passed: list[Any] = []
    other.env.ids._workers = 2
    other.env.ids._worker = 1 - owner_of("call-1", 2)
    other.env.bus.others = lambda topic, value: passed.append((topic, value))
    other.recv("MESSAGE", call_id="x")
    assert other.said[-1] == "rc=1" and len(passed) == 1
    owner.env.bus.publish(*passed[0])
    owner.sent(480)
    other.env.ids._worker = owner_of("call-1", 2)
    other.recv("MESSAGE", call_id="y", branch="z9hG4bK-y")
    assert other.said[-1] == "rc=-1" and len(passed) == 1


def test_management() -> None:
    play = ringing("bob")
    t: Any = play.modules["tm"]
    assert t.mi_hash() == [{"index": 0, "Current": 1, "Total": 1}]
    with pytest.raises(MIError):
        t.mi_uac_cancel("nothing", "1 INVITE")
    with pytest.raises(MIError):
        t.mi_reply(480, "x", "0:99", "tag")
    assert t.mi_reply(480, "By hand", "0:1", "mytag") == "OK"
    play.sent(480).check(lambda m: m.to_tag == "mytag" and m.reason == "By hand").sent("CANCEL", "bob")
    play = ringing("bob")
    assert play.modules["tm"].mi_uac_cancel("call-1", "1 INVITE") == "OK"
    play.sent("CANCEL", "bob")


def test_before_wait_makes_the_request_stateful_once() -> None:
    codes: list[int] = []
    play = flow(route=lambda ctx: codes.append(tm(ctx).before_wait(ctx)) or 1)
    play.recv("INVITE").sent(100).recv("INVITE").sent(100).recv("ACK", branch="z9hG4bK-a")
    assert codes == [1, 0, 1] and play.modules["tm"].drain() == 1


def test_sockets_and_requests_in_use() -> None:
    play = ringing("bob")
    tm, (udp, tcp) = play.modules["tm"], play.env.sockets
    assert (tm.in_use(udp), tm.in_use(tcp)) == (2, 0), "the server side and the branch"
    assert tm.known(parse(message.request("INVITE"))) and not tm.known(parse(message.request("INVITE", branch="z9hG4bK-n")))
    assert not tm.known(parse(message.request("OPTIONS")))
    play.answer("bob", 486).advance(40)
    assert tm.in_use(udp) == 0


def test_branch_found_by_attribute() -> None:
    found: list[int] = []

    class Holder:
        name = "x"

        def set(self, ctx: Ctx, value: Any) -> bool:
            found.append(value)
            return True

    def arm(t: Tm, ctx: Ctx) -> None:
        ctx.targets[0].attrs = {"kind": "home"}         # type: ignore[index]

    def failure(ctx: Ctx) -> int:
        assert tm(ctx).t_get_branch_idx_by_attr(ctx, "kind", "home", None, Holder()) == 1    # type: ignore[arg-type]
        assert tm(ctx).t_get_branch_idx_by_attr(ctx, "kind", "work") == -1
        return 1
    play = flow("bob", "carol", arm=lambda t, c: (arm(t, c), t.t_on_failure(c, "F")), F=failure).recv("INVITE")
    play.answer("bob", 404).answer("carol", 404)
    assert found == [1]


def test_statistics() -> None:
    play = ringing("bob").answer("bob", 200)
    stats = {stat.name: stat.read() for stat in play.env.stats.all() if stat.group == "tm"}
    expected = {"UAS_transactions": 1, "UAC_transactions": 1, "received_replies": 2, "relayed_replies": 2,
                "local_replies": 1, "2xx_transactions": 1, "inuse_transactions": 1}
    assert {name: stats[name] for name in expected} == expected


def test_a_response_without_our_branch_is_left_alone() -> None:
    play = flow()
    assert not play.modules["tm"].on_response(Ctx(play.env, parsed(message.response(message.request(), 200)), None, 4))


def parsed(raw: bytes) -> Any:
    from osip.core.sip.message import parse
    return parse(raw)
