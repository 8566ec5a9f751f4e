"""Fork: parallel and serial, the choice of the best response, routes of the transaction (16.5 to 16.7)."""
from __future__ import annotations

from itertools import product

import pytest

from kit.flows import URIS, flow, fork, ringing, tm
from osip.core.run.ctx import Ctx


def test_first_2xx_wins_and_others_are_cancelled() -> None:
    play = ringing("bob", "carol", "dave").answer("carol", 200).sent(200).check(lambda m: m.to_tag == "tag-carol")
    play.sent("CANCEL", "bob").sent("CANCEL", "dave").quiet()
    play.answer("bob", 200, "CANCEL").answer("bob", 487).sent("ACK", "bob")
    play.answer("dave", 200).sent(200).check(lambda m: m.to_tag == "tag-dave")      # it crossed the CANCEL
    play.quiet().advance(40).gone()


def test_6xx_cancels_but_waits() -> None:
    play = ringing("bob", "carol").answer("bob", 603).sent("ACK", "bob").sent("CANCEL", "carol").quiet("alice")
    play.answer("carol", 200, "CANCEL").answer("carol", 487).sent("ACK", "carol").sent(603)


def test_2xx_after_6xx_still_wins() -> None:
    ringing("bob", "carol").answer("bob", 603).answer("carol", 200).sent(200).sent("ACK", "bob")


def test_all_must_answer_before_a_failure_is_passed() -> None:
    play = ringing("bob", "carol", "dave").answer("bob", 486).answer("carol", 404).quiet("alice")
    play.answer("dave", 480).sent(404)               # equal classes: the lower number


FINALS = [302, 401, 404, 408, 486, 500, 503, 603]
RANK = {code: place for place, code in enumerate([603, 302, 401, 404, 486, 500, 408, 503])}


@pytest.mark.parametrize("one,two", list(product(FINALS, FINALS)))
def test_best_of_two(one: int, two: int) -> None:
    play = flow("bob", "carol").recv("INVITE").sent(100).answer("bob", 180).sent(180).answer("carol", 180).sent(180)
    play.answer("bob", one).answer("carol", two)
    best = min(one, two, key=lambda code: RANK[code])
    play.sent(500 if best == 503 else best)


def test_challenges_are_merged() -> None:
    play = ringing("bob", "carol").answer("bob", 401, headers='WWW-Authenticate: Digest realm="b"\r\n')
    play.answer("carol", 407, headers='Proxy-Authenticate: Digest realm="c"\r\n').sent(401)
    assert play.got.get("Proxy-Authenticate") == 'Digest realm="c"'
    assert play.got.get_all("WWW-Authenticate") == ['Digest realm="b"']


def test_branch_route_has_its_own_edits() -> None:
    seen: list[tuple[int, str | None]] = []

    def branch(ctx: Ctx) -> int:
        seen.append((ctx.branch_index, ctx.ruri))
        ctx.edit.append_hf(f"X-Branch: {ctx.branch_index}")
        if ctx.ruri == URIS["carol"]:
            ctx.dropped = True
            return 0
        ctx.flags |= 4
        return 1

    def arm(tm: object, ctx: Ctx) -> None:
        ctx.edit.append_hf("X-All: 1")
        tm.t_on_branch(ctx, "B")                        # type: ignore[attr-defined]
    play = flow("bob", "carol", "dave", arm=arm, B=branch).recv("INVITE").sent(100)
    play.sent("INVITE", "bob").check(lambda m: m.get_all("X-Branch") == ["0"] and m.get("X-All") == "1")
    play.sent("INVITE", "dave").check(lambda m: m.get_all("X-Branch") == ["1"] and m.get("X-All") == "1").quiet()
    assert [uri for _, uri in seen] == [URIS["bob"], URIS["carol"], URIS["dave"]]


def test_all_branches_dropped() -> None:
    def branch(ctx: Ctx) -> int:
        ctx.dropped = True
        return 0
    flow("bob", arm=lambda t, c: t.t_on_branch(c, "B"), B=branch).recv("INVITE").sent(100).sent(500).quiet()


# --- failure routes ----------------------------------------------------------------------------------------------

def serial(*names: str, twice: bool = True) -> tuple[object, list[tuple[int, int, bool]]]:
    """Return a flow that tries the names one after another, and what each failure_route saw."""
    seen: list[tuple[int, int, bool]] = []
    left = list(names[1:])

    def failure(ctx: Ctx) -> int:
        seen.append((tm(ctx).code_of(ctx), ctx.branch_index, tm(ctx).t_local_replied(ctx, "last") == 1))
        if left:
            ctx.target.uri = URIS[left.pop(0)]
            ctx.edit.append_hf("X-Round: again")
            if twice:
                tm(ctx).t_on_failure(ctx, "F")
            return tm(ctx).t_relay(ctx)
        return 1
    play = flow(names[0], arm=lambda t, c: t.t_on_failure(c, "F"), F=failure, params={"tm": {"fr_timeout": 5}})
    return play, seen


def test_serial_forking() -> None:
    play, seen = serial("bob", "carol", "dave")
    play.recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 486).sent("ACK", "bob")
    play.sent("INVITE", "carol").check(lambda m: m.get_all("X-Round") == ["again"] and m.ruri == URIS["carol"])
    play.quiet("alice").advance(5.3)
    play.resent("INVITE", "carol").resent("INVITE", "carol").resent("INVITE", "carol")
    play.sent("INVITE", "dave").check(lambda m: m.get_all("X-Round") == ["again"])
    play.answer("dave", 180).sent(180).answer("dave", 200).sent(200).quiet("alice")
    assert seen == [(486, 0, False), (408, 1, True)]


def test_failure_route_without_new_branches_passes_the_winner() -> None:
    play, seen = serial("bob")
    play.recv("INVITE").sent(100).answer("bob", 404).sent(404).quiet("alice")
    assert seen == [(404, 0, False)]


def test_arming_is_used_up() -> None:
    play, seen = serial("bob", "carol", twice=False)
    play.recv("INVITE").sent(100).answer("bob", 404).answer("carol", 480).sent(480)
    assert len(seen) == 1


def test_reply_in_failure_route_replaces() -> None:
    play = flow("bob", arm=lambda t, c: t.t_on_failure(c, "F"), F=lambda ctx: tm(ctx).t_reply(ctx, 480, "Gone out"))
    play.recv("INVITE").sent(100).answer("bob", 500).sent(480).check(lambda m: m.reason == "Gone out").quiet("alice")
    play.recv("ACK", to_tag=play.got.to_tag).advance(6).gone()


def test_failure_route_only_once_for_all_branches() -> None:
    runs: list[int] = []
    play = ringing("bob", "carol", arm=lambda t, c: t.t_on_failure(c, "F"),
                   F=lambda ctx: runs.append(ctx.reply.status) or 1)
    play.answer("bob", 486).answer("carol", 404).sent(404)
    assert runs == [404]


def test_no_failure_route_on_success() -> None:
    runs: list[int] = []
    play = ringing("bob", arm=lambda t, c: t.t_on_failure(c, "F"), F=lambda ctx: runs.append(1) or 1)
    play.answer("bob", 200).sent(200)
    assert not runs


def test_after_6xx_no_new_branches() -> None:
    codes: list[int] = []

    def failure(ctx: Ctx) -> int:
        ctx.target.uri = URIS["carol"]
        codes.append(tm(ctx).t_relay(ctx))
        return 1
    def arm(t: object, c: Ctx) -> None:
        t.t_on_failure(c, "F")                          # type: ignore[attr-defined]
    flow("bob", arm=arm, F=failure).recv("INVITE").sent(100).answer("bob", 603).sent(603)
    assert codes == [-3]
    flow("bob", arm=arm, F=failure, params={"tm": {"disable_6xx_block": 1}}).recv("INVITE").sent(100).answer(
        "bob", 603).sent("INVITE", "carol")


def test_parallel_in_the_second_round_and_no_doubles() -> None:
    def failure(ctx: Ctx) -> int:
        fork(ctx, "carol", "carol", "dave")             # an older script appends its new R-URI as well
        return tm(ctx).t_relay(ctx)
    play = flow("bob", arm=lambda t, c: t.t_on_failure(c, "F"), F=failure).recv("INVITE").sent(100)
    play.answer("bob", 486).sent("INVITE", "carol").sent("INVITE", "dave").quiet("carol", "dave")
    play.answer("carol", 404).quiet("alice").answer("dave", 480).sent(404)


# --- onreply routes ----------------------------------------------------------------------------------------------

def test_order_of_reply_routes() -> None:
    order: list[str] = []

    def note(name: str) -> object:
        def route(ctx: Ctx) -> int:
            order.append(f"{name}{ctx.msg.status}:{ctx.branch_index}")
            ctx.edit.append_hf(f"X-{name}: 1")
            return 1
        return route

    def branch(ctx: Ctx) -> int:
        if ctx.branch_index == 1:
            tm(ctx).t_on_reply(ctx, "per_branch")
        return 1

    def arm(t: object, c: Ctx) -> None:
        t.t_on_reply(c, "per_tx")                       # type: ignore[attr-defined]
        t.t_on_branch(c, "B")                           # type: ignore[attr-defined]
    play = flow("bob", "carol", arm=arm, B=branch, reply=note("G"), per_branch=note("B"), per_tx=note("T"))
    play.recv("INVITE").sent(100).answer("carol", 180).sent(180)
    assert order == ["G180:-1", "B180:1", "T180:1"]
    assert [play.got.get(f"X-{name}") for name in "GBT"] == ["1", "1", "1"]
    order.clear()
    play.answer("bob", 404)
    assert order == ["G404:-1", "T404:0"]
    play.answer("carol", 486).sent(404).check(lambda m: m.get("X-T") == "1" and m.get("X-B") is None)


def test_drop_works_below_200_only() -> None:
    def drop(ctx: Ctx) -> int:
        ctx.dropped = True
        return 0
    play = flow("bob", arm=lambda t, c: t.t_on_reply(c, "R"), R=drop).recv("INVITE").sent(100)
    play.answer("bob", 180).quiet("alice").answer("bob", 200).sent(200)


@pytest.mark.parametrize("mode,expected", [(0, None), (1, ["x"])])
def test_avps_in_reply_routes(mode: int, expected: object) -> None:
    seen: list[object] = []

    def arm(t: object, c: Ctx) -> None:
        c.avp("a").append("x")
        c.flags = 5
        t.t_on_reply(c, "R")                            # type: ignore[attr-defined]
    def route(ctx: Ctx) -> int:
        seen.append((ctx.avps or {}).get("a"))
        seen.append(ctx.flags)
        ctx.flags = 7
        return 1
    play = flow("bob", arm=arm, R=route, params={"tm": {"onreply_avp_mode": mode}}).recv("INVITE")
    play.answer("bob", 180).answer("bob", 183)
    assert seen == [expected, 5, expected, 7]


def test_context_of_a_failure_route() -> None:
    def arm(t: object, c: Ctx) -> None:
        c.avp("a").append("x")
        c.target.bflags = 3
        t.t_on_failure(c, "F")                          # type: ignore[attr-defined]
    seen: list[object] = []

    def failure(ctx: Ctx) -> int:
        seen.extend([ctx.ruri, ctx.target.bflags, (ctx.avps or {})["a"], ctx.reply.status, ctx.msg.method,
                     ctx.request is ctx.msg])
        return 1
    flow("carol", arm=arm, F=failure).recv("INVITE").answer("carol", 404)
    assert seen == [URIS["carol"], 3, ["x"], 404, "INVITE", True]


# --- addresses ---------------------------------------------------------------------------------------------------

def named(*addresses: str, **more: object) -> object:
    def route(ctx: Ctx) -> int:
        ctx.target.uri = "sip:x@many.example"
        if "F" in more:
            tm(ctx).t_on_failure(ctx, "F")
        return tm(ctx).t_relay(ctx)
    play = flow(route=route, params={"tm": {"fr_timeout": 3}}, **more)              # type: ignore[arg-type]
    play.net.names["many.example"] = list(addresses)
    return play


def test_next_address_on_send_failure() -> None:
    play = named("10.0.0.2", "10.0.0.3")
    play.net.down.add("10.0.0.2:5060")
    play.recv("INVITE").sent(100).sent("INVITE", "carol").quiet()


def test_next_address_on_silence_and_503_before_the_failure_route() -> None:
    runs: list[int] = []
    play = named("10.0.0.2", "10.0.0.3", "10.0.0.4", F=lambda ctx: runs.append(ctx.reply.status) or 1)
    play.recv("INVITE").sent(100).sent("INVITE", "bob").advance(3.2).sent("INVITE", "carol").quiet("alice")
    assert play.received["carol"][0].via1_branch != play.received["bob"][0].via1_branch
    play.answer("carol", 503).sent("ACK", "carol").sent("INVITE", "dave").quiet("alice")
    assert not runs
    play.answer("dave", 486).sent(486)
    assert runs == [486]


def test_a_late_answer_from_an_address_left_behind() -> None:
    play = named("10.0.0.2", "10.0.0.3").recv("INVITE").sent(100).advance(3.2).sent("INVITE", "carol")
    play.answer("bob", 200).sent(200).answer("carol", 180).sent("CANCEL", "carol").quiet("alice")


def test_ringing_then_silent_is_no_reason_for_another_address() -> None:
    play = named("10.0.0.2", "10.0.0.3").recv("INVITE").sent(100).answer("bob", 180).sent(180).answer("bob", 503)
    play.sent("INVITE", "carol")                        # 503 is, whatever came before
    play = named("10.0.0.2", "10.0.0.3").recv("INVITE").sent(100).answer("bob", 404).sent(404)


async def test_a_slow_name() -> None:
    play = named("10.0.0.2")
    play.net.slow.add("many.example")
    play.recv("INVITE").sent(100).quiet()
    await _settle(play)
    play.sent("INVITE", "bob").answer("bob", 200).sent(200).advance(6).gone()


async def test_cancel_while_a_name_is_asked_for() -> None:
    play = named("10.0.0.2")
    play.net.slow.add("many.example")
    play.recv("INVITE").sent(100).recv("CANCEL").sent(200).quiet()
    await _settle(play)
    play.sent(487).quiet()
    play.recv("ACK", to_tag=play.got.to_tag).advance(40).gone()


async def test_a_slow_name_that_does_not_exist() -> None:
    play = named()
    play.net.slow.add("many.example")
    play.recv("INVITE").sent(100).quiet()
    await _settle(play)
    play.sent(476).quiet()


async def test_routes_that_wait() -> None:
    import asyncio
    gate = asyncio.Event()

    async def failure(ctx: Ctx) -> int:
        await gate.wait()
        ctx.target.uri = URIS["carol"]
        return tm(ctx).t_relay(ctx)
    play = flow("bob", arm=lambda t, c: t.t_on_failure(c, "F"), F=failure).recv("INVITE").sent(100).answer("bob", 486)
    play.quiet("alice")
    gate.set()
    await _settle(play)
    play.sent("INVITE", "carol").answer("carol", 200).sent(200)


async def _settle(play: object) -> None:
    import asyncio
    for _ in range(5):
        await asyncio.sleep(0)
    await asyncio.gather(*play.env._tasks)              # type: ignore[attr-defined]


def unsent(play: object, peer: str) -> None:
    """Let the connection fail that carried the last message to a peer."""
    address = {"bob": "10.0.0.2:5060", "carol": "10.0.0.3:5060"}[peer]
    data = play.net.boxes[address][-1]                  # type: ignore[attr-defined]
    play.worker.on_unsent(data, None)                   # type: ignore[attr-defined]


def test_a_connection_that_fails_later() -> None:
    play = flow("bob", "carol").recv("INVITE").sent(100).sent("INVITE", "bob").sent("INVITE", "carol")
    unsent(play, "bob")
    play.quiet("alice").answer("carol", 486).sent(486)
    play = flow("bob").recv("INVITE").sent(100).sent("INVITE", "bob")
    unsent(play, "bob")
    play.sent(477)
    play = named("10.0.0.2", "10.0.0.3").recv("INVITE").sent(100).sent("INVITE", "bob")
    unsent(play, "bob")
    play.sent("INVITE", "carol").answer("carol", 200).sent(200)
    play.advance(6).gone()
