"""What maxfwd declares: the comparison, and its live parameter."""
from __future__ import annotations

import pytest

from kit import message
from kit.playbook import make_worker
from osip.core.run.ctx import Ctx
from osip.core.sip.edits import splice
from osip.core.sip.message import parse
from osip.modules.maxfwd import Maxfwd


def ctx_for(hops: int | None, limit: int = 256) -> tuple[Maxfwd, Ctx]:
    worker, _, _ = make_worker((Maxfwd,), {"maxfwd": {"max_limit": limit}})
    return worker.registry.instances["maxfwd"], Ctx(worker.env, parse(message.request(max_forwards=hops)), None)


@pytest.mark.parametrize("hops,limit,code", [(5, 10, 1), (10, 10, -1), (11, 10, -1), (None, 10, -2)])
def test_lower_than(hops: int | None, limit: int, code: int) -> None:
    module, ctx = ctx_for(hops)
    assert module.is_maxfwd_lt(ctx, limit) == code


def test_unreadable() -> None:
    module, ctx = ctx_for(None)
    ctx.msg = parse(message.request(max_forwards=None, headers="Max-Forwards: many\r\n"))
    assert module.is_maxfwd_lt(ctx, 5) == -3


def test_a_reload_may_change_the_limit() -> None:
    module, ctx = ctx_for(200, 100)
    module.max_limit = 7
    assert module.mf_process_maxfwd_header(ctx, 70) == 1
    assert parse(splice(ctx.msg.raw, ctx.edits)).max_forwards == 7
