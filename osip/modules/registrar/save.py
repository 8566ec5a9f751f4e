"""Process one REGISTER: check all of it, then change the table, then answer (RFC 3261 section 10.3)."""
from __future__ import annotations

import random
from collections.abc import Callable
from sys import intern
from typing import TYPE_CHECKING, Any

from osip.api import Ctx, NameAddr, ParseError, contact_line, parse_uri
from osip.modules.registrar.address import Refusal
from osip.modules.registrar.flag import PLAIN_SAVE, SaveFlags, tell_inert
from osip.modules.registrar.flow import is_only_way
from osip.modules.registrar.gruu import params, wanted
from osip.modules.registrar.read import Asked, Draft, read, supports_path
from osip.modules.registrar.rule import Rules

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar
    from osip.modules.usrloc.state import Contact, Domain, Record

MAX_LIFE = 0x7FFFFFFF


def save(reg: Registrar, ctx: Ctx, table: str, flags: SaveFlags, aor: str | None,
         contacts: list[NameAddr] | None = None) -> int:
    """Do what `save` says: 1 when all went well, -1 after a refusal, which has been answered already.

    `contacts`, unless None, take the place of those in the message.
    """
    return _save(reg, reg.rules, ctx, table, flags, aor, contacts)


class Saver:
    """The word `save` where no store must be asked before: scripts call it without a step in between."""
    __slots__ = ("_reg", "_rules")

    def __init__(self, reg: Registrar, rules: Rules) -> None:
        self._reg, self._rules = reg, rules

    def save(self, ctx: Ctx, table: str, flags: SaveFlags = PLAIN_SAVE, aor: str | None = None,
             ownership_tag: str | None = None) -> int:
        """Process the REGISTER and answer it; see the module's function."""
        if ownership_tag:
            tell_inert(self._reg, "ownership_tag")
        return _save(self._reg, self._rules, ctx, table, flags, aor, None)


def _save(reg: Registrar, rules: Rules, ctx: Ctx, table: str, flags: SaveFlags, aor: str | None,
          contacts: list[NameAddr] | None) -> int:
    domain: Domain | None = rules.tables.get(table)
    if domain is None:
        domain = reg.usrloc.domain(table)
    touched: list[Contact] | None = None
    one: Contact | None = None
    try:
        draft = read(reg, rules, ctx, flags, aor, contacts)
        if draft.only is not None:
            one = _bind_one(rules, ctx, domain, draft, draft.only, flags)
        elif draft.is_star:
            _clear(ctx, domain, draft.key)
        elif draft.asked:
            touched = _bind(rules, ctx, domain, draft, flags)
    except Refusal as refusal:
        return _refuse(reg, ctx, flags, refusal)
    except ParseError as error:
        return _refuse(reg, ctx, flags, Refusal(400, f"Bad Request: {error.reason}"))
    rules.tally.accepted_regs += 1
    if one is not None:
        if is_only_way(ctx) or ctx.flags & rules.tcp_flag:
            _hold_connection(ctx, one.expires)
    elif touched and (is_only_way(ctx) or ctx.flags & rules.tcp_flag
                      or (draft.outbound is not None and draft.outbound.is_used)):
        _hold_connection(ctx, max([contact.expires for contact in touched]))
    if not flags.no_reply:
        if draft.only is not None:
            headers = _headers_of_one(reg, rules, ctx, domain, draft, one, flags)
        else:
            headers = _headers(reg, rules, ctx, domain, draft, touched, flags)
        keeper = rules.keeper
        # A store that is written at once comes before the answer; a phone that only asks need not wait.
        if keeper is None or not (draft.only is not None or draft.asked or draft.is_star) \
                or not keeper.after(_later(rules, ctx, headers)):
            rules.choice.answer(ctx, 200, "OK", headers)
    return 1


# --- answering -----------------------------------------------------------------------------------------------------

def _later(rules: Rules, ctx: Ctx, headers: bytes) -> Callable[[], None]:
    """Return what answers with 200, with the header lines that the script has added until now."""
    edits = list(ctx.reply_edits) if ctx.reply_edits else None

    def answer() -> None:
        ctx.reply_edits = edits
        rules.choice.answer(ctx, 200, "OK", headers)
    return answer


def _hold_connection(ctx: Ctx, until: float) -> None:
    """Keep the connection open for as long as the contacts that came on it live."""
    source = ctx.source
    transport = source.socket.transport if source is not None and source.conn else None
    if hasattr(transport, "hold"):
        transport.hold(source.conn, until)          # type: ignore[union-attr]


def _refuse(reg: Registrar, ctx: Ctx, flags: SaveFlags, refusal: Refusal) -> int:
    rules: Rules = reg.rules
    rules.tally.rejected_regs += 1
    reg.env.log.info("registration refused code=%d reason=%s call_id=%s", refusal.code, refusal.reason,
                     ctx.msg.get("Call-ID"))
    if not flags.no_reply:
        headers = refusal.headers
        if refusal.code >= 500 and reg.retry_after:
            headers += b"Retry-After: %d\r\n" % reg.retry_after
        rules.choice.answer(ctx, refusal.code, refusal.reason, headers)
    return -1


def _headers(reg: Registrar, rules: Rules, ctx: Ctx, domain: Domain, draft: Draft, touched: list[Contact] | None,
             flags: SaveFlags) -> bytes:
    """Return the header lines of the 200."""
    if touched is not None and flags.only_request:
        contacts = touched
    elif touched:
        contacts = touched[0].record.valid(rules.env.now)
    else:
        contacts = domain.valid(draft.key, rules.env.now)
    gruu_host = "" if rules.disable_gruu else wanted(reg, ctx)
    headers = _lines(reg, rules, contacts, gruu_host)
    if draft.path is not None and flags.path != "off" and supports_path(ctx.msg):
        headers += f"Path: {draft.path}\r\n".encode("utf-8", "surrogateescape")
    if draft.outbound is not None:
        headers += draft.outbound.reply_lines(reg)
    if rules.push is not None:
        headers += rules.push.reply_lines(ctx.msg, touched or [])
    return headers


def _headers_of_one(reg: Registrar, rules: Rules, ctx: Ctx, domain: Domain, draft: Draft, one: Contact | None,
                    flags: SaveFlags) -> bytes:
    """Return the header lines of the 200 to a plain REGISTER; `one` is the contact that it named, if that lives."""
    now = rules.env.now
    gruu_host = "" if rules.disable_gruu else wanted(reg, ctx)
    if one is None:
        contacts = [] if flags.only_request else domain.valid(draft.key, now)
    elif flags.only_request:
        contacts = [one]
    else:
        contacts = one.record.contacts
        if len(contacts) == 1 and not gruu_host and one.q < 0 and not one.received and one.expires != 0.0:
            return contact_line(one.uri, int(one.expires - now + 0.5))
        contacts = one.record.valid(now)
    return _lines(reg, rules, contacts, gruu_host)


def _lines(reg: Registrar, rules: Rules, contacts: list[Contact], gruu_host: str) -> bytes:
    now, received_param = rules.env.now, rules.received_param
    if len(contacts) == 1 and not gruu_host:
        only = contacts[0]
        if only.q < 0 and not only.received and only.expires != 0.0:
            return contact_line(only.uri, int(only.expires - now + 0.5))
    lines = ""
    for contact in contacts:
        expires = contact.expires
        left = MAX_LIFE if expires == 0.0 else int(expires - now + 0.5)
        start = f"{lines}, <" if lines else "Contact: <"
        if contact.q >= 0:
            lines = f"{start}{contact.uri}>;q={contact.q / 1000:g};expires={left}"
        else:
            lines = f"{start}{contact.uri}>;expires={left}"
        if contact.received and received_param:
            lines += f';{received_param}="{contact.received}"'
        if gruu_host:
            lines += params(reg, contact, gruu_host)
    return (lines + "\r\n").encode("utf-8", "surrogateescape") if lines else b""


# --- changing ------------------------------------------------------------------------------------------------------

def _clear(ctx: Ctx, domain: Domain, key: str) -> None:
    msg: Any = ctx.msg
    if msg.expires != 0:
        raise Refusal(400, "Contact * Needs Expires 0")
    record = domain.get(key)
    if record is None:
        return
    for contact in record.contacts:
        if contact.call_id == msg.call_id and msg.cseq < contact.cseq:
            raise Refusal(400, "Invalid CSeq Number")
    domain.delete_aor(key)


def _bind(rules: Rules, ctx: Ctx, domain: Domain, draft: Draft, flags: SaveFlags) -> list[Contact]:
    """Check every Contact of the request, then apply them all; return the contacts that it named and that live."""
    now = rules.env.now
    record = domain.get(draft.key)
    if record is not None and domain.forget_gone(record, now):
        record = domain.get(draft.key)
    plan: list[Asked] = []
    repeated: list[Contact] = []
    for asked in draft.asked:
        known = _known(rules, record, asked, draft, flags)
        if known is not None and _is_repeat(rules, known, draft):
            repeated.append(known)
            continue
        asked.known = known
        life = _life(rules, asked.seconds, flags)
        if life > 0:
            _check(rules, asked, known)
            asked.expires = now + life
        if life > 0 or known is not None:
            plan.append(asked)
    dropped = _over_limit(rules, record, plan, flags)
    touched = _apply(rules, ctx, domain, draft, plan)
    # Last, so that an AoR whose contacts are all replaced never goes away in between.
    for old in dropped:
        domain.delete(old)
    for asked in plan:
        if asked.expires == 0.0 and asked.known is not None:
            domain.delete(asked.known)
    return repeated + touched if repeated else touched


def _bind_one(rules: Rules, ctx: Ctx, domain: Domain, draft: Draft, asked: Asked, flags: SaveFlags) -> Contact | None:
    """Do for the one Contact of a plain REGISTER what `_bind` does; return its contact, None when it was removed."""
    now = rules.env.now
    record = domain.get(draft.key)
    if record is not None and domain.forget_gone(record, now):
        record = domain.get(draft.key)
    known = _known(rules, record, asked, draft, flags)
    if known is not None and _is_repeat(rules, known, draft):
        return known
    life = _life(rules, asked.seconds, flags)
    if life == 0:
        if known is not None:
            domain.delete(known)
        return None
    _check(rules, asked, known)
    asked.expires = now + life
    if known is not None:
        domain.renewed(known, _fill(rules, known, draft, asked))
        if rules.mcontact_avp:
            ctx.avp(rules.mcontact_avp).append(known.uri)
        return known
    dropped = _over_limit(rules, record, [asked], flags)
    fresh = domain.blank()
    _fill(rules, fresh, draft, asked)
    domain.insert(draft.key, fresh)
    # Last, so that an AoR whose contacts are all replaced never goes away in between.
    for old in dropped:
        domain.delete(old)
    return fresh


def _apply(rules: Rules, ctx: Ctx, domain: Domain, draft: Draft, plan: list[Asked]) -> list[Contact]:
    touched: list[Contact] = []
    for asked in plan:
        if asked.expires == 0.0:
            continue
        known = asked.known
        if known is None and touched:
            # Two equal Contacts in one request are one binding.
            record = domain.get(draft.key)
            twin = record.find(asked.uri, draft.call_id) if record is not None else None
            if twin is not None and twin in touched:
                domain.renewed(twin, _fill(rules, twin, draft, asked))
                continue
        if known is None:
            fresh = domain.blank()
            _fill(rules, fresh, draft, asked)
            touched.append(domain.insert(draft.key, fresh))
        else:
            domain.renewed(known, _fill(rules, known, draft, asked))
            touched.append(known)
            if rules.mcontact_avp:
                ctx.avp(rules.mcontact_avp).append(known.uri)
    return touched


def _fill(rules: Rules, contact: Contact, draft: Draft, asked: Asked) -> bool:
    """Put what a Contact says into a contact; say whether its q is now another one."""
    q = rules.default_q if asked.q < 0 else asked.q
    is_moved = contact.q != q
    contact.uri, contact.expires, contact.q = asked.uri, asked.expires, q
    contact.call_id, contact.cseq = draft.call_id, draft.cseq
    if contact.user_agent != draft.agent:
        contact.user_agent = intern(draft.agent)            # a handful of phone models serve thousands of users
    contact.received, contact.path, contact.socket = asked.way, draft.path, draft.socket
    contact.cflags, contact.flags, contact.methods = draft.cflags, draft.flags, asked.methods
    contact.instance, contact.attr = asked.instance, draft.attr
    contact.modified, contact.memory = rules.env.now, draft.memory
    return is_moved


def _known(rules: Rules, record: Record | None, asked: Asked, draft: Draft, flags: SaveFlags) -> Contact | None:
    """Return the contact that a Contact renews."""
    if record is None:
        return None
    if asked.flow:
        return _of_flow(record, asked.flow)
    address, mode = asked.address, flags.matching
    if address is not None:
        if rules.push is not None:
            device: Contact | None = rules.push.find(record, address.uri)
            if device is not None:
                return device
        if isinstance(mode, str):
            wanted = address.uri.param(mode)
            if wanted is not None:
                return _with_param(record, mode, wanted)
            mode = 0
    if mode is None:
        mode = rules.matching_mode
    return record.find(asked.uri, draft.call_id if mode == 1 else None)


def _of_flow(record: Record, flow: str) -> Contact | None:
    return next((c for c in record.contacts if c.instance == flow), None)


def _with_param(record: Record, name: str, value: str) -> Contact | None:
    return next((c for c in record.contacts if parse_uri(c.uri).param(name) == value), None)


def _is_repeat(rules: Rules, known: Contact, draft: Draft) -> bool:
    """Say whether this is a retransmission of what made the contact; Refusal when it is older (10.3 step 7)."""
    if known.call_id != draft.call_id or draft.cseq > known.cseq:
        return False
    if draft.cseq < known.cseq:
        raise Refusal(400, "Invalid CSeq Number")
    if rules.env.now < known.modified + rules.cseq_delay:
        return True
    if not rules.allow_dup_cseq:
        raise Refusal(400, "Invalid CSeq Number")
    return False


def _life(rules: Rules, asked: int, flags: SaveFlags) -> int:
    """Return for how many seconds a contact is kept: what it asks for within the limits, 0 to remove it."""
    if asked == 0:
        return 0
    if rules.expires_max_deviation:
        asked += random.randint(-rules.expires_max_deviation, rules.expires_max_deviation)
    least = rules.min_expires if flags.min_expires is None else flags.min_expires
    most = rules.max_expires if flags.max_expires is None else flags.max_expires
    life = asked
    if 0 < most < life:
        life = most
    if life < least:
        life = least
    return life if life > 0 else 1


def _check(rules: Rules, asked: Asked, known: Contact | None) -> None:
    """Refuse a Contact that is not taken. A URI that stands in the contact that is `known` was checked before."""
    uri = asked.uri
    if known is None or known.uri != uri:
        if len(uri) > rules.max_contact_len:
            raise Refusal(400, "Contact Too Long")
        if not asked.is_seen and parse_uri(uri).scheme not in ("sip", "sips", "tel"):
            raise Refusal(400, "Bad Contact")
    if rules.push is not None and asked.address is not None:
        rules.push.check(asked.address.uri)


def _over_limit(rules: Rules, record: Record | None, plan: list[Asked], flags: SaveFlags) -> list[Contact]:
    """Return the contacts that must go for the limit; Refusal when it may not be enforced that way."""
    limit = rules.max_contacts if flags.max_contacts is None else flags.max_contacts
    return _beyond(limit, record, plan, flags.force) if limit else []


def _beyond(limit: int, record: Record | None, plan: list[Asked], is_forced: bool) -> list[Contact]:
    named = {id(asked.known) for asked in plan}
    untouched = [c for c in record.contacts if id(c) not in named] if record is not None else []
    kept = len([asked for asked in plan if asked.expires != 0.0])
    over = kept + len(untouched) - limit
    adds = any([asked.known is None for asked in plan])
    if over <= 0 or not adds:
        return []
    if not is_forced or kept > limit:
        raise Refusal(503, "Too Many Registered Contacts")
    return sorted(untouched, key=lambda c: c.modified)[:over]
