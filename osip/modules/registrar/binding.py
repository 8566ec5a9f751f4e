"""Ask for bindings, and remove them on a script's word."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import DEFAULT_PORTS, Ctx, ParseError, Uri, Var, parse_name_addr, parse_uri, split_commas
from osip.modules.registrar.address import default_uri, key_of, key_of_text
from osip.modules.registrar.flow import instance_of

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar


def contacts(reg: Registrar, ctx: Ctx, table: str, aor: str | None) -> list[Any]:
    """Return the valid contacts of an AoR, by default that of the message."""
    key = key_of_text(reg, aor) if aor is not None else key_of(reg, default_uri(ctx))
    return [] if key is None else reg.usrloc.domain(table).valid(key, reg.env.now)    # type: ignore[no-any-return]


def is_contact(reg: Registrar, ctx: Ctx, table: str, aor: str | None, uri: str | None, call_id: str | None) -> int:
    """Say whether an AoR has a contact with this URI and Call-ID; without either those of the message count."""
    msg: Any = ctx.msg
    if uri is None and call_id is None:
        if not msg.contacts:
            return -1
        uri = msg.contacts[0].uri_text
    elif uri is not None and "<" in uri:
        uri = parse_name_addr(uri).uri_text
    for contact in contacts(reg, ctx, table, aor):
        if uri is not None and contact.record.find(uri, call_id) is not None:
            return 1
        if uri is None and contact.call_id == call_id:
            return 1
    return -1


def _hop(contact: Any) -> Uri | None:
    """Return the URI that the next hop towards a contact has: its first Path, its source behind NAT, its own URI."""
    try:
        if contact.path:
            return parse_name_addr(split_commas(contact.path)[0]).uri
        return parse_uri(contact.received or contact.uri)
    except ParseError:
        return None


def _port(uri: Uri) -> int:
    if uri.port is not None:
        return uri.port
    return 5061 if uri.scheme == "sips" else DEFAULT_PORTS.get((uri.param("transport") or "udp").lower(), 5060)


def is_at(contact: Any, host: str, port: int) -> bool:
    """Say whether a contact is reached at this address; port 0 means any."""
    uri = _hop(contact)
    return uri is not None and uri.host.lower() == host.strip("[]").lower() and port in (0, _port(uri))


def _origin(contact: Any) -> Uri | None:
    """Return the address that a contact came from: its source behind NAT, else its own URI; None when it is no URI."""
    try:
        return parse_uri(contact.received or contact.uri)
    except ParseError:
        return None


def is_ip(reg: Registrar, ctx: Ctx, table: str, aor: str | None, host: Var, port: Var | None) -> int:
    """Say whether a contact came from one of the addresses that a variable holds."""
    hosts = _hosts(ctx, host)
    ports = [int(value) for value in values_of(ctx, port) if str(value).isdecimal()] if port is not None else []
    for contact in contacts(reg, ctx, table, aor):
        uri = _origin(contact)
        if uri is None:
            continue
        for number, wanted in enumerate(hosts):
            if uri.host.lower() == wanted and (not ports or _port(uri) == ports[min(number, len(ports) - 1)]):
                return 1
    return -1


def is_other(reg: Registrar, ctx: Ctx, table: str, host: Var) -> int:
    """Say whether a contact of the message's AoR came from none of the addresses that a variable holds."""
    hosts = _hosts(ctx, host)
    origins = [_origin(contact) for contact in contacts(reg, ctx, table, None)]
    return 1 if any(uri is None or uri.host.lower() not in hosts for uri in origins) else -1


def is_known(reg: Registrar, ctx: Ctx, table: str, aor: str, call_id: str | None) -> int:
    """Say whether an AoR has a contact; when a Call-ID is given, one that was registered with it."""
    found = contacts(reg, ctx, table, aor) if aor else []
    return 1 if any(call_id is None or contact.call_id == call_id for contact in found) else -1


def _hosts(ctx: Ctx, host: Var) -> list[str]:
    return [str(value).strip("[]").lower() for value in values_of(ctx, host)]


def values_of(ctx: Ctx, var: Var) -> list[Any]:
    """Return all values of an AVP, newest first; the one of any other variable."""
    name = var.name
    if name.startswith(("$avp(", "$(avp(")):
        key = name.partition("avp(")[2].partition(")")[0]
        stored = ctx.avps.get(key.removeprefix("i:").removeprefix("s:")) if ctx.avps else None
        return list(reversed(stored)) if stored else []
    value = var.get(ctx)
    return [] if value is None else [value]


def remove(reg: Registrar, table: str, aor: str, uri: str | None, next_hop: str | None, instance: str | None,
           bflag: str | None) -> int:
    """Remove the contacts of an AoR that match everything given."""
    key = key_of_text(reg, aor)
    domain = reg.usrloc.domain(table)
    record = domain.get(key) if key is not None else None
    if record is None:
        return -1
    if uri is None and next_hop is None and instance is None and bflag is None:
        return 1 if domain.delete_aor(key) else -1
    chosen = list(record.contacts)
    if uri is not None:
        found = record.find(parse_name_addr(uri).uri_text if "<" in uri else uri)
        chosen = [found] if found is not None else []
    if next_hop is not None:
        host, _, port = next_hop.rpartition(":") if next_hop.count(":") == 1 else (next_hop, "", "")
        chosen = [c for c in chosen if is_at(c, host, int(port) if port.isdecimal() else 0)]
    if instance is not None:
        wanted = instance.strip("<>\"")
        chosen = [c for c in chosen if instance_of(c) == wanted]
    if bflag is not None:
        mask = reg.env.branch_flags.bit(bflag)
        chosen = [c for c in chosen if c.cflags & mask]
    for contact in chosen:
        domain.delete(contact)
    return 1 if chosen else -1


def remove_ip_port(reg: Registrar, host: str, port: int, table: str, aor: str | None) -> int:
    """Remove all contacts at an address, of one AoR or of all."""
    domain = reg.usrloc.domain(table)
    if aor is not None:
        key = key_of_text(reg, aor)
        record = domain.get(key) if key is not None else None
        pool = list(record.contacts) if record is not None else []
    else:
        pool = domain.all()
    gone = [contact for contact in pool if is_at(contact, host, port)]
    for contact in gone:
        domain.delete(contact)
    return 1 if gone else -1
