"""Save and look up where contacts, or those who have them, must be asked for first: sql-only, federation.

In sql-only a request's AoR is in memory while `save`, `lookup` and the like run, as it always is in other modes. In a
federation `lookup` with the flag global adds a branch to each other server that has contacts of the AoR; the mark in
its request URI keeps that server from doing the same.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from osip.api import Ctx, ParseError, StoreError, Target, parse_name_addr, parse_uri
from osip.modules.registrar.address import Refusal, default_uri, key_of, key_of_text, parse_any
from osip.modules.registrar.binding import is_at
from osip.modules.registrar.flag import LookupFlags, SaveFlags
from osip.modules.registrar.gruu import resolve
from osip.modules.registrar.lookup import ABSORBED, FOUND, INTERNAL, NONE, PUSHED, UNFIT, lookup
from osip.modules.registrar.save import save

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar

MARK: Final = "osip-home"
"""URI parameter of a request that another server of the federation sent to the home of its AoR."""


# --- sql-only ------------------------------------------------------------------------------------------------------

async def save_stored(reg: Registrar, ctx: Ctx, table: str, flags: SaveFlags, aor: str | None) -> int:
    """Do what `save` says, and answer when SQL has it; 500 when SQL does not take it."""
    msg: Any = ctx.msg
    accepted = reg.accepted_regs
    try:
        key = key_of(reg, parse_any(aor) if aor is not None else msg.to.uri)
    except (ParseError, Refusal):
        return save(reg, ctx, table, flags, aor)            # it refuses, and says why
    try:
        async with reg.usrloc.visit(table, key):
            accepted = reg.accepted_regs
            code = save(reg, ctx, table, flags, aor)
            accepted = reg.accepted_regs - accepted
        return code
    except StoreError as error:
        reg.rejected_regs += 1
        reg.accepted_regs -= 1 if accepted == 1 else 0
        reg.env.log.info("registration refused code=500 reason=%s call_id=%s", error, msg.call_id)
        if not flags.no_reply:
            before = ctx.reply_edits
            if reg.retry_after:
                ctx.reply_edits = [*(before or ()), b"Retry-After: %d\r\n" % reg.retry_after]
            reg.signaling.send_reply(ctx, 500, "Location Store Unavailable")
            ctx.reply_edits = before
        return -1


async def lookup_stored(reg: Registrar, ctx: Ctx, table: str, flags: LookupFlags, aor: str | None) -> int:
    """Do what `lookup` says with the contacts that SQL has now; -3 when it does not answer."""
    try:
        async with reg.usrloc.visit(table, *keys_of(reg, ctx, flags, aor)):
            return lookup(reg, ctx, table, flags, aor)
    except StoreError:                  # usrloc has said so
        return INTERNAL


def keys_of(reg: Registrar, ctx: Ctx, flags: LookupFlags, aor: str | None) -> list[str]:
    """Return the AoRs whose contacts a lookup needs."""
    texts = [aor or ctx.ruri or ""]
    if flags.branch:
        texts += [branch.uri or ctx.ruri or "" for branch in ctx.targets or ()]
    return [key for key in (_key(reg, text) for text in texts) if key is not None]


def _key(reg: Registrar, text: str) -> str | None:
    """Return the AoR that a lookup of this URI asks for; None when it is none."""
    try:
        uri = parse_any(text)
        gruu = resolve(reg, uri)
        return gruu[0] if gruu is not None and gruu[0] else key_of(reg, uri)
    except (ParseError, Refusal):
        return None


def with_aor(reg: Registrar, ctx: Ctx, table: str, aor: str | None, work: Callable[[], int]) -> Any:
    """Return what `work()` gives, which asks for an AoR; a coroutine when that must be read before."""
    return _visited(reg, ctx, table, aor, work) if reg.usrloc.keeps_nothing else work()


async def _visited(reg: Registrar, ctx: Ctx, table: str, aor: str | None, work: Callable[[], int]) -> int:
    key = key_of_text(reg, aor) if aor is not None else key_of(reg, default_uri(ctx))
    if key is None:
        return -1
    try:
        async with reg.usrloc.visit(table, key):
            return work()
    except StoreError:
        return -1


async def remove_at(reg: Registrar, host: str, port: int, table: str) -> int:
    """Remove all contacts at an address from SQL."""
    keeper: Any = reg.usrloc.keeper
    gone: list[Any] = []
    try:
        async for page in keeper.pages(table):
            gone += [contact for contact in page if is_at(contact, host, port)]
        await keeper.discard(gone)
    except StoreError as error:
        reg.env.log.error("registrar: remove_ip_port: %s", error)
        return -1
    return 1 if gone else -1


# --- federation ----------------------------------------------------------------------------------------------------

async def lookup_global(reg: Registrar, ctx: Ctx, table: str, flags: LookupFlags, aor: str | None) -> int:
    """Look up the contacts here and the other servers that have some; each of those becomes a branch."""
    text = aor or ctx.ruri or ""
    homes: list[str] = []
    is_known = True
    key = _key(reg, text)
    if key is not None and not _is_marked(ctx.ruri or ""):
        try:
            homes = await reg.usrloc.homes(table, key)
        except StoreError:              # usrloc has said so
            is_known = False
    code: int = lookup(reg, ctx, table, flags, aor)
    if not homes or code in (INTERNAL, ABSORBED):
        return code if is_known or code not in (NONE, INTERNAL) else INTERNAL
    uri = f"{_bare(text)};{MARK}"
    rest = homes
    if code in (NONE, UNFIT, PUSHED) and not flags.to_branches:
        _point(ctx.target, uri, homes[0])
        rest = homes[1:]
    if flags.no_branches and not flags.to_branches:
        return FOUND
    for home in rest:
        target = Target()
        _point(target, uri, home)
        if not ctx.add_target(target):
            reg.env.log.warning("more contacts than branches aor=%s servers=%d", key, len(homes))
            break
    return FOUND


def _point(target: Target, uri: str, home: str) -> None:
    target.uri, target.du = uri, home
    target.path = None
    target.q, target.bflags, target.socket = -1, 0, None


def _bare(text: str) -> str:
    if "<" in text:
        return parse_name_addr(text).uri_text
    return text if text.partition(":")[0].lower() in ("sip", "sips", "tel") else f"sip:{text}"


def _is_marked(text: str) -> bool:
    try:
        return parse_uri(_bare(text)).has_param(MARK)
    except ParseError:
        return False
