"""Transactions that wait on purpose: a route that sleeps, branches to come, a failure route that takes its time."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.flows import URIS, flow, tm
from kit.playbook import Playbook
from osip.core.run.ctx import Ctx

SHORT: dict[str, Any] = {"params": {"tm": {"fr_timeout": 2, "fr_inv_timeout": 5}}}


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_route_that_waits_keeps_its_transaction() -> None:
    held: list[Ctx] = []

    def route(ctx: Ctx) -> int:
        held.append(ctx)
        return tm(ctx).before_wait(ctx)
    play = flow(route=route, **SHORT).recv("INVITE").sent(100).advance(100).again().sent(100)
    tm(held[0]).after_wait(held[0])
    assert tm(held[0]).t_relay(held[0]) == 1
    play.sent("INVITE", "bob").answer("bob", 180).sent(180).answer("bob", 486).sent("ACK", "bob").sent(486)


def test_a_route_that_waited_for_nothing_is_forgotten() -> None:
    held: list[Ctx] = []

    def route(ctx: Ctx) -> int:
        held.append(ctx)
        return tm(ctx).before_wait(ctx)
    play = flow(route=route, **SHORT).recv("MESSAGE").advance(100)
    tm(held[0]).after_wait(held[0])
    play.advance(33).gone()


def waiting_for_branches(**more: Any) -> Playbook:
    def route(ctx: Ctx) -> int:
        tm(ctx).t_newtran(ctx)
        if "ring" in more:
            ctx.tx.set_times(None, more["ring"])
        return tm(ctx).t_wait_for_new_branches(ctx)
    return flow(route=route, **SHORT)


def test_branches_are_waited_for_longer_than_the_guard() -> None:
    waiting_for_branches(ring=37).recv("INVITE").sent(100).advance(36.8).quiet().advance(0.4).sent(408)


def test_what_hold_keeps_has_its_own_end() -> None:
    held: list[Any] = []

    def route(ctx: Ctx) -> int:
        held.append((tm(ctx).hold(ctx, 1), ctx))
        return 1
    play = flow(route=route, **SHORT).recv("INVITE").sent(100).advance(90)
    tm(held[0][1]).release(*held[0])
    play.sent(408)


@pytest.mark.parametrize("ring,kept", [(60, True), (None, False)])
def test_times_of_its_own_move_the_guard(ring: int | None, kept: bool) -> None:
    def route(ctx: Ctx) -> int:
        tm(ctx).t_newtran(ctx)
        tm(ctx).t_reply(ctx, 180, "Parked")
        ctx.tx.set_times(None, ring)
        return 1
    play = flow(route=route, **SHORT).recv("INVITE").sent(100).sent(180).advance(50)
    assert bool(play.modules["tm"].table.servers) is kept
    play.advance(50).gone()


def sleepy(seen: list[int], relays: bool = False) -> tuple[Playbook, asyncio.Event]:
    """Return a call that failed with 486 and whose failure route waits."""
    gate = asyncio.Event()

    async def failure(ctx: Ctx) -> int:
        if relays:
            ctx.target.uri = URIS["carol"]
            tm(ctx).t_relay(ctx)
        await gate.wait()
        ctx.target.uri = URIS["carol"]
        seen.append(tm(ctx).t_relay(ctx))
        return 1
    play = flow("bob", arm=lambda t, c: t.t_on_failure(c, "F"), F=failure)
    play.recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 180).sent(180).answer("bob", 486).sent("ACK", "bob")
    return play, gate


async def test_a_cancel_while_a_failure_route_waits_is_487_at_once() -> None:
    seen: list[int] = []
    play, gate = sleepy(seen)
    await settle()
    play.recv("CANCEL").sent(200).sent(487)
    gate.set()
    await settle()
    assert seen == [-3]
    play.quiet().recv("ACK", to_tag="x").advance(6).gone()


async def test_a_cancel_waits_for_what_a_waiting_failure_route_sent() -> None:
    seen: list[int] = []
    play, gate = sleepy(seen, relays=True)
    await settle()
    play.sent("INVITE", "carol").answer("carol", 180).sent(180).recv("CANCEL").sent(200).sent("CANCEL", "carol")
    play.answer("carol", 487).quiet("alice")
    gate.set()
    await settle()
    play.sent(487)
    assert seen == [-3]


def test_a_6xx_ends_the_wait_for_branches() -> None:
    def route(ctx: Ctx) -> int:
        tm(ctx).t_newtran(ctx)
        tm(ctx).t_wait_for_new_branches(ctx)
        return tm(ctx).t_relay(ctx)
    play = flow(route=route).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 603).sent(603)
    play.sent("ACK", "bob").recv("ACK", to_tag="tag-bob").advance(200).quiet().gone()


def test_a_6xx_waits_for_the_branches_that_ring() -> None:
    def route(ctx: Ctx) -> int:
        from kit.flows import fork
        fork(ctx, "bob", "carol")
        tm(ctx).t_newtran(ctx)
        tm(ctx).t_wait_for_new_branches(ctx)
        return tm(ctx).t_relay(ctx)
    play = flow(route=route).recv("INVITE").sent(100).sent("INVITE", "bob").sent("INVITE", "carol")
    play.answer("carol", 180).sent(180).answer("bob", 603).quiet("alice").sent("CANCEL", "carol")
    play.answer("carol", 487).sent(603)


def test_a_6xx_that_does_not_block_leaves_the_wait() -> None:
    def route(ctx: Ctx) -> int:
        tm(ctx).t_newtran(ctx)
        tm(ctx).t_wait_for_new_branches(ctx)
        return tm(ctx).t_relay(ctx)
    play = flow(route=route, params={"tm": {"disable_6xx_block": 1, "fr_inv_timeout": 9}}).recv("INVITE").sent(100)
    play.answer("bob", 603).advance(8).quiet("alice").advance(2).sent(603)
