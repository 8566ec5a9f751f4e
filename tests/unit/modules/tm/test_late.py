"""What another module does with a response after the script's onreply_route."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.flows import flow
from osip.core.run.ctx import Ctx
from osip.modules.tm import Tm


@pytest.mark.parametrize(("armed", "told"), [
    ("", ["work 200"]), ("before", ["route 200", "work 200"]), ("after", ["route 200", "work 200"]),
    ("before after disarm", ["work 200"])])
@pytest.mark.parametrize("does_wait", [False, True])
async def test_it_comes_after_the_route_whenever_that_was_armed(armed: str, told: list[str], does_wait: bool) -> None:
    said: list[str] = []
    going, is_set = asyncio.Event(), []

    def work(ctx: Ctx) -> Any:
        async def later() -> None:
            await going.wait()
            said.append(f"work {ctx.msg.status}")           # type: ignore[union-attr]
        if does_wait:
            return later()
        said.append(f"work {ctx.msg.status}")               # type: ignore[union-attr]
        return None

    def route(ctx: Ctx) -> Any:
        async def later() -> int:
            await asyncio.sleep(0)
            return 1
        said.append(f"route {ctx.msg.status}")              # type: ignore[union-attr]
        return later() if does_wait else 1

    def arm(tm: Tm, ctx: Ctx) -> None:
        if "before" in armed:
            tm.t_on_reply(ctx, "R")
        tm.after_reply(ctx, work)
        is_set.append(tm.t_is_set(ctx, "onreply_route"))
        if "after" in armed:
            tm.t_on_reply(ctx, "R")
        if "disarm" in armed:
            tm.t_on_reply(ctx, "")
        is_set.append(tm.t_is_set(ctx, "onreply_route"))
    play = flow("bob", arm=arm, R=route).recv("MESSAGE").sent("MESSAGE", "bob").answer("bob", 200, "MESSAGE")
    if does_wait:
        for _ in range(9):
            await asyncio.sleep(0)
        play.quiet("alice")
        going.set()
        for _ in range(9):
            await asyncio.sleep(0)
    play.sent(200)
    assert said == told
    assert is_set == [1 if "before" in armed else -1, 1 if "route 200" in told else -1]


def test_a_route_that_fails_does_not_keep_it_from_its_work() -> None:
    said: list[str] = []
    flow("bob", arm=lambda tm, ctx: (tm.t_on_reply(ctx, "R"), tm.after_reply(ctx, lambda _: said.append("work"))),
         R=lambda ctx: 1 // 0).recv("MESSAGE").sent("MESSAGE", "bob").answer("bob", 200, "MESSAGE").sent(200)
    assert said == ["work"]
