"""Relay for a script that answers by itself what could not be sent: wait until that is known (dsl.md section 11).

With `no-auto-477`, or in a script that makes transactions by t_newtran, the code of t_relay has to say whether a branch
could leave. Other scripts do not wait: what turns out later is answered by tm.
"""
from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from osip.api import M_ACK, M_CANCEL, Ctx, Endpoint, OsipError, Target, forward
from osip.modules.tm import relay
from osip.modules.tm.machine import TERMINATED

if TYPE_CHECKING:
    from osip.modules.tm.branch import Branch
    from osip.modules.tm.layer import Layer
    from osip.modules.tm.transaction import Transaction

STEP = 0.005
"""Seconds between two looks at a connection that is being made."""
MOST = 1.0
"""Seconds that a script waits for connections at most, whatever tcp_connect_timeout says."""


def is_needed(given: tuple[str | None, ...], functions: frozenset[str]) -> bool:
    """Say whether a t_relay has to wait: by its literal arguments (None: computed) and the functions of the script."""
    if "t_newtran" in functions:
        return True
    for text in given:
        if text is None:
            return True
        with suppress(ValueError, OsipError):
            flags = relay.relay_argument(text)
            if flags.__class__ is int and flags & relay.NO_AUTO:
                return True
    return False


def t_relay(tm: Layer, ctx: Ctx, flags: Any, proxy: Any) -> int | Coroutine[Any, Any, int]:
    """Relay like `Layer.t_relay`; a coroutine where a name or a connection has to be waited for."""
    found = [given for given in (flags, proxy) if given is not None]
    mask = 0
    for given in found:
        mask |= given if isinstance(given, int) else 0
    where = next((given for given in reversed(found) if not isinstance(given, int)), None)
    made = ctx.tx is None                   # whoever waits gets a transaction before
    hops = _unknown(tm, ctx, where) if ctx.msg.method_id not in (M_ACK, M_CANCEL) else []
    return _after_names(tm, ctx, mask, where, made, hops) if hops else _relay(tm, ctx, mask, where, made)


def _unknown(tm: Layer, ctx: Ctx, proxy: Endpoint | None) -> list[Target]:
    """Return the targets whose names must be asked for."""
    if ctx.kind != relay.FAILURE:
        relay.follow_route(tm, ctx, proxy)
    hops = []
    for target in [ctx.target, *(ctx.targets or ())]:
        hop = relay.via_proxy(target, proxy) if proxy is not None else target
        with suppress(OsipError):           # relay() says what is wrong with it
            if forward.next_hops(ctx, hop) is None:
                hops.append(hop)
    return hops


async def _after_names(tm: Layer, ctx: Ctx, mask: int, proxy: Endpoint | None, made: bool, hops: list[Target]) -> int:
    """Ask for the names first: the answers are kept, so that relay() has them, those that say no as well."""
    await asyncio.gather(*(forward.next_hops_wait(ctx, hop) for hop in hops), return_exceptions=True)
    found = _relay(tm, ctx, mask, proxy, made)
    return found if isinstance(found, int) else await found


def _relay(tm: Layer, ctx: Ctx, mask: int, proxy: Endpoint | None, made: bool) -> int | Coroutine[Any, Any, int]:
    tx: Any = ctx.tx
    first, start = (len(tx.branches), tx.round_start) if tx is not None else (0, 0)
    code = relay.relay(tm, ctx, mask, proxy)
    tx = ctx.tx
    if code > 0 and tx is not None and any(_is_connecting(tm, branch) for branch in tx.branches[first:]):
        tx.waiting += 1
        return _connected(tm, tx, ctx, mask, made, first, start)
    return _result(tm, tx, ctx, code, mask, made)


async def _connected(tm: Layer, tx: Transaction, ctx: Ctx, mask: int, made: bool, first: int, start: int) -> int:
    """Wait for the connections of the new branches, as long as one may take; if all are refused nothing was sent."""
    clock = asyncio.get_running_loop().time
    until = clock() + min(tm.env.config.tcp_connect_timeout / 1000 + 2 * STEP, MOST)
    try:
        while clock() < until and any(_is_connecting(tm, branch) for branch in tx.branches[first:]):
            await asyncio.sleep(STEP)
    finally:
        tx.waiting -= 1
    new = tx.branches[first:]
    if tx.is_answered or tx.cancelled or not new or not all(_is_lost(branch) for branch in new):
        tm.collect(tx)                      # what came while it was held
        return 1
    del tx.branches[first:]                 # a branch that cannot be sent leaves no trace
    tx.round_start = start
    return _result(tm, tx, ctx, relay.UNSENT, mask, made)


def _result(tm: Layer, tx: Any, ctx: Ctx, code: int, mask: int, made: bool) -> int:
    """Answer what is not left to the script: the transaction was made for t_relay, though before it waited."""
    if code < 0 and made and tx is not None and not mask & relay.NO_AUTO:
        relay.answer_fault(tm, tx, ctx, code)
        return 1
    return code


def _is_connecting(tm: Layer, branch: Branch) -> bool:
    if branch.state == TERMINATED or branch.status or branch.dest is None:
        return False
    table = getattr(tm.env.transports.get(branch.dest.proto), "connections", None)
    conn = table.find(branch.dest) if table is not None else None
    return conn is not None and conn.is_connecting


def _is_lost(branch: Branch) -> bool:
    return branch.superseded or (branch.state == TERMINATED and branch.local and branch.status == 503)
