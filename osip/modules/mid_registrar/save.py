"""Decide whether a REGISTER goes on to the main registrar, send it there under our name, and take over the answer."""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from osip.api import H_CONTACT, H_EXPIRES, H_PATH, Ctx, NameAddr, ParseError, parse, parse_uri
from osip.modules.mid_registrar import remote
from osip.modules.mid_registrar.front import AORS, CONTACTS, MIRROR, Face, Faces, face_of, face_of_aor, id_of, place
from osip.modules.registrar.address import Refusal, key_of, parse_any
from osip.modules.registrar.flag import SaveFlags
from osip.modules.registrar.gruu import params, wanted
from osip.modules.registrar.save import save

if TYPE_CHECKING:
    from osip.modules.mid_registrar.module import MidRegistrar

RELAY, ABSORBED, ERROR = 1, 2, -1
ON_REPLY = 1
"""The mask of tm.watch for responses that have arrived."""


class Order:
    """One REGISTER on its way to the main registrar. `faces` are its contacts as they are seen there, by their number
    (0 for the one of the whole AoR), with the seconds that are asked for."""
    __slots__ = ("mid", "ctx", "table", "key", "aor", "flags", "faces", "ids", "gone", "is_done")

    def __init__(self, mid: MidRegistrar, ctx: Ctx, table: str, key: str, aor: str | None, flags: SaveFlags) -> None:
        # What the script does to the request later is not the phone's.
        self.mid, self.ctx, self.table, self.key, self.aor, self.flags = mid, ctx.copy(), table, key, aor, flags
        self.faces: dict[int, tuple[Face, int]] = {}
        self.ids: dict[str, int] = {}           # contact URI -> number
        self.gone: set[int] = set()             # contacts that the phone takes back
        self.is_done = False


def mid_save(mid: MidRegistrar, ctx: Ctx, table: str, flags: SaveFlags, aor: str | None, outgoing: int) -> int:
    """Do what mid_registrar_save says."""
    msg: Any = ctx.msg
    domain = mid.usrloc.domain(table)
    try:
        key = key_of(mid, parse_any(aor) if aor is not None else msg.to.uri)
        record = domain.get(key)
        contacts = [(address, _known(mid, record, address, msg.call_id, flags), _life(mid, msg, address, flags))
                    for address in msg.contacts]
        _check(mid, record, contacts, flags)
        if flags.path == "strict" and msg.find(H_PATH) >= 0 and not _knows_path(msg):
            raise Refusal(420, "Bad Extension", b"Unsupported: path\r\n")
    except Refusal as refusal:
        return refuse(mid, ctx, flags, refusal)
    except ParseError as error:
        return refuse(mid, ctx, flags, Refusal(400, f"Bad Request: {error.reason}"))
    if contacts and mid.mode != MIRROR and _can_absorb(mid, msg, record, contacts):
        return ABSORBED if save(mid, ctx, table, flags, aor) > 0 else ERROR     # type: ignore[arg-type]
    _send_on(mid, ctx, Order(mid, ctx, table, key, aor, flags), domain, contacts, outgoing)
    return RELAY


# --- deciding ------------------------------------------------------------------------------------------------------

Wanted = list[tuple[NameAddr, Any, int]]
"""What a REGISTER asks for: the Contact, the contact that is known already or None, its seconds (0: take it back)."""


def _known(mid: MidRegistrar, record: Any, address: NameAddr, call_id: str, flags: SaveFlags) -> Any:
    """Return the contact that a Contact renews, as save will find it."""
    if record is None:
        return None
    if mid.push is not None:
        device = mid.push.find(record, address.uri)
        if device is not None:
            return device
    mode = mid.usrloc.matching_mode if flags.matching is None else flags.matching
    if isinstance(mode, str):
        value = address.uri.param(mode)
        return next((c for c in record.contacts if value is not None and f";{mode}={value}" in c.uri), None)
    return record.find(address.uri_text, call_id if mode == 1 else None)


def _life(mid: MidRegistrar, msg: Any, address: NameAddr, flags: SaveFlags) -> int:
    """Return for how many seconds the phone's contact is to be kept here."""
    asked = address.expires if address.expires is not None else msg.expires
    if asked is None:
        asked = mid.default_expires
    if asked == 0:
        return 0
    least = mid.min_expires if flags.min_expires is None else flags.min_expires
    most = mid.max_expires if flags.max_expires is None else flags.max_expires
    return max(min(asked, most) if most else asked, least, 1)


def _check(mid: MidRegistrar, record: Any, contacts: Wanted, flags: SaveFlags) -> None:
    """Refuse at once what could not be kept when the main registrar has accepted it."""
    for address, _, life in contacts:
        if len(address.uri_text) > mid.max_contact_len:
            raise Refusal(400, "Contact Too Long")
        if not address.uri.is_sip:
            raise Refusal(400, "Bad Contact")
        if life and mid.push is not None:
            mid.push.check(address.uri)
    limit = mid.max_contacts if flags.max_contacts is None else flags.max_contacts
    if not limit:
        return
    live = {c.id for c in record.valid(mid.env.now)} if record is not None else set()
    fresh = sum(1 for _, known, life in contacts if known is None and life)
    gone = sum(1 for _, known, life in contacts if known is not None and known.id in live and not life)
    if fresh and len(live) - gone + fresh > limit and (not flags.force or fresh > limit):
        raise Refusal(503, "Too Many Registered Contacts")


def _can_absorb(mid: MidRegistrar, msg: Any, record: Any, contacts: Wanted) -> bool:
    """Say whether the main registrar need not hear of a REGISTER: it holds what is asked for long enough."""
    if record is None:
        return False
    if mid.mode == AORS:
        going = {known.id for _, known, life in contacts if known is not None and not life}
        if going and not any(life for _, _, life in contacts):
            return any(c.id not in going for c in record.valid(mid.env.now))
        return remote.left(mid, record, 0) >= max((life for _, _, life in contacts), default=0)
    for _, known, life in contacts:
        # A phone that began anew has to prove itself to the main registrar.
        if known is None or not life or known.call_id != msg.call_id or remote.left(mid, record, known.id) < life:
            return False
    return True


def refuse(mid: MidRegistrar, ctx: Ctx, flags: SaveFlags, refusal: Refusal) -> int:
    """Answer a REGISTER with a refusal, unless the script does that."""
    mid.env.log.info("registration refused code=%d reason=%s call_id=%s", refusal.code, refusal.reason,
                     ctx.msg.call_id)
    if not flags.no_reply:
        before, lines = ctx.reply_edits, refusal.headers
        if refusal.code >= 500 and mid.retry_after:
            lines += b"Retry-After: %d\r\n" % mid.retry_after
        ctx.reply_edits = [*(before or ()), lines] if lines else before
        mid.signaling.send_reply(ctx, refusal.code, refusal.reason)
        ctx.reply_edits = before
    return ERROR


def _knows_path(msg: Any) -> bool:
    return any(option.lower() == "path" for option in msg.supported)


# --- on to the main registrar --------------------------------------------------------------------------------------

def _send_on(mid: MidRegistrar, ctx: Ctx, order: Order, domain: Any, contacts: Wanted, outgoing: int) -> None:
    """Change the request so that its contacts are here."""
    msg: Any = ctx.msg
    extra = mid.extra_params(ctx)
    if contacts:
        for address, known, life in contacts:
            id = known.id if known is not None else domain.new_id()
            order.ids[address.uri_text] = id
            if not life:
                order.gone.add(id)
            if mid.mode != AORS:
                asked = None if mid.mode == MIRROR else max(life, outgoing) if life else 0
                order.faces[id] = face_of(mid, address, id, asked, extra), life
        if mid.mode == AORS:
            life = max(life for _, _, life in contacts)
            order.faces[0] = face_of_aor(mid, order.key, max(life, outgoing) if life else 0, extra), life
        ctx.edit.remove_hf(H_CONTACT)
        ctx.edit.append_hf(Faces([face for face, _ in order.faces.values()]))
        if mid.mode != MIRROR and (msg.expires or 0) > 0:
            ctx.edit.set_value(msg.find(H_EXPIRES), str(max(msg.expires, outgoing)))
    if order.flags.path:
        ctx.edit.remove_hf(H_PATH)              # the way to the phone begins here
    if mid.waits:
        mid.tm.after_reply(ctx, partial(mid.on_reply, order))
    else:
        mid.tm.watch(ctx, ON_REPLY, partial(_on_reply, order))


def _on_reply(order: Order, tx: Any, what: int, status: int, ctx: Ctx) -> None:
    """Take over what the main registrar said (a watcher of the transaction)."""
    if not 200 <= status < 300 or order.is_done or tx.request is None:
        return
    order.is_done = True
    take_over(order, tx, ctx)


def take_over(order: Order, tx: Any, ctx: Ctx) -> None:
    """Keep what the main registrar has accepted, and give its answer the contacts that the phones know."""
    try:
        _accept(order, tx, ctx)
    except ParseError as error:
        order.mid.complain("mid_registrar:", "the main registrar's answer cannot be read: %s call_id=%s", error.reason,
                           ctx.msg.call_id)


def _accept(order: Order, tx: Any, ctx: Ctx) -> None:
    mid, reply = order.mid, ctx.msg
    branch = tx.branches[ctx.branch_index]
    where = place(ctx, branch.dest.socket)
    granted, foreign = _granted(mid, order, reply, where)
    domain = mid.usrloc.domain(order.table)
    request: Any = parse(tx.request.raw)
    asks = bool(request.contacts) or request.contact_star
    if asks:
        _save_here(mid, order, request, domain, granted)
        record = domain.get(order.key)
        for id, (face, life) in order.faces.items():
            if life and record is not None:
                until = mid.wall() + granted.get(id, life)
                mid.usrloc.put_key(record, remote.key_of(id), remote.Remote(
                    until, branch.target.uri or tx.request.ruri, tx.request.to.uri_text, face.uri(where),
                    remote.hop_of(branch.dest), branch.dest.socket.text).text())
    edit = ctx.edit
    edit.remove_hf(H_CONTACT)
    if reply.expires is not None:
        edit.remove_hf(H_EXPIRES)               # each contact has its own
    edit.append_hf(_contact_lines(mid, order, domain, foreign))
    if order.flags.path in ("lazy", "strict") and asks and _knows_path(request):
        edit.append_hf("".join([f"Path: {value}\r\n" for value in request.get_all(H_PATH)]))
    if mid.push is not None and asks:
        edit.append_hf(mid.push.reply_lines(request, domain.valid(order.key, mid.env.now)))


def _granted(mid: MidRegistrar, order: Order, reply: Any, where: str) -> tuple[dict[int, int], list[str]]:
    """Return the seconds that the main registrar gives our contacts, and the contacts there that are not ours."""
    granted: dict[int, int] = {}
    foreign: list[str] = []
    face = order.faces[0][0] if 0 in order.faces else face_of_aor(mid, order.key, 0, "")
    ours = parse_uri(face.uri(where))
    record = mid.usrloc.domain(order.table).get(order.key)
    known = {c.id for c in record.contacts} if record is not None else set()
    for address in reply.contacts:
        life = address.expires if address.expires is not None else reply.expires
        uri = address.uri
        if mid.mode == AORS:
            if (uri.user, uri.host, uri.port) == (ours.user, ours.host, ours.port):
                granted[0] = life if life is not None else mid.default_expires
                continue
        else:
            id = id_of(mid, uri)
            if id in order.faces or id in known:
                granted[id] = life if life is not None else mid.default_expires
                continue
        foreign.append(str(address))
    return granted, foreign


def _save_here(mid: MidRegistrar, order: Order, request: Any, domain: Any, granted: dict[int, int]) -> None:
    """Do here what the main registrar has agreed to, with the seconds that it gives."""
    ctx, record = order.ctx, domain.get(order.key)
    copies = []
    for address in request.contacts:
        id = order.ids.get(address.uri_text, 0)
        life = order.faces[0 if mid.mode == AORS else id][1] if id not in order.gone else 0
        if mid.mode == AORS and life:
            life = _life(mid, request, address, order.flags)
        most = granted.get(0 if mid.mode == AORS else id)
        if mid.mode == MIRROR and life:
            life = most if most is not None else life
        if most is not None and mid.mode in (CONTACTS, AORS):
            life = min(life, most)
        # The first one counts, before what the phone wrote.
        copies.append(NameAddr(address.display, address.uri_text, f";expires={life}{address.params_text}"))
    going = {c.id for c in record.contacts} if record is not None and request.contact_star else order.gone
    for id in going:                            # the main registrar knows: nothing is to be taken back
        if record is not None:
            mid.usrloc.put_key(record, remote.key_of(id), None)
    if record is not None and (request.contact_star or not any(copy.expires for copy in copies)):
        mid.usrloc.put_key(record, remote.KEY, None)
    flags = _quiet(order.flags, mid.mode == MIRROR)
    ctx.msg = request
    domain.promised = {uri: id for uri, id in order.ids.items() if id not in order.gone}
    try:
        if save(mid, ctx, order.table, flags, order.aor, copies) < 0:           # type: ignore[arg-type]
            mid.complain("mid_registrar:", "the main registrar accepted what cannot be kept here: call_id=%s aor=%s",
                         request.call_id, order.key)
    finally:
        domain.promised = None


def _quiet(flags: SaveFlags, is_exact: bool) -> SaveFlags:
    """Return flags for a save whose answer comes from elsewhere; in mirror mode the seconds are as they are given."""
    new = flags.copy()
    new.no_reply = True
    new.min_expires, new.max_expires = (0, 0) if is_exact else (1, flags.max_expires)
    return new


def _contact_lines(mid: MidRegistrar, order: Order, domain: Any, foreign: list[str]) -> bytes:
    now, host = mid.env.now, wanted(mid, order.ctx)                             # type: ignore[arg-type]
    values = []
    for contact in domain.valid(order.key, now):
        if order.flags.only_request and contact.uri not in order.ids:
            continue
        q = "" if contact.q < 0 else f";q={contact.q / 1000:g}"
        value = f"<{contact.uri}>{q};expires={int(contact.expires - now + 0.5)}"
        if contact.received and mid.received_param:
            value += f';{mid.received_param}="{contact.received}"'
        values.append(value + (params(mid, contact, host) if host else ""))    # type: ignore[arg-type]
    values += [] if order.flags.only_request else foreign
    return f"Contact: {', '.join(values)}\r\n".encode("utf-8", "surrogateescape") if values else b""
