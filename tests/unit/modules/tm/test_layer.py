"""What the layer counts, and what it takes over from the module."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.playbook import Playbook, make_worker
from osip.core.net.endpoint import Source
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse
from osip.modules.tm import Tm
from osip.modules.tm.layer import Counts


@pytest.mark.parametrize("statuses,name", [
    ((200, 202), "finals_2xx"), ((302,), "finals_3xx"), ((400, 499), "finals_4xx"), ((500, 503), "finals_5xx"),
    ((600, 699), "finals_6xx")])
def test_finals_are_counted_by_class(statuses: tuple[int, ...], name: str) -> None:
    counts: Any = Counts()
    for status in statuses:
        counts.final(status)
    assert getattr(counts, name) == len(statuses)
    assert sum(getattr(counts, f"finals_{kind}xx") for kind in range(2, 7)) == len(statuses)


def test_retransmissions_are_counted_by_step() -> None:
    counts = Counts()
    for interval in (1.0, 2.0, 4.0, 8.0, 8.0):
        counts.retransmission(interval, 0.5)
    assert (counts.retransmission_req_t1_1, counts.retransmission_req_t1_2, counts.retransmission_req_t1_3,
            counts.retransmission_req_t2) == (1, 1, 1, 2)


def test_parameters_are_taken_over() -> None:
    play = Playbook((Tm,), lambda ctx: 1, params={"tm": {
        "timer_c": 200, "t1_timer": 250, "auto_100trying": 0, "enable_stats": 0, "restart_fr_on_each_reply": 0,
        "onreply_avp_mode": 1, "disable_6xx_block": 1, "local_reply_route": "mine", "minor_branch_flag": "minor"}})
    layer = play.modules["tm"].layer                    # type: ignore[attr-defined]
    assert (layer.times.t1, layer.times.ring, layer.timer_c) == (0.25, 200.0, True)
    assert not layer.auto_100trying and not layer.enable_stats and not layer.restart_fr_on_each_reply
    assert layer.onreply_avp_mode and layer.disable_6xx_block and layer.local_reply_route == "mine"
    assert layer.minor_mask == play.env.branch_flags.bit("minor") and layer.most_branches == 48
    assert play.modules["tm"].table is layer.table      # type: ignore[attr-defined]


def test_statistics_show_what_the_layer_counts() -> None:
    worker, _, _ = make_worker((Tm,))
    tm: Any = worker.registry.instances["tm"]
    tm.layer.counts.local_replies = 3
    found = worker.env.stats.select("tm:local_replies")[0]
    assert tm.local_replies == found.read() == 3
    found.reset()                                       # type: ignore[misc]
    assert tm.layer.counts.local_replies == 0


def test_a_request_keeps_its_key() -> None:
    worker, _, _ = make_worker((Tm,))
    tm: Any = worker.registry.instances["tm"]
    source = Source(worker.env.sockets[0], "10.0.0.1", 5060)
    one, two = (Ctx(worker.env, parse(message.request("INVITE", branch=f"z9hG4bK{name}")), source) for name in "ab")
    keys = [tm.table.key(ctx.msg) for ctx in (one, two, one, one)]
    assert keys[0] == keys[2] == keys[3] != keys[1]
    assert tm.t_check_trans(one) == -1 and tm.t_newtran(one) == 1
    assert tm.t_check_trans(Ctx(worker.env, one.msg, source)) == 0


class Routes:
    """A program of some routes that counts what it is asked."""

    def __init__(self, **routes: Any) -> None:
        self.routes, self.asked = routes, 0

    def named(self, kind: str, name: str) -> Any:
        self.asked += 1
        return self.routes.get(f"{kind}_{name}")


def test_routes_are_armed_by_name_and_looked_up_once_in_a_program() -> None:
    worker, _, _ = make_worker((Tm,))
    tm: Any = worker.registry.instances["tm"]

    def one(ctx: Ctx) -> int:
        return 1

    def other(ctx: Ctx) -> int:
        return 1
    words = {"failure_route": ("t_on_failure", "on_failure"), "onreply_route": ("t_on_reply", "on_reply"),
             "branch_route": ("t_on_branch", "on_branch")}
    for kind, (word, attr) in words.items():
        arm = getattr(tm, word)
        ctx = Ctx(worker.env, parse(message.request("INVITE")), Source(worker.env.sockets[0], "10.0.0.1", 5060))
        worker.env.program = None
        assert arm(ctx, "x") == -1
        for route in (one, other):
            worker.env.program = program = Routes(**{f"{kind}_x": route})       # type: ignore[assignment]
            assert [arm(ctx, "x") for _ in range(3)] == [1, 1, 1]
            assert getattr(tm.armed(ctx), attr) is route and program.asked == 1
            assert arm(ctx, "y") == -1 and getattr(tm.armed(ctx), attr) is route
        assert arm(ctx, "") == 1 and getattr(tm.armed(ctx), attr) is None
