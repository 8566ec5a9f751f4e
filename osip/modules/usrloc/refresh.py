"""Find the contacts that should have been renewed by now: phones that must be woken for it (RFC 8599)."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from osip.modules.usrloc.state import Contact, Domain

if TYPE_CHECKING:
    from osip.modules.usrloc.module import Usrloc

Lead = Callable[[Contact], float]
"""Says how many seconds before its end a contact should have been renewed; 0 for one that nobody wakes."""
REASON = "reg-refresh"


class Refresher:
    """The contacts of registrars that send push notifications, by the second in which they are due.

    A contact stands in one second; renewing it moves nothing, since it is looked at again when that second comes. Only
    the first worker, which knows all contacts, does it.
    """

    def __init__(self, ul: Usrloc) -> None:
        self._ul = ul
        self._leads: list[Lead] = []
        self._seconds: dict[int, set[Contact]] = {}
        self._places: dict[Contact, int] = {}
        self._last = -1

    def add(self, lead: Lead) -> None:
        """Let a registrar say which contacts it is about; its `mod_init` calls this."""
        self._leads.append(lead)

    def watch(self, domain: Domain) -> None:
        """Take care of a table."""
        ul = self._ul
        if self._leads and ul.contact_refresh_timer and ul.env.number == 0 and not ul.keeps_nothing:
            domain.placed = self.place

    def start(self) -> None:
        """Take care of the tables that there are; say so when nobody sends push notifications."""
        ul = self._ul
        if ul.contact_refresh_timer and not self._leads and ul.env.number == 0:
            ul.env.log.info("usrloc: contact_refresh_timer does nothing without pn_enable of registrar or "
                            "mid_registrar")
        elif ul.contact_refresh_timer and ul.keeps_nothing and ul.env.number == 0:
            ul.env.log.info("usrloc: contact_refresh_timer does nothing with sql-only: contacts are in SQL alone")
        for domain in ul.domains.values():
            self.watch(domain)

    def __len__(self) -> int:
        return len(self._places)

    def _due(self, contact: Contact) -> float:
        """Return when a contact must be renewed, 0.0 for never; not before half of its life, or it would not rest."""
        if contact.expires == 0.0:
            return 0.0
        lead = max([lead(contact) for lead in self._leads], default=0.0)
        if lead <= 0:
            return 0.0
        return max(contact.expires - lead, (contact.modified + contact.expires) / 2)

    def place(self, contact: Contact) -> None:
        """Take note of a contact that came or was renewed."""
        due = self._due(contact)
        if not due:
            return
        second = max(int(due) + 1, self._last + 1)
        known = self._places.get(contact)
        if known is not None:
            if known <= second:
                return                          # it is looked at in time
            self._seconds[known].discard(contact)
        self._places[contact] = second
        self._seconds.setdefault(second, set()).add(contact)

    def run(self, now: float) -> None:
        """Raise the event for contacts that are due."""
        last = int(now)
        for second in sorted(second for second in self._seconds if second <= last):
            for contact in self._seconds.pop(second):
                del self._places[contact]
                if contact not in contact.record.contacts or not contact.is_valid(now):
                    continue
                due = self._due(contact)
                if due > now:
                    self._last = last
                    self.place(contact)
                elif due and self._is_ours(contact):
                    self.tell(contact, REASON)
        self._last = last

    def tell(self, contact: Contact, reason: str, call_id: str = "") -> None:
        """Raise E_UL_CONTACT_REFRESH: a phone must be woken to register anew."""
        values = self._ul.event_params(contact)
        for name in ("path", "qval", "cseq", "latency"):
            del values[name]
        self._ul.contact_refresh(**values, reason=reason, req_callid=call_id)

    def _is_ours(self, contact: Contact) -> bool:
        # Of several servers that share contacts the one wakes a phone at whose socket it registered.
        return self._ul.mode.store != "cache" or contact.socket is not None
