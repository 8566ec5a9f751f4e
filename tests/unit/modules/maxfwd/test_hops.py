"""Max-Forwards: counted, added, refused."""
from __future__ import annotations

import pytest

from kit import message
from kit.playbook import make_worker
from osip.core.run.ctx import Ctx
from osip.core.sip.edits import splice
from osip.core.sip.message import parse
from osip.modules.maxfwd import Maxfwd

CASES = [   # received, max_limit, code, what leaves
    (70, 256, 1, 69), (1, 256, 1, 0), (0, 256, -1, 0), (None, 256, 2, 50), (None, 10, 2, 10), (200, 20, 1, 20)]


def ctx_for(hops: int | None, limit: int = 256) -> tuple[Maxfwd, Ctx]:
    worker, _, _ = make_worker((Maxfwd,), {"maxfwd": {"max_limit": limit}})
    return worker.registry.instances["maxfwd"], Ctx(worker.env, parse(message.request(max_forwards=hops)), None)


@pytest.mark.parametrize("hops,limit,code,out", CASES)
def test_one_hop(hops: int | None, limit: int, code: int, out: int) -> None:
    module, ctx = ctx_for(hops, limit)
    assert module.mf_process_maxfwd_header(ctx, 50) == code
    left = parse(splice(ctx.msg.raw, ctx.edits)) if ctx.edits else ctx.msg
    assert left.max_forwards == out


def test_unreadable() -> None:
    module, ctx = ctx_for(None)
    ctx.msg = parse(message.request(max_forwards=None, headers="Max-Forwards: many\r\n"))
    assert module.mf_process_maxfwd_header(ctx, 5) == -2
