"""Who sends a reply."""
from __future__ import annotations

from typing import Any

import pytest

from kit.playbook import make_worker
from osip.core.run.ctx import Ctx
from osip.modules.signaling.choice import Choice
from osip.modules.sl import Sl


def stateful(ctx: Ctx, code: int, reason: str) -> int:
    return code


def stateless(ctx: Ctx, code: int, reason: str) -> int:
    return -code


@pytest.mark.parametrize(("has_tm", "has_sl", "has_tx", "found"), [
    (True, True, True, 404), (True, True, False, -404), (True, False, False, 404), (True, False, True, 404),
    (False, True, False, -404), (False, True, True, -404)])
def test_choice(has_tm: bool, has_sl: bool, has_tx: bool, found: int) -> None:
    worker, _, _ = make_worker((Sl,))
    ctx: Any = Ctx(worker.env, None, None)
    ctx.tx = object() if has_tx else None
    choice = Choice(stateful if has_tm else None, stateless if has_sl else None)
    assert choice.send_reply(ctx, 404, "Not Found") == found
