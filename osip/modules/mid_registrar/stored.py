"""Save and look up with contacts that are in SQL alone (sql-only): read before each step, written behind it.

A response from the main registrar waits until what it says is stored. Rows that have expired are taken back at the
main registrar by the server that removes them.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import Ctx, ParseError, Route, StoreError
from osip.modules.mid_registrar import remote
from osip.modules.mid_registrar.front import AORS
from osip.modules.mid_registrar.lookup import asked_for, mid_lookup
from osip.modules.mid_registrar.save import Order, mid_save, refuse, take_over
from osip.modules.registrar.address import Refusal, key_of, parse_any
from osip.modules.registrar.flag import LookupFlags, SaveFlags
from osip.modules.registrar.lookup import INTERNAL, NONE
from osip.modules.registrar.remote import keys_of

if TYPE_CHECKING:
    from osip.modules.mid_registrar.module import MidRegistrar

AWAY = "Location Store Unavailable"


async def save_stored(mid: MidRegistrar, ctx: Ctx, table: str, flags: SaveFlags, aor: str | None, outgoing: int) -> int:
    """Do what mid_registrar_save says; 500 when SQL does not answer, or does not take what is answered here."""
    msg: Any = ctx.msg
    try:
        key = key_of(mid, parse_any(aor) if aor is not None else msg.to.uri)       # type: ignore[arg-type]
    except (ParseError, Refusal):
        return mid_save(mid, ctx, table, flags, aor, outgoing)          # it refuses, and says why
    try:
        async with mid.usrloc.visit(table, key):
            code = mid_save(mid, ctx, table, flags, aor, outgoing)
        return code
    except StoreError:                                                  # usrloc has said so
        return refuse(mid, ctx, flags, Refusal(500, AWAY))


async def on_reply(order: Order, ctx: Ctx) -> None:
    """Store what the main registrar has agreed to before its answer goes on; 500 in its place when SQL does not take it."""
    tx = ctx.tx
    if order.is_done or tx.request is None or not 200 <= ctx.msg.status < 300:   # type: ignore[union-attr]
        return
    order.is_done = True
    try:
        async with order.mid.usrloc.visit(order.table, order.key):
            if tx.request is not None:
                take_over(order, tx, ctx)
    except StoreError:
        order.mid.complain("mid_registrar:", "the main registrar accepted what cannot be kept here: call_id=%s aor=%s",
                           ctx.msg.call_id, order.key)                  # type: ignore[union-attr]
        if tx.request is not None:
            work = tx.make_ctx(int(Route.REQUEST))
            if order.mid.retry_after:
                work.reply_edits = [b"Retry-After: %d\r\n" % order.mid.retry_after]
            order.mid.tm.t_reply(work, 500, AWAY)


async def lookup_stored(mid: MidRegistrar, ctx: Ctx, table: str, flags: LookupFlags, aor: str | None) -> int:
    """Do what mid_registrar_lookup says with the contacts that SQL has now; -3 when it does not answer."""
    keeper: Any = mid.usrloc.keeper
    wanted, id = asked_for(mid, ctx, aor)
    try:
        if id:
            key = await keeper.aor_of(table, id)
            if key is None:
                return NONE
            keys = [key]
        else:
            keys = keys_of(mid, ctx, flags, wanted)                     # type: ignore[arg-type]
        async with mid.usrloc.visit(table, *keys):
            return mid_lookup(mid, ctx, table, flags, aor)
    except StoreError:
        return INTERNAL


def on_end(mid: MidRegistrar, domain: Any, aor: str, ended: list[tuple[Any, dict[str, str] | None]]) -> None:
    """Take back at the main registrar what has expired here: contacts of one AoR, each with the keys of its row.

    What is left of the AoR is in memory meanwhile.
    """
    record = domain.get(aor)
    if mid.mode == AORS:
        if record is None:
            _, keys = max(ended, key=lambda one: one[0].modified)
            held = remote.held_in(keys, 0)
            if held is not None:
                remote.take_back(mid, held)
        return
    for contact, keys in ended:
        held = remote.held_in(keys, contact.id)
        if held is None:
            continue
        mid.usrloc.put_key(record, remote.key_of(contact.id), None)
        remote.take_back(mid, held)
