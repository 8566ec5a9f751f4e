"""Find where a user is and make the destination set of a request (RFC 3261 section 16.5)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import Ctx, ParseError, Target, parse_name_addr, parse_uri, split_commas
from osip.modules.registrar.address import Refusal, key_of, key_of_uri, parse_any
from osip.modules.registrar.flag import LookupFlags
from osip.modules.registrar.flow import instance_of, one_of_each
from osip.modules.registrar.gruu import resolve
from osip.modules.registrar.rule import Rules

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar
    from osip.modules.usrloc.state import Contact, Domain

FOUND, PUSHED, ABSORBED, NONE, UNFIT, INTERNAL = 1, 2, 0, -1, -2, -3


def lookup(reg: Registrar, ctx: Ctx, table: str, flags: LookupFlags, aor: str | None) -> int:
    """Do what `lookup` says: 1 found, 2 all are being woken, -1 nobody there, -2 nobody who fits, -3 unusable URI."""
    rules: Rules = reg.rules
    gruu: tuple[str, str, str] | None = None
    try:
        if aor is None and rules.disable_gruu:
            key = key_of_uri(rules, ctx.ruri or "")
        else:
            uri = parse_any(aor) if aor is not None else parse_uri(ctx.ruri or "")
            gruu = resolve(reg, uri)
            key = gruu[0] if gruu is not None and gruu[0] else key_of(reg, uri)
    except (ParseError, Refusal) as error:
        reg.env.log.info("lookup of a bad URI uri=%s error=%s", aor or ctx.ruri, error)
        return INTERNAL
    domain: Domain | None = rules.tables.get(table)
    if domain is None:
        domain = reg.usrloc.domain(table)
    code, contacts = _fitting(rules, ctx, domain, key, flags)
    if gruu is not None:
        contacts = _of_device(contacts, gruu[1], gruu[2])
        code = code if contacts else NONE
    woken = 0
    if rules.push is not None:
        contacts, woken = rules.push.wake(ctx, contacts[:1] if flags.no_branches else contacts)
        if woken < 0:
            return ABSORBED
    expanded = _expand(reg, rules, ctx, domain, flags) if flags.branch else False
    if contacts:
        _use(rules, ctx, contacts, flags)
        return FOUND
    return FOUND if expanded else PUSHED if woken else code


def _of_device(contacts: list[Any], instance: str, call_id: str) -> list[Any]:
    """Return the contact that a GRUU means: the newest of this instance (RFC 5627 section 5.5)."""
    found = [c for c in contacts if instance and instance_of(c) == instance and call_id in ("", c.call_id)]
    return [max(found, key=lambda c: c.modified)] if found else []


def _fitting(rules: Rules, ctx: Ctx, domain: Domain, key: str, flags: LookupFlags) -> tuple[int, list[Contact]]:
    """Return (code, contacts) of an AoR after the filters, best first."""
    valid = domain.valid(key, rules.env.now)
    if not valid:
        return NONE, []
    fit = valid
    if flags.methods:
        bit: int = rules.usrloc.method_mask(ctx.msg.method)
        fit = [c for c in fit if c.methods & bit]
    if flags.agent is not None:
        fit = [c for c in fit if flags.agent.search(c.user_agent)]
    if flags.max_latency:
        fit = [c for c in fit if c.latency <= flags.max_latency]
    if flags.sort_latency:
        fit = _quickest_first(fit)
    return (FOUND if fit else UNFIT), one_of_each(fit) if len(fit) > 1 and rules.outbound_mode else fit


def _quickest_first(contacts: list[Contact]) -> list[Contact]:
    return sorted(contacts, key=lambda c: (-c.q, c.latency or 1 << 60))


def _use(rules: Rules, ctx: Ctx, contacts: list[Contact], flags: LookupFlags) -> None:
    rest = contacts
    if not flags.to_branches:
        # The R-URI branch keeps its object: routes that run hold on to it.
        fill(rules, ctx, ctx.target, contacts[0])
        if flags.no_branches or len(contacts) == 1:
            return
        rest = contacts[1:]
    for contact in rest[:1] if flags.no_branches else rest:
        target = Target()
        fill(rules, ctx, target, contact)
        if not ctx.add_target(target):
            rules.env.log.warning("more contacts than branches aor=%s contacts=%d", contact.aor, len(contacts))
            return


def fill(rules: Rules, ctx: Ctx, target: Target, contact: Contact) -> None:
    """Point a target at a contact: its URI, the way to it, q, socket and branch flags."""
    target.uri = contact.uri
    path = contact.path
    target.path = path
    if path:
        target.du = parse_name_addr(split_commas(path)[0]).uri_text
    else:
        target.du = contact.received
    target.q = contact.q
    target.socket = contact.socket
    target.bflags = contact.cflags
    if rules.attr_avp and contact.attr is not None:
        ctx.avp(rules.attr_avp).append(contact.attr)


def _expand(reg: Registrar, rules: Rules, ctx: Ctx, domain: Domain, flags: LookupFlags) -> bool:
    """Replace each branch that is there by the contacts of its own AoR; say whether any was found."""
    found = False
    branches, ctx.targets = ctx.targets or [], None
    for branch in branches:
        contacts: list[Any] = []
        try:
            key = key_of(reg, parse_uri(branch.uri or ctx.ruri or ""))
            contacts = _fitting(rules, ctx, domain, key, flags)[1]
            if rules.push is not None and contacts:
                contacts, woken = rules.push.wake(ctx, contacts)
                if woken:
                    found = bool(contacts) or found
                    if not contacts:
                        continue
        except (ParseError, Refusal):
            pass                                # a branch that is no AoR of ours stays what it is
        if not contacts:
            ctx.add_target(branch)
            continue
        found = True
        for contact in contacts:
            target = Target()
            fill(rules, ctx, target, contact)
            ctx.add_target(target)
    return found
