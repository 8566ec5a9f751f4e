"""Find or make the server transaction of a request that arrives; answer copies (RFC 3261 section 17.2)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import M_ACK, M_INVITE, Ctx, reply
from osip.modules.tm.machine import ACK, REQUEST
from osip.modules.tm.transaction import ON_ACK, Plan, Transaction

if TYPE_CHECKING:
    from osip.modules.tm.layer import Layer


def absorb(tx: Transaction) -> None:
    """Take a retransmission: the last response is sent again.

    RFC 4320 section 4.1 allows a 100 to a slow non-INVITE; as in OpenSIPS none is made, since many clients take it for
    a fault.
    """
    tx.input(REQUEST)


def echo(tm: Layer, key: str) -> bool:
    """Answer a copy of a request whose transaction is over; False when there was none lately."""
    found = tm.echoes.entries.get(key)
    if found is None:
        return False
    data, dest = found
    if data is not None and dest is not None:
        tm.env.hand(data, dest)
    return True


def create(tm: Layer, ctx: Ctx, key: str) -> Transaction:
    """Make the server transaction of a request; an INVITE gets its 100."""
    tx = Transaction(tm, key, ctx)
    plan: Plan | None = ctx[tm.plan]
    if plan is not None:
        tx.adopt(plan)
    tm.table.servers[key] = tx
    ctx.tx = tx
    if tm.enable_stats:
        tm.counts.uas_transactions += 1
    tx.begin()
    for listener in tm.on_created:
        listener(tx, ctx)
    if tx.method_id == M_INVITE and tm.auto_100trying:
        tx.respond(100, reply.build(ctx, 100, "Giving it a try"), True)
    return tx


def take(tm: Layer, ctx: Ctx) -> tuple[Transaction | None, int]:
    """Find or make the transaction of a request in its request route.

    Returns it and whether it was made here (1), existed for this very request (0), or stopped the matter: (None, 0) a
    retransmission that was absorbed, (None, -1) an ACK that has none.
    """
    tx = ctx.tx
    if tx is not None:
        return tx, 0
    msg: Any = ctx.msg
    key = tm.table.key(msg)
    found = tm.table.servers.get(key)
    if msg.method_id == M_ACK:
        if found is not None and found.status >= 300:
            acknowledge(found, ctx)
            return None, 0
        return None, -1
    if found is not None:
        absorb(found)
        return None, 0
    if key in tm.echoes.entries and echo(tm, key):
        return None, 0
    return create(tm, ctx, key), 1


def acknowledge(tx: Transaction, ctx: Ctx) -> None:
    """Take the ACK of a negative response that was sent upstream (17.2.1)."""
    tx.input(ACK)
    if tx.watchers is not None:
        tx.tell_watchers(ON_ACK, tx.status, ctx)
