"""Answer the management commands of usrloc."""
from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from osip.api import Env, MIError, ParseError, StoreError, parse_uri
from osip.modules.usrloc.mode import CACHES
from osip.modules.usrloc.only import OnlyKeeper
from osip.modules.usrloc.state import Contact, Domain, Record

if TYPE_CHECKING:
    from osip.modules.usrloc.module import Usrloc

NO_TABLE, NO_AOR, NO_CONTACT = "Table not found", "AOR not found", "Contact not found"


def qvalue(q: int) -> str:
    """Write a q value; empty when there is none."""
    return "" if q < 0 else f"{q / 1000:g}"


def unix_expires(contact: Contact, env: Env) -> int:
    """Return when a contact ends in Unix seconds, 0 for never."""
    return 0 if contact.expires == 0.0 else int(env.wall() + contact.expires - env.now + 0.5)


def expires_text(contact: Contact, now: float) -> int | str:
    """Return the seconds that a contact has left, in the words of the reference where it has none."""
    if contact.expires == 0.0:
        return "permanent"
    return int(contact.expires - now + 0.5) if contact.expires > now else "expired"


def shown(ul: Usrloc, contact: Contact) -> dict[str, Any]:
    """Return a contact as JSON-ready data."""
    out: dict[str, Any] = {
        "Contact": contact.uri, "ContactID": str(contact.id), "Expires": expires_text(contact, ul.env.now),
        "Q": qvalue(contact.q), "Callid": contact.call_id, "Cseq": contact.cseq, "User-agent": contact.user_agent}
    if contact.received:
        out["Received"] = contact.received
    if contact.path:
        out["Path"] = contact.path
    out |= {"State": contact.state, "Flags": contact.flags, "Cflags": ul.env.branch_flags.listing(contact.cflags),
            "Socket": contact.socket.text if contact.socket else "", "Methods": contact.methods}
    if contact.attr:
        out["Attr"] = contact.attr
    if contact.instance:
        out["SIP_instance"] = contact.instance
    if contact.latency:
        out["Ping-Latency"] = contact.latency
    return out


def domain_of(ul: Usrloc, name: str) -> Domain:
    """Return a table by name; MIError 404 when there is none."""
    domain = ul.domains.get(name)
    if domain is None:
        raise MIError(404, NO_TABLE)
    return domain


def aor_of(ul: Usrloc, text: str) -> str:
    """Return the key of an AoR that an operator wrote: with or without `sip:`, the host in lower case."""
    text = text.removeprefix("sip:").removeprefix("sips:")
    user, at, host = text.rpartition("@")
    if not ul.use_domain:
        return user if at else text
    if not at:
        raise MIError(400, "Domain missing in AOR")
    return f"{user}@{host.lower()}"


def with_aor(ul: Usrloc, table: str, aor: str, work: Callable[[Domain, str], Any]) -> Any:
    """Return what `work(domain, key)` gives for an AoR; a coroutine when that has to be read from SQL before."""
    domain, key = domain_of(ul, table), aor_of(ul, aor)
    found = ul.at(domain.name, key, lambda: work(domain, key))
    return _told(found) if ul.keeps_nothing else found


async def _told(found: Awaitable[Any]) -> Any:
    try:
        return await found
    except StoreError as error:
        raise MIError(500, "No database", str(error)) from None


def remove(ul: Usrloc, table: str, aor: str) -> Any:
    """Remove an AoR."""
    def work(domain: Domain, key: str) -> None:
        if not domain.delete_aor(key):
            raise MIError(404, NO_AOR)
    return with_aor(ul, table, aor, work)


def remove_contact(ul: Usrloc, table: str, aor: str, uri: str) -> Any:
    """Remove one contact."""
    def work(domain: Domain, key: str) -> None:
        record = domain.get(key)
        if record is None:
            raise MIError(404, NO_AOR)
        contact = record.find(uri)
        if contact is None:
            raise MIError(404, NO_CONTACT)
        domain.delete(contact)
    return with_aor(ul, table, aor, work)


def dump(ul: Usrloc, brief: bool) -> Any:
    """List all tables."""
    if isinstance(ul.keeper, OnlyKeeper):
        return _told(_dump_stored(ul, ul.keeper, brief))
    return {"Domains": [_table(ul, domain, list(domain.records.values()), brief) for domain in ul.domains.values()]}


async def _dump_stored(ul: Usrloc, keeper: OnlyKeeper, brief: bool) -> dict[str, Any]:
    shown = []
    for domain in list(ul.domains.values()):
        records: dict[str, Record] = {}
        async for page in keeper.pages(domain.name):
            for contact in page:
                record = records.setdefault(contact.aor, contact.record)
                if record is not contact.record:
                    record.contacts.append(contact)
        shown.append(_table(ul, domain, list(records.values()), brief))
    return {"Domains": shown}


def _table(ul: Usrloc, domain: Domain, records: list[Record], brief: bool) -> dict[str, Any]:
    return {"name": domain.name, "hash_size": 1 << ul.hash_size, "AORs": [_record(ul, record, brief) for record in records]}


def _record(ul: Usrloc, record: Any, brief: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"AOR": record.aor}
    if not brief:
        out["Contacts"] = [shown(ul, contact) for contact in record.contacts]
    if ul.mi_dump_kv_store and record.kv:
        out["KV-Store"] = dict(record.kv)
    return out


def show(ul: Usrloc, table: str, aor: str) -> Any:
    """List the contacts of an AoR."""
    def work(domain: Domain, key: str) -> dict[str, Any]:
        record = domain.get(key)
        contacts = record.valid(ul.env.now) if record is not None else []
        if not contacts:
            raise MIError(404, NO_AOR)
        return {"AOR": key, "Contacts": [shown(ul, contact) for contact in contacts]}
    return with_aor(ul, table, aor, work)


def add(ul: Usrloc, table: str, aor: str, uri: str, expires: int, q: str, cflags: str, methods: int) -> Any:
    """Add or renew a contact for an operator."""
    now = ul.env.now
    try:
        parse_uri(uri)
    except ParseError as error:
        raise MIError(400, "Bad contact", error.reason) from None
    fresh = Contact(uri, now + expires if expires > 0 else 0.0, _q(q), f"{ul.env.ids.call_id()}@mi", 1, "osip MI",
                    cflags=_cflags(ul, cflags), methods=methods & 0xFFFFFFFF or 0xFFFFFFFF, modified=now)

    def work(domain: Domain, key: str) -> None:
        record = domain.get(key)
        contact = record.find(uri) if record is not None else None
        if contact is None:
            domain.insert(key, fresh)
        else:
            domain.update(contact, fresh)
    return with_aor(ul, table, aor, work)


def _q(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        raise MIError(400, "Bad q", "a q value is a number from 0 to 1") from None
    if value > 1:
        raise MIError(400, "Bad q", "a q value is a number from 0 to 1")
    return -1 if value < 0 else round(value * 1000)


def _cflags(ul: Usrloc, text: str) -> int:
    if text.isdecimal():
        return int(text)
    mask = 0
    for name in text.replace(",", " ").split():
        mask |= ul.env.branch_flags.bit(name)
    return mask


async def flush(ul: Usrloc) -> None:
    """Write what changed."""
    if ul.keeper is not None:
        try:
            await ul.keeper.flush()
        except StoreError as error:
            raise MIError(500, "Not written", str(error)) from None


async def sync(ul: Usrloc, table: str, aor: str | None) -> None:
    """Read a table, or one AoR, again."""
    domain = domain_of(ul, table)
    if ul.keeper is None or ul.keeps_nothing:
        where = "memory" if ul.keeper is None else "the database"
        raise MIError(500, "No database", f"contacts live in {where} only in this working mode")
    try:
        await ul.keeper.load_table(domain.name, aor_of(ul, aor) if aor is not None else None)
    except StoreError as error:
        raise MIError(500, "Not read", str(error)) from None


async def cluster_sync(ul: Usrloc) -> None:
    """Compare with the other nodes."""
    if ul.keeper is None or ul.mode.store not in CACHES:
        raise MIError(500, "No cluster", "no other nodes share contacts in this working mode")
    for name in list(ul.domains):
        await sync(ul, name, None)
