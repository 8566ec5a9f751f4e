"""Turn contacts into rows of the table `location`, and rows into contacts."""
from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from osip.api import parse_endpoint
from osip.modules.usrloc.state import ALL_METHODS, SYNC, Contact

if TYPE_CHECKING:
    from osip.modules.usrloc.module import Usrloc

COLUMNS = ("contact_id", "user", "domain", "contact", "received", "path", "expires", "q", "callid", "cseq",
           "last_modified", "flags", "cflags", "user_agent", "socket", "methods", "sip_instance", "kv_store", "attr")
"""What a row holds; each but last_modified has a parameter `<name>_column`."""
MAX_32 = 0x7FFFFFFF


def signed(mask: int) -> int:
    """Return a mask of 32 bits as the signed number that a column takes."""
    mask &= 0xFFFFFFFF
    return mask - (1 << 32) if mask > MAX_32 else mask


def storable(text: str | None) -> str | None:
    """Return a text that every database takes: no NUL, no bytes that are no UTF-8."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def split_aor(ul: Usrloc, aor: str) -> tuple[str, str | None]:
    """Return the columns user and domain of an AoR."""
    if not ul.use_domain:
        return aor, None
    user, _, host = aor.rpartition("@")
    return user, host


def row_of(ul: Usrloc, contact: Contact) -> dict[str, Any]:
    """Return the row of a contact; its keys are those of COLUMNS."""
    env, record = ul.env, contact.record
    user, domain = split_aor(ul, record.aor)
    shift = ul.offset()
    return {
        "contact_id": contact.id, "user": storable(user), "domain": storable(domain), "contact": storable(contact.uri),
        "received": storable(contact.received), "path": storable(contact.path),
        "expires": 0 if contact.expires == 0.0 else max(1, round(contact.expires + shift)),
        "q": -1.0 if contact.q < 0 else contact.q / 1000, "callid": (storable(contact.call_id) or "")[:255],
        "cseq": min(contact.cseq, MAX_32),
        "last_modified": datetime.fromtimestamp(int(contact.modified + shift), UTC).replace(tzinfo=None),
        "flags": signed(contact.flags), "cflags": env.branch_flags.listing(contact.cflags),
        "user_agent": storable(contact.user_agent[:255]), "socket": contact.socket.text if contact.socket else None,
        "methods": None if contact.methods == ALL_METHODS else signed(contact.methods),
        "sip_instance": storable(contact.instance), "attr": storable(contact.attr),
        "kv_store": storable(json.dumps(record.kv)) if record.kv else None}


def contact_of(ul: Usrloc, row: Mapping[str, Any]) -> tuple[str, Contact, dict[str, str] | None]:
    """Return AoR, contact and the AoR's keys from a row with the names of COLUMNS; ValueError when it is broken."""
    shift = ul.offset()
    end = int(row["expires"] or 0)
    q = float(row["q"] if row["q"] is not None else -1)
    modified = row["last_modified"]
    if isinstance(modified, str):
        modified = datetime.fromisoformat(modified)
    since = modified.replace(tzinfo=UTC).timestamp() - shift if modified is not None else ul.env.now
    contact = Contact(
        str(row["contact"] or ""), end - shift if end else 0.0, -1 if q < 0 else min(1000, round(q * 1000)),
        str(row["callid"] or ""), int(row["cseq"] or 0), str(row["user_agent"] or ""), row["received"] or None,
        row["path"] or None, socket_of(ul, row["socket"]), flags_of(ul, row["cflags"]),
        int(row["flags"] or 0) & 0xFFFFFFFF,
        ALL_METHODS if row["methods"] is None else int(row["methods"]) & 0xFFFFFFFF, row["sip_instance"] or None,
        row["attr"] or None, min(since, ul.env.now))
    if not contact.uri:
        raise ValueError("no contact URI")
    contact.id, contact.state = int(row["contact_id"]), SYNC
    user = str(row["user"] or "")
    aor = user if not ul.use_domain else f"{user}@{row['domain']}" if user else str(row["domain"] or "")
    return aor, contact, keys_of(row["kv_store"])


def keys_of(text: Any) -> dict[str, str] | None:
    """Return the keys of an AoR from their JSON text."""
    found = json.loads(text) if text else None
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) and found else None


def flags_of(ul: Usrloc, text: Any) -> int:
    """Return the mask of a list of branch flags."""
    mask = 0
    for name in str(text or "").split():
        mask |= ul.env.branch_flags.bit(name)
    return mask


def socket_of(ul: Usrloc, text: Any) -> Any:
    """Return our socket of this name; None when it is none of ours (any more)."""
    if not text:
        return None
    try:
        end = parse_endpoint(str(text))
    except ValueError:
        return None
    return ul.env.find_socket(end.proto, end.host, end.port)
