"""Variables of tm in every kind of route."""
from __future__ import annotations

from typing import Any

import pytest

from kit.flows import flow, tm
from osip.core.run.ctx import Ctx
from osip.modules.tm.variable import Variables


def read(ctx: Ctx) -> tuple[Any, ...]:
    t: Variables = tm(ctx)
    return t.t_branch_idx(ctx), t.t_reply_code(ctx), t.t_ruri(ctx)


def test_by_route() -> None:
    seen: dict[str, Any] = {}

    def note(name: str) -> Any:
        return lambda ctx: seen.__setitem__(name, read(ctx)) or 1

    def arm(t: Any, ctx: Ctx) -> None:
        seen["request"] = read(ctx)
        t.t_on_branch(ctx, "B")
        t.t_on_reply(ctx, "R")
        t.t_on_failure(ctx, "F")
    play = flow("carol", arm=arm, B=note("branch"), R=note("reply"), F=note("failure")).recv("INVITE")
    play.answer("carol", 486)
    uri = "sip:carol@10.0.0.3"
    assert seen == {"request": (None, 0, None), "branch": (0, 100, uri), "reply": (0, 486, uri),
                    "failure": (0, 486, uri)}


def test_timeouts_before_and_after_the_transaction() -> None:
    values: list[Any] = []

    def arm(t: Any, ctx: Ctx) -> None:
        values.append((t.t_fr_timeout(ctx), t.t_fr_inv_timeout(ctx)))
        assert t.set_t_fr_timeout(ctx, 4) and t.set_t_fr_inv_timeout(ctx, "20")
        t.t_newtran(ctx)
        values.append((t.t_fr_timeout(ctx), t.t_fr_inv_timeout(ctx)))
        assert t.set_t_fr_timeout(ctx, 6)
        values.append((t.t_fr_timeout(ctx), t.times.answer))
    play = flow("bob", arm=arm).recv("INVITE").sent(100).advance(5.8).quiet("alice").advance(0.4).sent(408)
    assert values == [(30, 120), (4, 20), (6, 30.0)]
    play.recv("INVITE", branch="z9hG4bK-9").answer("bob", 180).sent(100).sent(180).advance(19.8).advance(0.4).sent(408)


@pytest.mark.parametrize("value,good", [(0, False), (-1, False), ("x", False), (None, True), ("5", True)])
def test_bad_timeouts(value: Any, good: bool) -> None:
    codes: list[bool] = []
    flow("bob", arm=lambda t, ctx: codes.append(t.set_t_fr_timeout(ctx, value))).recv("INVITE")
    assert codes == [good]


def test_bavp() -> None:
    seen: list[Any] = []

    def branch(ctx: Ctx) -> int:
        t = tm(ctx)
        assert t.set_bavp(ctx, "x", None, f"one{ctx.branch_index}") and t.set_bavp(ctx, "x", None, 2)
        return 1

    def reply(ctx: Ctx) -> int:
        t = tm(ctx)
        seen.extend([t.bavp(ctx, "x", None), t.bavp(ctx, "x", 1), t.bavp(ctx, "x", 2), t.bavp(ctx, "x", "*")])
        t.set_bavp(ctx, "x", 0, "new")
        t.set_bavp(ctx, "x", "append", "old")
        seen.append(t.bavp(ctx, "x", "*"))
        t.set_bavp(ctx, "x", None, None)
        seen.append(t.bavp(ctx, "x", "*"))
        return 1

    def arm(t: Any, ctx: Ctx) -> None:
        assert t.bavp(ctx, "x", None) is None and not t.set_bavp(ctx, "x", None, 1)
        t.t_on_branch(ctx, "B")
        t.t_on_reply(ctx, "R")
    flow("bob", "carol", arm=arm, B=branch, R=reply).recv("INVITE").answer("carol", 180)
    assert seen == [2, "one1", None, "2, one1", "new, one1, old", "one1, old"]


def test_last_reply_codes() -> None:
    seen: list[Any] = []

    def failure(ctx: Ctx) -> int:
        t = tm(ctx)
        seen.extend([t.t_branch_last_reply_code(ctx, None), t.t_branch_last_reply_code(ctx, 0),
                     t.t_branch_last_reply_code(ctx, 1), t.t_branch_last_reply_code(ctx, 9), t.t_id(ctx)])
        return 1
    play = flow("bob", "carol", arm=lambda t, c: t.t_on_failure(c, "F"), F=failure).recv("INVITE")
    play.answer("bob", 404).answer("carol", 486)
    assert seen == [404, 404, 486, None, "0:1"]


def test_branches_of_the_transaction() -> None:
    seen: list[Any] = []

    def failure(ctx: Ctx) -> int:
        t = tm(ctx)
        assert t.set_branch_attr(ctx, "kind", 1, "home") and t.set_branch_flag(ctx, "NAT", 1, 1)
        seen.extend([t.branch_uri(ctx, 1), t.branch_duri(ctx, 0), t.branch_path(ctx, 0), t.branch_q(ctx, 0),
                     t.branch_q(ctx, 1), t.branch_socket(ctx, 0), t.branch_last_received(ctx, -1),
                     t.branch_type(ctx, None), t.branch_uri(ctx, 5), t.branch_flags(ctx, 1),
                     t.branch_flag(ctx, "NAT", 1), t.branch_flag(ctx, "NAT", 0), t.branch_attr(ctx, "kind", 1)])
        assert t.set_branch_attr(ctx, "kind", 1, None) and t.set_branch_flag(ctx, "NAT", 1, 0)
        seen.extend([t.branch_attr(ctx, "kind", 1), t.branch_flag(ctx, "NAT", 1), t.branch_uri(ctx, "0/active")])
        return 1

    def arm(t: Any, ctx: Ctx) -> None:
        ctx.target.du, ctx.target.q = "sip:10.0.0.2", 700
        t.t_on_failure(ctx, "F")
    flow("bob", "carol", arm=arm, F=failure).recv("INVITE").answer("bob", 404).answer("carol", 486)
    assert seen == ["sip:carol@10.0.0.3", "sip:10.0.0.2", None, 700, None, "udp:10.0.0.9:5060", 486, "sip", None,
                    "NAT", 1, 0, "home", None, 0, "sip:bob@10.0.0.2"]
