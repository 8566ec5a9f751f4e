"""Find the phone behind a request that the main registrar sends here."""
from __future__ import annotations

from typing import TYPE_CHECKING

from osip.api import Ctx, ParseError, parse_uri
from osip.modules.mid_registrar.front import AORS, aor_of, id_of
from osip.modules.registrar.flag import LookupFlags
from osip.modules.registrar.lookup import ABSORBED, FOUND, NONE, PUSHED, UNFIT, fill, lookup

if TYPE_CHECKING:
    from osip.modules.mid_registrar.module import MidRegistrar


def mid_lookup(mid: MidRegistrar, ctx: Ctx, table: str, flags: LookupFlags, aor: str | None) -> int:
    """Do what mid_registrar_lookup says: by the number in the R-URI, else by AoR."""
    aor, id = asked_for(mid, ctx, aor)
    return _by_id(mid, ctx, table, flags, id) if id else lookup(mid, ctx, table, flags, aor)    # type: ignore[arg-type]


def asked_for(mid: MidRegistrar, ctx: Ctx, aor: str | None) -> tuple[str | None, int]:
    """Return the AoR that is asked for (None: that of the R-URI), and the number of one contact, 0 for none."""
    if aor is not None:
        return aor, 0
    try:
        uri = parse_uri(ctx.ruri or "")
    except ParseError:
        return None, 0
    return (aor_of(mid, uri), 0) if mid.mode == AORS else (None, id_of(mid, uri))


def _by_id(mid: MidRegistrar, ctx: Ctx, table: str, flags: LookupFlags, id: int) -> int:
    """Send the request to one contact."""
    domain = mid.usrloc.domain(table)
    domain.index()
    contact = domain.ids.get(id)
    if contact is None or not contact.is_valid(mid.env.now):
        return NONE
    if (flags.methods and not contact.methods & mid.usrloc.method_mask(ctx.msg.method)) or (
            flags.agent is not None and not flags.agent.search(contact.user_agent)) or (
            flags.max_latency and contact.latency > flags.max_latency):
        return UNFIT
    if mid.push is not None:
        awake, woken = mid.push.wake(ctx, [contact])
        if not awake:
            return PUSHED if woken > 0 else ABSORBED
    if flags.to_branches:
        target = type(ctx.target)()
        fill(mid.rules, ctx, target, contact)
        ctx.add_target(target)
    else:
        fill(mid.rules, ctx, ctx.target, contact)
    return FOUND
