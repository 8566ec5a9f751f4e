"""Keep a transaction open for branches that come later: a phone is woken, registers, and then gets the request."""
from __future__ import annotations

from typing import TYPE_CHECKING

from osip.api import Ctx, Route, Target
from osip.modules.tm import arrival, relay
from osip.modules.tm.branch import Branch
from osip.modules.tm.machine import TERMINATED
from osip.modules.tm.transaction import Transaction

if TYPE_CHECKING:
    from osip.modules.tm.layer import Layer

REQUEST = int(Route.REQUEST)


def hold(tm: Layer, ctx: Ctx, count: int) -> Transaction | None:
    """Keep the transaction of `ctx`, made if need be, open for `count` more branches.

    None when there can be no more: the request was a retransmission (it is answered), has its final response, or is
    one of our own.
    """
    tx = arrival.take(tm, ctx)[0]
    if tx is None or tx.is_local or tx.is_answered or tx.cancelled:
        return None
    tx.phony += count
    return tx


def inject(tm: Layer, tx: Transaction, ctx: Ctx, target: Target) -> bool:
    """Send one of the branches that were waited for; `ctx` is the context in which `hold` was called."""
    sent = False
    if is_open(tm, tx):
        if tx.loop:
            sent = relay.start(tm, tx, tx.make_ctx(REQUEST), target) > 0
        else:                                   # nothing was relayed yet: this is the first branch
            ctx.target, ctx.targets = target, None
            sent = relay.send_targets(tm, tx, ctx) > 0
    release(tm, tx, ctx)
    return sent


def is_open(tm: Layer, tx: Transaction) -> bool:
    """Say whether a transaction can have further branches."""
    return tx.request is not None and not tx.is_answered and not tx.cancelled \
        and (not tx.blocked or bool(tm.disable_6xx_block))


def release(tm: Layer, tx: Transaction, ctx: Ctx, count: int = 1) -> None:
    """Wait for `count` branches less; decide when no more are waited for."""
    if not tx.phony:
        return
    tx.phony = max(0, tx.phony - count)
    if not tx.phony and tx.request is not None and not tx.is_answered:
        if not tx.branches:
            tx.keep(ctx)                        # the failure route sees what the request route left
        decide(tm, tx)


def decide(tm: Layer, tx: Transaction) -> None:
    """Go on without further branches; when there was none at all it is as if one had not answered (408)."""
    if tx.phony or tx.is_answered or tx.request is None or tx.state == TERMINATED:
        return
    if not tx.branches:
        branch = Branch(tx, 0, Target())
        branch.status, branch.local, branch.state = 408, True, TERMINATED
        tx.branches.append(branch)
    tm.collect(tx)
