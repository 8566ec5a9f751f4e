"""Process one REGISTER: check all of it, then change the table, then answer (RFC 3261 section 10.3)."""
from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from osip.api import (H_ALLOW, H_PATH, H_USER_AGENT, Ctx, LocalSocket, NameAddr, ParseError, parse_endpoint,
                      parse_name_addr, parse_uri, split_commas, unescape_user, value_of)
from osip.modules.registrar.address import Refusal, key_of, key_of_uri, parse_any
from osip.modules.registrar.flag import SaveFlags
from osip.modules.registrar.flow import Outbound, is_only_way, received, told
from osip.modules.registrar.gruu import params, wanted
from osip.modules.registrar.rule import Rules

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar

ALL_METHODS = 0xFFFFFFFF
MAX_LIFE = 0x7FFFFFFF


def save(reg: Registrar, ctx: Ctx, table: str, flags: SaveFlags, aor: str | None) -> int:
    """Do what `save` says: 1 when all went well, -1 after a refusal, which has been answered already."""
    rules: Rules = reg.rules
    domain = rules.tables.get(table) or reg.usrloc.domain(table)
    touched: list[Any] | None = None
    try:
        msg: Any = ctx.msg
        path = _path(ctx, flags)
        outbound = Outbound(reg, ctx, path)
        key = key_of(reg, parse_any(aor)) if aor is not None else key_of_uri(reg, msg.to.uri_text)
        if msg.contact_star:
            _clear(reg, ctx, domain, key)
        elif msg.contacts:
            touched = _bind(reg, ctx, domain, key, _Draft(reg, ctx, flags, path, outbound), flags)
    except Refusal as refusal:
        return _refuse(reg, ctx, flags, refusal)
    except ParseError as error:
        return _refuse(reg, ctx, flags, Refusal(400, f"Bad Request: {error.reason}"))
    reg.accepted_regs += 1
    if touched and (is_only_way(ctx) or outbound.is_used or ctx.flags & rules.tcp_flag):
        _hold_connection(ctx, max(contact.expires for contact in touched))
    if not flags.no_reply:
        contacts = touched if flags.only_request and touched is not None else domain.valid(key, rules.env.now)
        gruu_host = "" if rules.disable_gruu else wanted(reg, ctx)
        headers = _lines(reg, contacts, gruu_host) + _path_echo(ctx, flags, path) + outbound.reply_lines(reg)
        if reg.push is not None:
            headers += reg.push.reply_lines(msg, touched or [])
        keeper = rules.usrloc.keeper
        # A store that is written at once comes before the answer; a phone that only asks need not wait.
        if keeper is None or not (touched or msg.contacts or msg.contact_star) or not keeper.after(
                _later(reg, ctx, headers)):
            _answer(reg, ctx, 200, "OK", headers)
    return 1


# --- answering -----------------------------------------------------------------------------------------------------

def _answer(reg: Registrar, ctx: Ctx, code: int, reason: str, headers: bytes) -> None:
    before = ctx.reply_edits
    if headers:
        ctx.reply_edits = [*(before or ()), headers]
    reg.signaling.send_reply(ctx, code, reason)
    ctx.reply_edits = before


def _later(reg: Registrar, ctx: Ctx, headers: bytes) -> Callable[[], None]:
    """Return what answers with 200, with the header lines that the script has added until now."""
    edits = list(ctx.reply_edits) if ctx.reply_edits else None

    def answer() -> None:
        ctx.reply_edits = edits
        _answer(reg, ctx, 200, "OK", headers)
    return answer


def _hold_connection(ctx: Ctx, until: float) -> None:
    """Keep the connection open for as long as the contacts that came on it live."""
    source = ctx.source
    transport = source.socket.transport if source is not None and source.conn else None
    if hasattr(transport, "hold"):
        transport.hold(source.conn, until)          # type: ignore[union-attr]


def _refuse(reg: Registrar, ctx: Ctx, flags: SaveFlags, refusal: Refusal) -> int:
    reg.rejected_regs += 1
    reg.env.log.info("registration refused code=%d reason=%s call_id=%s", refusal.code, refusal.reason,
                     ctx.msg.get("Call-ID"))
    if not flags.no_reply:
        headers = refusal.headers
        if refusal.code >= 500 and reg.retry_after:
            headers += b"Retry-After: %d\r\n" % reg.retry_after
        _answer(reg, ctx, refusal.code, refusal.reason, headers)
    return -1


def _lines(reg: Registrar, contacts: list[Any], gruu_host: str) -> bytes:
    if not contacts:
        return b""
    rules: Rules = reg.rules
    now, received_param = rules.env.now, rules.received_param
    lines = ""
    for contact in contacts:
        expires: float = contact.expires
        left = MAX_LIFE if expires == 0.0 else int(expires - now + 0.5)
        value = f"<{contact.uri}>" if contact.q < 0 else f"<{contact.uri}>;q={contact.q / 1000:g}"
        value += f";expires={left}"
        if contact.received and received_param:
            value += f';{received_param}="{contact.received}"'
        if gruu_host:
            value += params(reg, contact, gruu_host)
        lines = f"{lines}, {value}" if lines else "Contact: " + value
    return (lines + "\r\n").encode("utf-8", "surrogateescape")


def _path(ctx: Ctx, flags: SaveFlags) -> str | None:
    """Return the Path to store (RFC 3327); Refusal when the mode is strict and the phone does not know Path."""
    msg: Any = ctx.msg
    if not flags.path or msg.find(H_PATH) < 0:
        return None
    if flags.path == "strict" and not _supports_path(msg):
        raise Refusal(420, "Bad Extension", b"Unsupported: path\r\n")
    if any(not hop.uri.is_sip for hop in msg.paths):
        raise Refusal(400, "Bad Path")
    return ", ".join(msg.get_all(H_PATH))


def _supports_path(msg: Any) -> bool:
    return any(option.lower() == "path" for option in msg.supported)


def _path_echo(ctx: Ctx, flags: SaveFlags, path: str | None) -> bytes:
    if path is None or flags.path == "off" or not _supports_path(ctx.msg):
        return b""
    return f"Path: {path}\r\n".encode("utf-8", "surrogateescape")


# --- changing ------------------------------------------------------------------------------------------------------

def _clear(reg: Registrar, ctx: Ctx, domain: Any, key: str) -> None:
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


def _bind(reg: Registrar, ctx: Ctx, domain: Any, key: str, draft: _Draft, flags: SaveFlags) -> list[Any]:
    """Check every Contact of the request, then apply them all; return the contacts that it named and that live."""
    rules: Rules = reg.rules
    now = rules.env.now
    record = domain.get(key)
    if record is not None:
        gone = record.gone(now)
        if gone:
            for old in gone:
                domain.delete(old)
            record = domain.get(key)
    plan: list[tuple[Any, Any]] = []            # (known contact or None, new state or None to remove it)
    repeated: list[Any] = []
    for address in ctx.msg.contacts:
        flow = draft.outbound.key(reg, address)
        known = _known(reg, record, address, draft, flags, flow)
        if known is not None and _is_repeat(reg, known, draft):
            repeated.append(known)
            continue
        life = _life(reg, draft, address, flags)
        if life == 0:
            if known is not None:
                plan.append((known, None))
        else:
            plan.append((known, draft.contact(address, now + life, flow, known)))
    dropped = _over_limit(reg, record, plan, flags)
    touched = _apply(reg, ctx, domain, key, plan)
    # Last, so that an AoR whose contacts are all replaced never goes away in between.
    for old in dropped + [known for known, fresh in plan if fresh is None]:
        domain.delete(old)
    return repeated + touched


def _apply(reg: Registrar, ctx: Ctx, domain: Any, key: str, plan: list[tuple[Any, Any]]) -> list[Any]:
    rules: Rules = reg.rules
    touched = []
    for known, fresh in plan:
        if fresh is None:
            continue
        if known is None:
            # Two equal Contacts in one request are one binding.
            record = domain.get(key)
            twin = record.find(fresh.uri, fresh.call_id) if record is not None else None
            if twin is not None and twin in touched:
                domain.update(twin, fresh)
            else:
                touched.append(domain.insert(key, fresh))
        else:
            domain.update(known, fresh)
            touched.append(known)
            if rules.mcontact_avp:
                ctx.avp(rules.mcontact_avp).append(fresh.uri)
    return touched


def _known(reg: Registrar, record: Any, address: NameAddr, draft: _Draft, flags: SaveFlags, flow: str) -> Any:
    if record is None:
        return None
    if flow:
        return next((c for c in record.contacts if c.instance == flow), None)
    if reg.push is not None:
        device = reg.push.find(record, address.uri)
        if device is not None:
            return device
    rules: Rules = reg.rules
    mode: Any = rules.matching_mode if flags.matching is None else flags.matching
    if mode == 0:
        return record.find(address.uri_text)
    if mode == 1:
        return record.find(address.uri_text, draft.call_id)
    wanted = address.uri.param(str(mode))
    if wanted is None:
        return record.find(address.uri_text)
    return next((c for c in record.contacts if parse_uri(c.uri).param(str(mode)) == wanted), None)


def _is_repeat(reg: Registrar, known: Any, draft: _Draft) -> bool:
    """Say whether this is a retransmission of what made the contact; Refusal when it is older (10.3 step 7)."""
    if known.call_id != draft.call_id or draft.cseq > known.cseq:
        return False
    if draft.cseq < known.cseq:
        raise Refusal(400, "Invalid CSeq Number")
    rules: Rules = reg.rules
    if rules.env.now < known.modified + rules.cseq_delay:
        return True
    if not rules.allow_dup_cseq:
        raise Refusal(400, "Invalid CSeq Number")
    return False


def _life(reg: Registrar, draft: _Draft, address: NameAddr, flags: SaveFlags) -> int:
    """Return for how many seconds a contact is kept: what it asks for within the limits, 0 to remove it."""
    asked = address.expires
    if asked is None:
        asked = draft.expires
    if asked == 0:
        return 0
    rules: Rules = reg.rules
    if rules.expires_max_deviation:
        asked += random.randint(-rules.expires_max_deviation, rules.expires_max_deviation)
    least: int = rules.min_expires if flags.min_expires is None else flags.min_expires
    most: int = rules.max_expires if flags.max_expires is None else flags.max_expires
    life: int = asked
    if 0 < most < life:
        life = most
    if life < least:
        life = least
    return life if life > 0 else 1


def _over_limit(reg: Registrar, record: Any, plan: list[tuple[Any, Any]], flags: SaveFlags) -> list[Any]:
    """Return the contacts that must go for the limit; Refusal when it may not be enforced that way."""
    rules: Rules = reg.rules
    limit = rules.max_contacts if flags.max_contacts is None else flags.max_contacts
    if not limit:
        return []
    named = {id(known) for known, _ in plan}
    untouched = [c for c in record.contacts if id(c) not in named] if record is not None else []
    kept = sum(1 for _, fresh in plan if fresh is not None)
    over = kept + len(untouched) - limit
    adds = any(known is None and fresh is not None for known, fresh in plan)
    if over <= 0 or not adds:
        return []
    if not flags.force or kept > limit:
        raise Refusal(503, "Too Many Registered Contacts")
    return sorted(untouched, key=lambda c: c.modified)[:over]


class _Draft:
    """What all contacts of one REGISTER have in common."""
    __slots__ = ("reg", "ctx", "path", "outbound", "call_id", "cseq", "expires", "agent", "received", "socket",
                 "cflags", "flags", "methods", "attr", "memory")

    def __init__(self, reg: Registrar, ctx: Ctx, flags: SaveFlags, path: str | None, outbound: Outbound) -> None:
        msg: Any = ctx.msg
        rules: Rules = reg.rules
        self.reg, self.ctx, self.path, self.outbound = reg, ctx, path, outbound
        self.call_id, self.cseq = msg.call_id, msg.cseq
        expires = msg.expires
        self.expires = rules.default_expires if expires is None else expires
        self.agent = (value_of(msg, H_USER_AGENT) or "")[:255]
        self.received = _newest(ctx, rules.received_avp)
        self.attr = _newest(ctx, rules.attr_avp)
        self.cflags, self.flags, self.memory = ctx.target.bflags, ctx.flags, flags.memory
        self.socket = _socket(reg, ctx, flags)
        self.methods = -1
        if H_ALLOW in msg.ids:
            self.methods = reg.usrloc.method_mask(",".join(msg.get_all(H_ALLOW)))
        if flags.path_received and path:
            received = parse_name_addr(split_commas(path)[0]).uri.param("received")
            if received:
                received = unescape_user(received)          # add_path_received escapes `;transport=`
                self.received = received if received.lower().startswith("sip") else f"sip:{received}"
                self.cflags |= reg.usrloc.nat_flag

    def contact(self, address: NameAddr, expires: float, flow: str = "", known: Any = None) -> Any:
        """Make the contact of one Contact value; `flow` is its key when it is bound by outbound.

        A URI that stands in the contact that is `known` was checked when that was made.
        """
        reg = self.reg
        rules: Rules = reg.rules
        uri = address.uri_text
        if known is None or known.uri != uri:
            if len(uri) > rules.max_contact_len:
                raise Refusal(400, "Contact Too Long")
            if parse_uri(uri).scheme not in ("sip", "sips", "tel"):
                raise Refusal(400, "Bad Contact")
        if reg.push is not None:
            reg.push.check(address.uri)
        q = address.q if address.params_text else -1
        methods = address.param("methods") if address.params_text else None
        mask = reg.usrloc.method_mask(methods) if methods else self.methods if self.methods >= 0 else ALL_METHODS
        way = self.received or told(reg, address) or received(self.ctx, address, flow, self.path)
        return rules.usrloc.new_contact(
            uri, expires, rules.default_q if q < 0 else q, self.call_id, self.cseq, self.agent, way, self.path,
            self.socket, self.cflags, self.flags, mask,
            flow or (address.param("+sip.instance") if address.params_text else None), self.attr, rules.env.now,
            self.memory)


def _newest(ctx: Ctx, name: str) -> str | None:
    values = ctx.avps.get(name) if name and ctx.avps else None
    return str(values[-1]) if values else None


def _socket(reg: Registrar, ctx: Ctx, flags: SaveFlags) -> LocalSocket | None:
    if flags.sock_hdr and reg.sock_hdr_name:
        text = ctx.msg.get(reg.sock_hdr_name)
        if text:
            try:
                end = parse_endpoint(text)
            except ValueError:
                reg.env.log.error('registrar: "%s" in %s names no socket', text, reg.sock_hdr_name)
            else:
                found = reg.env.find_socket(end.proto, end.host, end.port)
                if found is not None:
                    return found
    return ctx.source.socket if ctx.source is not None else None
