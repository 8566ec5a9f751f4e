"""Who sends a reply."""
from __future__ import annotations

import pytest

from kit.playbook import Playbook
from osip.core.run.ctx import Ctx
from osip.modules.signaling.choice import Choice
from osip.modules.sl import Sl


def stateful(ctx: Ctx, code: int, reason: str) -> int:
    ctx.slots = {"edits": ctx.reply_edits}
    return code


def choose(ctx: Ctx, has_tm: bool, has_sl: bool, has_tx: bool) -> Choice:
    ctx.tx = object() if has_tx else None
    return Choice(stateful if has_tm else None, ctx.env.modules["sl"].replies if has_sl else None)


WAYS = [(True, True, True, 404), (True, True, False, 1), (True, False, False, 404), (True, False, True, 404),
        (False, True, False, 1), (False, True, True, 1)]


@pytest.mark.parametrize(("has_tm", "has_sl", "has_tx", "found"), WAYS)
def test_choice(has_tm: bool, has_sl: bool, has_tx: bool, found: int) -> None:
    told: list[int] = []
    flow = Playbook((Sl,), lambda ctx: told.append(choose(ctx, has_tm, has_sl, has_tx).send_reply(ctx, 404, "No")) or 1)
    flow.recv("INVITE")
    assert told == [found]
    if found == 1:
        flow.sent(404)


@pytest.mark.parametrize("code", [200, 404])
@pytest.mark.parametrize("before", [None, [], [b"X-One: 1\r\n"]])
@pytest.mark.parametrize(("has_tm", "has_sl", "has_tx", "found"), WAYS)
def test_answer_adds_lines(has_tm: bool, has_sl: bool, has_tx: bool, found: int, before: list[bytes] | None,
                           code: int) -> None:
    told: list[object] = []

    def action(ctx: Ctx) -> int:
        ctx.reply_edits = before
        told.append(choose(ctx, has_tm, has_sl, has_tx).answer(ctx, code, "Word", b"X-Two: 2\r\n"))
        told.extend((ctx.slots, ctx.reply_edits))
        return 1
    flow = Playbook((Sl,), action).recv("INVITE")
    lines = [*(before or ()), b"X-Two: 2\r\n"]
    assert told == [code if found == 404 else 1, {"edits": lines} if found == 404 else None, before]
    if found == 1:
        flow.sent(code)
        assert flow.got.raw.count(b"".join(lines)) == 1
