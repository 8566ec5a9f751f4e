"""Hold contacts by address of record (AoR), best first; forget them when they expire (RFC 3261 section 10.3).

Nothing here knows a clock or a network: `now` is monotonic seconds and comes in as an argument.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from sys import intern
from typing import TYPE_CHECKING, Any

from osip.api import LocalSocket, ParseError, uri_equal

if TYPE_CHECKING:
    from osip.modules.usrloc.audience import Audience

NEW, SYNC, DIRTY = "CS_NEW", "CS_SYNC", "CS_DIRTY"
ALL_METHODS = 0xFFFFFFFF
METHOD_BITS = {"INVITE": 1, "CANCEL": 2, "ACK": 4, "BYE": 8, "INFO": 16, "OPTIONS": 32, "UPDATE": 64, "REGISTER": 128,
               "MESSAGE": 256, "SUBSCRIBE": 512, "NOTIFY": 1024, "PRACK": 2048, "REFER": 4096, "PUBLISH": 8192,
               "OTHER": 16384}
"""Bits of the column `methods`."""


def method_mask(names: Iterator[str] | list[str]) -> int:
    """Return the mask for method names; what has no bit of its own counts as OTHER."""
    mask = 0
    for name in names:
        mask |= METHOD_BITS.get(name.strip().upper(), 16384)
    return mask


NAMES = ("record", "id", "uri", "expires", "q", "call_id", "cseq", "user_agent", "received", "path", "socket",
         "cflags", "flags", "methods", "instance", "attr", "modified", "state", "bucket", "latency", "memory")
"""Attributes of a contact."""


class Contact:
    """One binding. `expires` is monotonic seconds, 0.0 for a permanent one; `q` is 0..1000 or -1.

    `cflags` are its branch flags, `flags` the message flags at its registration, `methods` a mask (`METHOD_BITS`),
    `latency` that of the last ping in microseconds. `bucket` is where the expiry sweep looks for it (-1: nowhere).
    """
    __slots__ = NAMES
    record: Record                      # set when it is inserted

    def __init__(self, uri: str, expires: float = 0.0, q: int = -1, call_id: str = "", cseq: int = 0,
                 user_agent: str = "", received: str | None = None, path: str | None = None,
                 socket: LocalSocket | None = None, cflags: int = 0, flags: int = 0, methods: int = ALL_METHODS,
                 instance: str | None = None, attr: str | None = None, modified: float = 0.0,
                 memory: bool = False) -> None:
        self.id = 0
        self.uri, self.expires, self.q, self.call_id, self.cseq = uri, expires, q, call_id, cseq
        # A handful of phone models serve thousands of users.
        self.user_agent = intern(user_agent) if user_agent else ""
        self.received, self.path, self.socket = received, path, socket
        self.cflags, self.flags, self.methods = cflags, flags, methods
        self.instance, self.attr, self.modified, self.memory = instance, attr, modified, memory
        self.state = NEW
        self.bucket = -1
        self.latency = 0

    @property
    def aor(self) -> str:
        """The address of record that it belongs to."""
        return self.record.aor

    def is_valid(self, now: float) -> bool:
        """Say whether it has not expired."""
        return self.expires == 0.0 or self.expires > now

    def take(self, other: Contact) -> None:
        """Take over everything that a new registration says; identity and place in the sweep stay."""
        self.uri, self.expires, self.q, self.call_id, self.cseq = (other.uri, other.expires, other.q, other.call_id,
                                                                   other.cseq)
        self.user_agent, self.received, self.path, self.socket = (other.user_agent, other.received, other.path,
                                                                  other.socket)
        self.cflags, self.flags, self.methods, self.instance = other.cflags, other.flags, other.methods, other.instance
        self.attr, self.modified, self.memory = other.attr, other.modified, other.memory


def new_contact(uri: str, expires: float = 0.0, q: int = -1, call_id: str = "", cseq: int = 0,
                user_agent: str = "", received: str | None = None, path: str | None = None,
                socket: LocalSocket | None = None, cflags: int = 0, flags: int = 0, methods: int = ALL_METHODS,
                instance: str | None = None, attr: str | None = None, modified: float = 0.0,
                memory: bool = False) -> Contact:
    """Make a contact: where this is compiled the call of a function is cheaper than that of a class."""
    return Contact(uri, expires, q, call_id, cseq, user_agent, received, path, socket, cflags, flags, methods,
                   instance, attr, modified, memory)


class Record:
    """One AoR: its contacts, best first, and what scripts attached to it (`kv`)."""
    __slots__ = ("domain", "aor", "contacts", "kv")

    def __init__(self, domain: Domain, aor: str) -> None:
        self.domain, self.aor = domain, aor
        self.contacts: list[Contact] = []
        self.kv: dict[str, str] | None = None

    def valid(self, now: float) -> list[Contact]:
        """Return the contacts that have not expired, best first."""
        return [c for c in self.contacts if c.expires == 0.0 or c.expires > now]

    def find(self, uri: str, call_id: str | None = None) -> Contact | None:
        """Return the contact with this URI (RFC 3261 section 19.1.4), and Call-ID when one is given."""
        contacts = self.contacts
        for contact in contacts:
            if contact.uri == uri and (call_id is None or contact.call_id == call_id):
                return contact
        for contact in contacts:
            if (call_id is None or contact.call_id == call_id) and same_uri(contact.uri, uri):
                return contact
        return None


def same_uri(one: str, two: str) -> bool:
    """Compare two contact URIs; what is no URI equals nothing."""
    try:
        return uri_equal(one, two)
    except ParseError:
        return False


Watcher = Callable[[str, Any], None]
"""Called as (what, thing): contact_insert, contact_update, contact_delete with a Contact, aor_insert and aor_delete
with a Record."""


class Domain:
    """One location table. Every change passes through here and is told to `audience` and `watchers`.

    `placed` is called with each contact that comes or is renewed, also where nobody is told; `ids`, when something
    asked for it with `index`, finds contacts by their number. `promised` are numbers that URIs have before they come.
    """
    __slots__ = ("name", "records", "contacts", "expired", "newest_first", "audience", "watchers", "width", "is_quiet",
                 "placed", "ids", "promised", "_buckets", "_swept", "_next_id", "_step")

    def __init__(self, name: str, width: float = 60.0, newest_first: bool = False, first_id: int = 1) -> None:
        self.name, self.newest_first = name, newest_first
        self.records: dict[str, Record] = {}
        self.contacts = 0                           # all of them, for the statistics
        self.expired = 0
        self.audience: Audience | None = None       # apart from the others: a call that compiled code makes at once
        self.watchers: list[Watcher] = []
        self.width = max(1.0, width)
        self._buckets: dict[int, set[Contact]] = {}     # where the expiry sweep looks
        self._swept = 0
        self._next_id, self._step = first_id, 1
        self.is_quiet = False                       # the change began elsewhere: nobody here is told
        self.placed: Callable[[Contact], None] | None = None
        self.ids: dict[int, Contact] | None = None
        self.promised: dict[str, int] | None = None

    def index(self) -> None:
        """Begin to find contacts by their number."""
        if self.ids is None:
            self.ids = {contact.id: contact for contact in self.all()}

    def new_id(self) -> int:
        """Return the number of a contact that is yet to be inserted."""
        id = self._next_id
        self._next_id += self._step
        return id

    def rename(self, contact: Contact, id: int) -> None:
        """Give a contact the number that another worker or node gave it."""
        if self.ids is not None:
            self.ids.pop(contact.id, None)
            self.ids[id] = contact
        contact.id = id

    def number(self, first_id: int, step: int) -> None:
        """Give new contacts the ids `first_id`, `first_id + step` and so on: workers must not use the same."""
        self._next_id, self._step = first_id, step

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, aor: str) -> Record | None:
        """Return the record of an AoR; None when it has no contact."""
        return self.records.get(aor)

    def valid(self, aor: str, now: float) -> list[Contact]:
        """Return the contacts of an AoR that have not expired, best first."""
        record = self.records.get(aor)
        return record.valid(now) if record is not None else []

    def all(self) -> Iterator[Contact]:
        """Walk all contacts; the table may change meanwhile."""
        for record in list(self.records.values()):
            yield from list(record.contacts)

    # --- changing ---------------------------------------------------------------------------------------------------

    def insert(self, aor: str, contact: Contact) -> Contact:
        """Add a contact to an AoR, which is made when it is its first."""
        record = self.records.get(aor)
        if record is None:
            record = self.records[aor] = Record(self, aor)
            self._tell("aor_insert", record)
        contact.record = record
        if not contact.id:
            contact.id = (self.promised and self.promised.pop(contact.uri, 0)) or self.new_id()
        self._place(record, contact)
        self.contacts += 1
        self._file(contact)
        if self.ids is not None:
            self.ids[contact.id] = contact
        if self.placed is not None:
            self.placed(contact)
        self._tell("contact_insert", contact)
        return contact

    def update(self, contact: Contact, fresh: Contact) -> None:
        """Renew a contact with what a new registration says."""
        is_moved = contact.q != fresh.q
        contact.take(fresh)
        self.renewed(contact, is_moved)

    def blank(self) -> Contact:
        """Return a contact that is yet to be filled and then inserted."""
        return Contact("")

    def renewed(self, contact: Contact, is_moved: bool) -> None:
        """Take note that a contact says something new; `is_moved` when its q is another one."""
        if contact.state == SYNC:
            contact.state = DIRTY
        if is_moved or self.newest_first:
            contact.record.contacts.remove(contact)
            self._place(contact.record, contact)
        self._file(contact)
        if self.placed is not None:
            self.placed(contact)
        self._tell("contact_update", contact)

    def delete(self, contact: Contact) -> None:
        """Remove a contact, and its AoR with the last one; one that is gone already stays so."""
        record = contact.record
        if contact not in record.contacts:
            return
        record.contacts.remove(contact)
        self.contacts -= 1
        self._forget(contact)
        if self.ids is not None:
            self.ids.pop(contact.id, None)
        self._tell("contact_delete", contact)
        if not record.contacts and self.records.get(record.aor) is record:
            del self.records[record.aor]
            self._tell("aor_delete", record)

    def forget_gone(self, record: Record, now: float) -> bool:
        """Remove the contacts of an AoR that have expired; say whether there was any."""
        gone = [c for c in record.contacts if c.expires != 0.0 and c.expires <= now]
        for contact in gone:
            self.delete(contact)
        return bool(gone)

    def delete_aor(self, aor: str) -> bool:
        """Remove an AoR with all its contacts; False when there is none."""
        record = self.records.get(aor)
        if record is None:
            return False
        for contact in list(record.contacts):
            self.delete(contact)
        return True

    def _tell(self, what: str, thing: Any) -> None:
        if self.is_quiet:
            return
        if self.audience is not None:
            self.audience.on_change(what, thing)
        for watcher in self.watchers:
            watcher(what, thing)

    def _place(self, record: Record, contact: Contact) -> None:
        contacts, q = record.contacts, contact.q
        if not contacts:
            record.contacts = [contact]         # takes less memory than a list that was made to grow
            return
        at = len(contacts)
        for number, other in enumerate(contacts):
            if other.q < q or (other.q == q and self.newest_first):
                at = number
                break
        contacts.insert(at, contact)

    # --- expiry: a contact lies in the bucket of the interval in which it may expire --------------------------------

    def _file(self, contact: Contact) -> None:
        # A contact that lives longer stays where it is and is filed anew when the sweep finds it: renewing costs
        # nothing.
        if contact.expires == 0.0:
            self._forget(contact)
            return
        number = max(int(contact.expires / self.width) + 1, self._swept + 1)
        if 0 <= contact.bucket <= number:
            return
        self._forget(contact)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = set()
        bucket.add(contact)
        contact.bucket = number

    def _forget(self, contact: Contact) -> None:
        bucket = self._buckets.get(contact.bucket)
        if bucket is not None:
            bucket.discard(contact)
        contact.bucket = -1

    def sweep(self, now: float) -> int:
        """Remove what has expired; return how many that were. Only due buckets are looked at."""
        last = int(now / self.width)
        removed = 0
        for number in sorted(n for n in self._buckets if n <= last):
            for contact in self._buckets.pop(number):
                contact.bucket = -1
                if contact.is_valid(now):
                    self._swept = last
                    self._file(contact)
                else:
                    self.delete(contact)
                    removed += 1
        self._swept = max(self._swept, last)
        self.expired += removed
        return removed
