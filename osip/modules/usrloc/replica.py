"""Keep the location tables of all workers alike: what one changes the others hear through the bus.

Of two versions of a contact the one that was modified last stays; the workers of a machine share a monotonic clock.
Nobody but the worker where a change began tells the watchers, writes it to a database or raises its event.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from osip.modules.usrloc.state import NAMES, SYNC, Contact, Domain, Record

if TYPE_CHECKING:
    from osip.modules.usrloc.module import Usrloc

_TOPIC = "usrloc"
_OWN = frozenset({"record", "id", "state", "bucket", "socket", "memory"})
_FIELDS = tuple(name for name in NAMES if name not in _OWN)
_PLAIN = (str, int, float, bytes, type(None))

PUT, REMOVE, KEYS = range(3)


class Replica:
    """The link between the tables of one worker and those of the others."""

    def __init__(self, ul: Usrloc) -> None:
        self._ul = ul
        self._is_fresh = ul.mode.loads  # what was loaded from a store counts until another worker tells more
        self.is_muted = False           # the sweep runs in every worker: its removals need no telling
        ul.env.bus.subscribe(_TOPIC, self._apply)
        ul.env.bus.share(_TOPIC, self._known, self._load)

    # --- out --------------------------------------------------------------------------------------------------------

    def on_change(self, what: str, thing: Any) -> None:
        """Tell the others of a change (a watcher of the tables)."""
        if self.is_muted:
            return
        if what in ("contact_insert", "contact_update"):
            change: Any = self._put(thing)
        elif what == "contact_delete":
            change = (REMOVE, thing.record.domain.name, thing.record.aor, thing.id, thing.modified)
        else:                           # records come and go with their contacts
            return
        self._ul.env.bus.others(_TOPIC, change)

    def on_keys(self, record: Record) -> None:
        """Tell the others that the keys of an AoR changed."""
        self._ul.env.bus.others(_TOPIC, _keys(record))

    def _put(self, contact: Contact) -> tuple[Any, ...]:
        values = [getattr(contact, name) for name in _FIELDS]
        return (PUT, contact.record.domain.name, contact.record.aor, contact.id,
                contact.socket.index if contact.socket is not None else -1,
                tuple([value if isinstance(value, _PLAIN) else None for value in values]))

    def _known(self) -> Iterator[Any]:
        for domain in list(self._ul.domains.values()):
            for contact in domain.all():
                yield self._put(contact)
            for record in list(domain.records.values()):
                if record.kv:
                    yield _keys(record)

    # --- in ---------------------------------------------------------------------------------------------------------

    def _load(self, changes: list[Any]) -> None:
        if self._is_fresh:              # the store may still hold what is gone, and not yet what is new
            self._is_fresh = False
            for domain in self._ul.domains.values():
                domain.is_quiet = True
                for aor in list(domain.records):
                    domain.delete_aor(aor)
                domain.is_quiet = False
        for change in changes:
            self._apply(change)

    def _apply(self, change: tuple[Any, ...]) -> None:
        what, name, aor, *rest = change
        domain = self._ul.domain(name)
        domain.is_quiet = True
        try:
            (self._put_here, self._remove_here, self._keys_here)[what](domain, aor, *rest)
        finally:
            domain.is_quiet = False

    def _put_here(self, domain: Domain, aor: str, id: int, socket: int, values: tuple[Any, ...]) -> None:
        sockets = self._ul.env.known_sockets
        fresh = Contact("")
        for field, value in zip(_FIELDS, values, strict=True):
            setattr(fresh, field, value)
        fresh.id, fresh.state = id, SYNC
        fresh.socket = sockets[socket] if 0 <= socket < len(sockets) else None
        record = domain.get(aor)
        for old in record.contacts if record is not None else ():
            if old.id == id or (old.uri == fresh.uri and old.call_id == fresh.call_id):
                if old.modified > fresh.modified:
                    return
                domain.rename(old, id)
                domain.update(old, fresh)
                old.state = SYNC
                return
        domain.insert(aor, fresh)

    def _remove_here(self, domain: Domain, aor: str, id: int, modified: float) -> None:
        record = domain.get(aor)
        for old in record.contacts if record is not None else ():
            if old.id == id:
                if old.modified <= modified:
                    domain.delete(old)
                return

    def _keys_here(self, domain: Domain, aor: str, keys: dict[str, str] | None) -> None:
        record = domain.get(aor)
        if record is not None:
            record.kv = keys


def _keys(record: Record) -> tuple[Any, ...]:
    return KEYS, record.domain.name, record.aor, record.kv
