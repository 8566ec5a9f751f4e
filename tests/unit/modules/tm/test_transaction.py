"""What a transaction keeps, gives up and takes over (its machine and flows are tested elsewhere)."""
from __future__ import annotations

import sys

from kit import message
from kit.playbook import make_worker
from osip.core.net.endpoint import Source
from osip.core.run.ctx import FAILURE, Ctx, Target
from osip.core.sip.message import parse
from osip.modules.tm import Tm
from osip.modules.tm import machine as m
from osip.modules.tm.transaction import ON_DONE, ON_FINAL, Plan, Transaction


def make(method: str = "INVITE") -> tuple[Tm, Transaction, Ctx]:
    worker, _, _ = make_worker((Tm,))
    tm: Tm = worker.registry.instances["tm"]            # type: ignore[assignment]
    ctx = Ctx(worker.env, parse(message.request(method)), Source(worker.env.sockets[0], "10.0.0.1", 5060))
    tx = Transaction(tm.layer, "key", ctx)
    tm.table.servers["key"] = tx
    tx.begin()
    return tm, tx, ctx


def test_responses_go_through_the_machine() -> None:
    tm, tx, _ = make()
    assert tx.respond(180, b"180", False) and tx.status == 180 and tx.state == m.PROCEEDING
    assert tx.respond(404, b"404", True) and tx.state == m.COMPLETED and tx.local and tx.is_answered
    assert not tx.respond(200, b"200", False) and tx.status == 404
    assert (tm.relayed_replies, tm.local_replies, tm.finals_4xx) == (1, 1, 1)


def test_a_plan_moves_in() -> None:
    tm, tx, ctx = make()
    plan = Plan()
    plan.on_failure, plan.headers, plan.answer = (lambda c: 1), b"X: 1\r\n", 7
    tx.adopt(plan)
    assert tx.on_failure is plan.on_failure and tx.headers == b"X: 1\r\n"
    assert tx.times.answer == 7 and tx.times.ring == tm.times.ring and tm.times.answer == 30


def test_contexts_start_from_what_the_request_route_left() -> None:
    _, tx, ctx = make()
    ctx.edit.append_hf("X-A: 1")
    ctx.flags, ctx.adv_host = 5, "adv.example"
    ctx.avp("a").append(1)
    tx.keep(ctx)
    made = tx.make_ctx(FAILURE, Target("sip:x@y"))
    assert (made.flags, made.adv_host, made.avps, made.ruri) == (5, "adv.example", {"a": [1]}, "sip:x@y")
    made.edit.append_hf("X-B: 1")
    assert len(tx.edits or ()) == 1 and len(made.edits or ()) == 2


def test_shrinking_waits_for_the_end() -> None:
    _, tx, _ = make()
    tx.shrink()
    assert tx.request is not None
    tx.respond(200, b"200", False)
    tx.waiting = 1
    tx.shrink()
    assert tx.request is not None
    tx.waiting = 0
    tx.shrink()
    assert tx.request is None and tx.last is None and tx.dest is not None


def test_closing_tells_and_cuts() -> None:
    tm, tx, _ = make("MESSAGE")
    told: list[int] = []
    tx.watchers = [(ON_DONE, lambda *args: told.append(args[1])), (ON_FINAL, lambda *args: told.append(args[1]))]
    tx.respond(200, b"200", True)
    tm.env.timers.run(tm.env.now + 6)
    assert told == [ON_DONE] and not tm.table.servers
    assert sys.getrefcount(tx) <= 4                     # this frame, the call and a stale entry of the wheel


def test_tags_are_made_once() -> None:
    _, tx, _ = make()
    assert tx.to_tag and tx.to_tag == tx.to_tag
