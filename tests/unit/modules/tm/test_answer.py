"""Stateful answers: codes, tags, contacts, routes that run before (flows are in tests/flow)."""
from __future__ import annotations

import pytest

from kit.flows import flow, tm
from osip.core.run.ctx import Ctx


@pytest.mark.parametrize("method,code,result", [("INVITE", 200, 1), ("INVITE", 99, -1), ("INVITE", 700, -1),
                                                ("ACK", 200, -1), ("MESSAGE", 404, 1)])
def test_codes(method: str, code: int, result: int) -> None:
    codes: list[int] = []
    flow(route=lambda ctx: codes.append(tm(ctx).t_reply(ctx, code, "Reason")) or 1).recv(method)
    assert codes == [result]


def test_redirects_carry_the_targets() -> None:
    def route(ctx: Ctx) -> int:
        ctx.target.uri = "sip:new@x"
        return tm(ctx).t_reply(ctx, 302, "Moved")
    flow(route=route).recv("MESSAGE").sent(302).check(lambda m: m.get("Contact") == "<sip:new@x>")


def test_a_final_reply_cancels_what_is_pending() -> None:
    def reply(ctx: Ctx) -> int:
        return 1
    play = flow("bob", R=reply).recv("INVITE").answer("bob", 180).sent(100).sent(180)
    tx = next(iter(play.modules["tm"].table.servers.values()))
    assert tm(tx.make_ctx(1)).t_reply(tx.make_ctx(1), 480, "Enough") == 1
    play.sent(480).sent("INVITE", "bob").sent("CANCEL", "bob").answer("bob", 487).sent("ACK", "bob").quiet("alice")


def test_the_local_reply_route_may_edit() -> None:
    seen: list[int] = []

    def local(ctx: Ctx) -> int:
        seen.append(ctx.reply_code)
        ctx.reply_edits = [b"X-Local: 1\r\n"]
        return 1
    play = flow(route=lambda ctx: tm(ctx).t_reply(ctx, 404, "No"), LOCAL=local,
                params={"tm": {"local_reply_route": "LOCAL"}})
    play.recv("MESSAGE").sent(404).check(lambda m: m.get("X-Local") == "1")
    assert seen == [404]
