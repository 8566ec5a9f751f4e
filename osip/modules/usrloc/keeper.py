"""Carry changed contacts to a store: gathered while the last write runs, kept while the store is away.

In the modes that write at once a REGISTER is answered when its change is stored (`after`): all changes of one moment
go out in one write. While the store is away answers do not wait; what changes meanwhile is kept and written when it is
back. No more is kept than there are contacts, and rows that were stored before.
"""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from osip.api import Complaint, Env, StoreError
from osip.modules.usrloc.state import DIRTY, NEW, SYNC, Contact, Record

if TYPE_CHECKING:
    from osip.modules.usrloc.module import Usrloc

BATCH = 500
WAITING = 20_000            # answers that wait for one write
FIRST_PAUSE, LAST_PAUSE = 0.5, 10.0

Gone = dict[tuple[str, int], tuple[str, float]]
"""(table, contact id) -> (AoR, when it was removed: monotonic seconds)."""


class Keeper:
    """What stores have in common; `_write` is theirs."""

    def __init__(self, ul: Usrloc, at_once: bool) -> None:
        self._ul, self.env, self._at_once = ul, ul.env, at_once
        self._changed: dict[Contact, None] = {}
        self._gone: Gone = {}
        self._answers: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._complain = Complaint(ul.env.log)
        self._is_closing = False
        self._writing = asyncio.Lock()
        self.is_down = self._is_open = False
        self.written = self.failed = 0
        self.is_muted = False               # what changes now came from the store

    # --- what a store does ------------------------------------------------------------------------------------------

    async def open(self, env: Env) -> None:
        """Get ready; ModuleError when the store is not as it must be."""
        raise NotImplementedError

    def add_table(self, name: str) -> None:
        """Take note of a new table; one that a script names first while it runs is read beside the packet path."""
        if self._is_open:
            self.env.spawn(self._load_late(name), f"usrloc: reading table {name}")

    async def _load_late(self, name: str) -> None:
        try:
            await self.load_table(name)
        except StoreError as error:
            self._complain("usrloc_table", "table=%s cannot be read: %s", name, error)

    async def load(self) -> int:
        """Read all contacts at the start and return how many."""
        raise NotImplementedError

    async def load_table(self, name: str, aor: str | None = None) -> int:
        """Read a table, or one AoR of it, again."""
        raise NotImplementedError

    async def _write(self, puts: list[Contact], gone: Gone) -> None:
        raise NotImplementedError

    # --- changes ----------------------------------------------------------------------------------------------------

    def on_change(self, what: str, thing: Any) -> None:
        """Take note of a change (a watcher of the tables)."""
        if self.is_muted or isinstance(thing, Record) or thing.memory:
            return
        if what == "contact_delete":
            self._changed.pop(thing, None)
            if thing.state != NEW:          # a new one was never written
                # One that expired goes only as it is known here: it may have been renewed elsewhere.
                when = self.env.now if thing.is_valid(self.env.now) else thing.modified
                self._gone[thing.record.domain.name, thing.id] = thing.record.aor, when
        else:
            self._changed[thing] = None
        if self._at_once:
            self._wake()

    def on_keys(self, record: Record) -> None:
        """Take note that the keys of an AoR changed: they are stored with each of its contacts."""
        for contact in record.contacts:
            if not contact.memory:
                if contact.state == SYNC:
                    contact.state = DIRTY
                self._changed[contact] = None
        if self._at_once:
            self._wake()

    def after(self, answer: Callable[[], None]) -> bool:
        """Call `answer` when all that changed until now is stored; False when there is nothing to wait for."""
        if not self._at_once or self.is_down or len(self._answers) >= WAITING:
            return False
        if not self._changed and not self._gone and (self._task is None or self._task.done()):
            return False
        self._answers.append(answer)
        self._wake()
        return True

    @property
    def waiting(self) -> int:
        """Count the changes that are not stored yet."""
        return len(self._changed) + len(self._gone)

    # --- writing ----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if (self._task is None or self._task.done()) and not self._is_closing:
            self._task = self.env.spawn(self._work(), "usrloc: writing contacts")

    async def _work(self) -> None:
        pause = 0.0
        while self._changed or self._gone or self._answers or self.is_down:
            answers, self._answers = self._answers, []
            try:
                await self.flush()
                pause = 0.0
            except StoreError:
                pause = min(LAST_PAUSE, pause * 2 or FIRST_PAUSE)
            finally:
                for answer in answers:
                    answer()
            if pause:
                for answer in self._answers:
                    answer()                # they came before it was known that the store is away
                self._answers = []
                await asyncio.sleep(pause)
                if not self._at_once:
                    return                  # the timer will try again

    def flush_soon(self) -> None:
        """Write what changed, beside the packet path."""
        if self._changed or self._gone:
            self._wake()

    async def flush(self) -> None:
        """Write all that changed until now; StoreError when the store is away, what is left is kept."""
        async with self._writing:           # two writes at once could store the older state last
            await self._flush()

    async def _flush(self) -> None:
        changed, self._changed = self._changed, {}
        gone, self._gone = self._gone, {}
        contacts = [contact for contact in changed if contact in contact.record.contacts]
        try:
            while contacts or gone:
                batch = contacts[-BATCH:]
                states = [contact.state for contact in batch]
                for contact in batch:       # a change during the write makes them dirty again
                    contact.state = SYNC
                part = dict(list(gone.items())[:BATCH])
                try:
                    await self._write(batch, part)
                except BaseException:
                    # It may have been stored all the same: from now on it must be removed there as well.
                    for contact in batch:
                        contact.state = DIRTY
                    for contact, state in zip(batch, states, strict=True):
                        if contact not in contact.record.contacts and state == NEW:
                            self._gone[contact.record.domain.name, contact.id] = contact.record.aor, self.env.now
                    raise
                del contacts[-BATCH:]
                for key in part:
                    del gone[key]
                self.written += len(batch) + len(part)
        except BaseException as error:
            self._changed = dict.fromkeys(c for c in contacts if c in c.record.contacts) | self._changed
            self._gone = gone | self._gone
            if isinstance(error, StoreError):
                self._lose(error)
            raise
        if self.is_down:
            self.is_down = False
            self.env.log.warning("usrloc: the store is back, everything is written")

    def _lose(self, error: StoreError) -> None:
        self.failed += 1
        self.is_down = True
        self._complain("usrloc_store", "contacts cannot be stored, they are kept in memory: waiting=%d reason=%s",
                       self.waiting, error)

    async def check(self) -> str:
        """Return what is wrong, for /readyz; "" when all is well."""
        return f"usrloc: {self.waiting} changes wait for the store" if self.is_down else ""

    def start(self) -> None:
        """Begin what runs beside, once the contacts are loaded."""

    async def close(self) -> None:
        """Write what is left, trying once."""
        self._is_closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._changed or self._gone:
            try:
                await self.flush()
            except StoreError as error:
                self.env.log.error("usrloc: %d changes of contacts are lost: %s", self.waiting, error)
