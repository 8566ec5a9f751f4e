"""Keep contacts in SQL and nowhere else (sql-only): what a request needs is read before it and written behind it.

Several servers, and several workers, may share the database without knowing of each other. Within one worker requests
for the same AoR take turns. A contact that two servers stored at the same moment stands in two rows: the newer one
counts, and goes together with the other one.
"""
from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from osip.api import Env, StoreError, StoreLost
from osip.modules.usrloc.keeper import WAITING
from osip.modules.usrloc.row import contact_of, row_of, split_aor
from osip.modules.usrloc.sql import PAGE, SqlKeeper, make_index
from osip.modules.usrloc.state import NEW, Contact, Domain, Record

if TYPE_CHECKING:
    from osip.modules.usrloc.module import Usrloc

Ender = Callable[[Domain, str, list[tuple[Contact, dict[str, str] | None]]], None]
"""Called with what has expired: (table, AoR, contacts that this server has removed, each with the keys of its row)."""
MAX_ID = (1 << 63) - 1
TOGETHER = 200              # requests whose changes go out in one transaction


class Visit:
    """What one request changes, and the answers that wait until that is stored."""
    __slots__ = ("answers", "gone", "puts", "twins")

    def __init__(self) -> None:
        self.puts: dict[Contact, None] = {}
        self.gone: list[int] = []
        self.twins: list[int] = []          # rows that say what a newer one says
        self.answers: list[Callable[[], None]] = []

    @property
    def is_changed(self) -> bool:
        """Say whether there is anything to be written."""
        return bool(self.puts or self.gone)


class _Job:
    """The rows and removals of one visit on their way to the database."""
    __slots__ = ("done", "ids", "name", "rows")

    def __init__(self, name: str, rows: list[dict[str, Any]], ids: list[int]) -> None:
        self.name, self.rows, self.ids = name, rows, ids
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(self, error: StoreError | None = None) -> None:
        """Tell who waits."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class OnlyKeeper(SqlKeeper):
    """The table itself is the store; the tables in memory are empty but for what is being worked on."""

    def __init__(self, ul: Usrloc) -> None:
        super().__init__(ul, at_once=True, loads=False)
        self._visit: Visit | None = None
        self._turns: dict[tuple[str, str], list[Any]] = {}      # (table, AoR) -> [lock, how many want it]
        self._visits = 0
        self._jobs: list[_Job] = []
        self._writer: asyncio.Task[None] | None = None
        self._asked: list[tuple[str, str, asyncio.Future[list[Any]]]] = []      # table, AoR, its rows
        self._reader: asyncio.Task[None] | None = None
        self.enders: list[Ender] = []

    async def open(self, env: Env) -> None:
        """Check the tables, and see to it that the rows of an AoR are found without reading all of them."""
        await super().open(env)
        if env.number == 0:
            for name in list(self._tables):
                await self._prepare(name)

    async def _table(self, name: str) -> Any:
        """Return the statements of a table; one that a script names first while it runs is prepared, too."""
        is_new = name not in self._tables
        found = await super()._table(name)
        if is_new:
            await self._prepare(name)
        return found

    async def _prepare(self, name: str) -> None:
        statements = await super()._table(name)
        try:
            made = await self.sql.run(lambda connection: make_index(connection, name, statements.key))
        except StoreError as error:
            self.env.log.warning("usrloc: each request reads the whole table %s: no index on %s can be made: %s", name,
                                 ", ".join(statements.key), error)
            return
        if made:
            self.env.log.warning("usrloc: the table %s has an index on %s now", name, ", ".join(statements.key))

    # --- what the others do that keep contacts in memory ---------------------------------------------------------------

    def on_change(self, what: str, thing: Any) -> None:
        """Note a change for the visit that is under way."""
        visit = self._visit
        if visit is None or self.is_muted or isinstance(thing, Record):
            return
        if what != "contact_delete":
            visit.puts[thing] = None
            return
        visit.puts.pop(thing, None)
        if thing.state != NEW:
            visit.gone.append(thing.id)

    def on_keys(self, record: Record) -> None:
        """Note that the keys of an AoR changed: they are stored with each of its contacts."""
        if self._visit is not None:
            self._visit.puts |= dict.fromkeys(record.contacts)

    def after(self, answer: Callable[[], None]) -> bool:
        """Call `answer` when the changes of this visit are stored, and never when they cannot be."""
        visit = self._visit
        if visit is None or not visit.is_changed:
            return False
        visit.answers.append(answer)
        return True

    def add_table(self, name: str) -> None:
        """Nothing is read before it is needed."""

    def flush_soon(self) -> None:
        """Remove expired rows, which one worker does."""
        if self.env.number == 0 and not self._is_closing:
            self.env.spawn(self._expire(), "usrloc: removing expired rows")

    async def flush(self) -> None:
        """Nothing waits to be written."""

    async def check(self) -> str:
        """Return what is wrong, for /readyz; "" when all is well."""
        return "usrloc: the database does not answer, nobody can register or be looked up" if self.is_down else ""

    async def close(self) -> None:
        """Refuse what has not been written; who asked has had no answer yet."""
        self._is_closing = True
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)
        for job in self._jobs:
            job.end(StoreError("usrloc: the server is stopping"))

    async def _expire(self) -> None:
        try:
            for name in list(self._ul.domains):
                if self.enders:
                    await self._end(name)
                await self.sql.execute((await self._table(name)).expired, {"now": int(self.env.wall())})
            self.is_down = False
        except StoreError as error:
            self._fail(error)

    async def _end(self, name: str) -> None:
        """Remove what has expired and tell of it: of several servers the one that removed a row does."""
        statements, domain, now, last = await self._table(name), self._ul.domain(name), int(self.env.wall()), -1
        while rows := await self.sql.fetch(statements.ended, {"now": now, "last": last}):
            last, ended = rows[-1]["contact_id"], {}
            for row in rows:
                if not await self.sql.execute(statements.take_ended, {"id": row["contact_id"], "now": now}):
                    continue
                for aor, contact, keys in self._contacts(domain, [row], is_over=True):
                    ended.setdefault(aor, []).append((contact, keys))
            for aor, those in ended.items():
                async with self.visit(name, aor):
                    for tell in self.enders:
                        tell(domain, aor, those)
            if len(rows) < PAGE:
                return

    def _fail(self, error: StoreError) -> None:
        self.failed += 1
        self.is_down = isinstance(error, StoreLost)
        self._complain("usrloc_store" if self.is_down else "usrloc_refused", "the table of contacts cannot be used: "
                       "reason=%s", error)

    # --- visits --------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def visit(self, table: str, *aors: str) -> AsyncIterator[None]:
        """Have some AoRs in memory for a `with` block that does not wait; StoreError when SQL did not keep its changes.

        The block's answers leave when its changes are stored.
        """
        if self._visits >= WAITING:
            raise StoreError(f"usrloc: {WAITING} requests wait for the database already")
        self._visits += 1
        try:
            async with AsyncExitStack() as stack:
                for aor in sorted(set(aors)):           # always in this order: nobody waits for each other
                    await stack.enter_async_context(self._turn(table, aor))
                visit, domain = Visit(), self._ul.domain(table)
                try:
                    for aor in set(aors):
                        await self._read(visit, domain, aor)
                    domain.number((int(self.env.wall() * 1000) << 20) + random.getrandbits(20), 1)
                    self._visit = visit
                    yield
                    self._visit = None
                    rows = [row_of(self._ul, contact) for contact in visit.puts]
                finally:
                    self._visit = None
                    self._forget(domain, set(aors))
                if visit.is_changed:
                    await self._store(table, rows, [row["contact_id"] for row in rows] + visit.gone + visit.twins)
                for answer in visit.answers:
                    answer()
        except StoreError as error:
            self._fail(error)
            raise
        finally:
            self._visits -= 1

    @asynccontextmanager
    async def _turn(self, table: str, aor: str) -> AsyncIterator[None]:
        entry = self._turns.setdefault((table, aor), [asyncio.Lock(), 0])
        entry[1] += 1
        try:
            async with entry[0]:
                yield
        finally:
            entry[1] -= 1
            if not entry[1]:
                del self._turns[table, aor]

    async def _read(self, visit: Visit, domain: Domain, aor: str) -> None:
        found = [one for one in self._contacts(domain, await self._rows(domain.name, aor)) if one[0] == aor]
        newest: dict[tuple[str, ...], Any] = {}
        for one in sorted(found, key=lambda one: (one[1].modified, one[1].id)):
            contact = one[1]
            same = (contact.uri, contact.instance or "", contact.call_id if self._ul.matching_mode else "")
            if same in newest:
                visit.twins.append(newest.pop(same)[1].id)
            newest[same] = one
        domain.is_quiet = True
        for _, contact, keys in newest.values():
            record = domain.insert(aor, contact).record
            record.kv = keys or record.kv
        domain.is_quiet = False

    async def _rows(self, name: str, aor: str) -> list[Any]:
        """Return the rows of an AoR; what is asked at the same moment is read together."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._asked.append((name, aor, future))
        if self._reader is None or self._reader.done():
            self._reader = self.env.spawn(self._read_all(), "usrloc: reading contacts")
        return await future

    async def _read_all(self) -> None:
        asked: list[tuple[str, str, asyncio.Future[list[Any]]]] = []
        try:
            while self._asked:
                asked, self._asked = self._asked[:TOGETHER], self._asked[TOGETHER:]
                for name in dict.fromkeys(name for name, _, _ in asked):
                    await self._read_some(name, [(aor, future) for one, aor, future in asked if one == name])
        finally:
            for _, _, future in asked:
                if not future.done():
                    future.set_exception(StoreError("usrloc: the server is stopping"))

    async def _read_some(self, name: str, asked: list[tuple[str, asyncio.Future[list[Any]]]]) -> None:
        keys = {aor: split_aor(self._ul, aor) for aor, _ in asked}
        rows: dict[Any, list[Any]] = {}
        error: StoreError | None = None
        try:
            statements = await self._table(name)
            # A database may not mind case: a row counts for the AoR that it names exactly.
            for row in await self._ask(statements, list(keys.values())):
                rows.setdefault((row["user"], row["domain"] if self._ul.use_domain else None), []).append(row)
            self.is_down = False
        except StoreError as caught:
            error = caught
        for aor, future in asked:
            if future.done():
                continue
            if error is None:
                future.set_result(rows.get(keys[aor], []))
            else:
                future.set_exception(error)

    async def _ask(self, statements: Any, keys: list[tuple[str, str | None]]) -> list[Any]:
        by_domain = self._ul.use_domain
        if self.sql.keeps_versions:
            return await self.sql.fetch(statements.some, {"aors": keys if by_domain else [user for user, _ in keys]})
        found: list[Any] = []           # no SQL behind it (db_cachedb): simple questions only
        for user, host in keys:
            found += await self.sql.fetch(statements.one, {"u": user, "d": host} if by_domain else {"u": user})
        return found

    async def aor_of(self, name: str, id: int) -> str | None:
        """Return the AoR of the contact with a number; None for none that is valid."""
        if id > MAX_ID:
            return None
        rows = await self.sql.fetch((await self._table(name)).owner, {"id": id})
        found = self._contacts(self._ul.domain(name), rows)
        return found[0][0] if found else None

    def _forget(self, domain: Domain, aors: set[str]) -> None:
        domain.is_quiet = True
        for aor in aors:
            domain.delete_aor(aor)
        domain.is_quiet = False

    def _contacts(self, domain: Domain, rows: list[Any], is_over: bool = False
                  ) -> list[tuple[str, Contact, dict[str, str] | None]]:
        out = []
        for row in rows:
            try:
                one = contact_of(self._ul, row)
            except (ValueError, TypeError, AttributeError) as error:
                self._complain("usrloc_row", "table=%s contact_id=%s is left out: %s", domain.name, row["contact_id"], error)
                continue
            if is_over or one[1].is_valid(self.env.now):
                out.append(one)
        return out

    # --- the whole table -----------------------------------------------------------------------------------------------

    async def pages(self, name: str) -> AsyncIterator[list[Contact]]:
        """Give all contacts of a table, some at a time; each stands in a record of its own."""
        statements, domain, last = await self._table(name), self._ul.domain(name), -1
        while rows := await self.sql.fetch(statements.page, {"last": last}):
            last = rows[-1]["contact_id"]
            page = []
            for aor, contact, keys in self._contacts(domain, rows):
                contact.record = Record(domain, aor)
                contact.record.contacts.append(contact)
                contact.record.kv = keys
                page.append(contact)
            yield page
            if len(rows) < PAGE:
                return

    async def discard(self, contacts: list[Contact]) -> None:
        """Remove contacts that `pages` gave."""
        for contact in contacts:
            async with self.visit(contact.record.domain.name, contact.record.aor):
                domain = contact.record.domain
                record = domain.get(contact.record.aor)
                for one in list(record.contacts) if record is not None else ():
                    if one.id == contact.id:
                        domain.delete(one)

    # --- writing -------------------------------------------------------------------------------------------------------

    async def _store(self, name: str, rows: list[dict[str, Any]], ids: list[int]) -> None:
        job = _Job(name, rows, ids)
        self._jobs.append(job)
        if self._writer is None or self._writer.done():
            self._writer = self.env.spawn(self._work_off(), "usrloc: writing contacts")
        await job.done

    async def _work_off(self) -> None:
        jobs: list[_Job] = []
        try:
            while self._jobs:
                jobs, self._jobs = self._jobs[:TOGETHER], self._jobs[TOGETHER:]
                for name in dict.fromkeys(job.name for job in jobs):
                    await self._write_jobs(name, [job for job in jobs if job.name == name])
        finally:
            for job in jobs:
                job.end(StoreError("usrloc: the server is stopping"))

    async def _write_jobs(self, name: str, jobs: list[_Job]) -> None:
        """Write what several requests changed in one transaction; one that is refused does not hurt the others."""
        rows, ids = [row for job in jobs for row in job.rows], [id for job in jobs for id in job.ids]
        try:
            await self._change(await self._table(name), rows, ids)
        except StoreLost as error:
            for job in jobs:
                job.end(error)
            return
        except (StoreError, ValueError) as error:
            if len(jobs) == 1:
                jobs[0].end(error if isinstance(error, StoreError) else StoreError(f"usrloc: {error}"))
                return
            for job in jobs:
                await self._write_jobs(name, [job])
            return
        self.written += len(rows)
        for job in jobs:
            job.end()
