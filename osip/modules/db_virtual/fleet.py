"""Ask a set of databases as if it were one."""
from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from osip.api import Sql, StoreError, StoreLost, hide_password

FAILOVER, PARALLEL, ROUND = "FAILOVER", "PARALLEL", "ROUND"
MODES = (FAILOVER, PARALLEL, ROUND)

Question = Callable[[Sql], Awaitable[Any]]


@dataclass(slots=True)
class Member:
    """One database of a set."""
    sql: Sql
    can: bool = True            # it answered the last time
    may: bool = True            # management has not taken it out
    retries: int = 0            # tries left to find it again before it is given up


class Fleet:
    """A set of databases with the methods of `Sql`. `patience` is how often one that is lost is looked for."""

    def __init__(self, name: str, mode: str, members: list[Member], patience: int,
                 tell: Callable[[str, Member], None]) -> None:
        self.name, self.mode, self.members = name, mode, members
        self.url = f"virtual://{name}"
        self._patience, self._tell, self._turn = patience, tell, 0

    @property
    def keeps_versions(self) -> bool:
        """Say whether there is a table of schema versions to be compared with."""
        return all(member.sql.keeps_versions for member in self.members)

    @property
    def is_open(self) -> bool:
        """Say whether it was asked for anything yet."""
        return any(member.sql.is_open for member in self.members)

    def _usable(self) -> list[Member]:
        found = [member for member in self.members if member.can and member.may]
        if self.mode == ROUND and found:
            self._turn = (self._turn + 1) % len(found)
            found = found[self._turn:] + found[:self._turn]
        if not found:
            raise StoreLost(f"no database of the set {self.name} is usable: db_virtual:get shows why")
        return found

    async def _first(self, question: Question) -> Any:
        error: StoreLost | None = None
        for member in self._usable():
            try:
                return await question(member.sql)
            except StoreLost as lost:
                self.lose(member)
                error = lost
        raise StoreLost(f"no database of the set {self.name} answered: {error}")

    async def _all(self, question: Question) -> Any:
        results: list[Any] = []
        wrong: StoreError | None = None
        lost: StoreLost | None = None
        for member in self._usable():
            try:
                results.append(await question(member.sql))
            except StoreLost as error:
                self.lose(member)
                lost = error
            except StoreError as error:
                wrong = error
        if not results:
            raise wrong or StoreLost(f"no database of the set {self.name} answered: {lost}")
        return results[0]

    def lose(self, member: Member) -> None:
        """Note that one does not answer."""
        if member.can:
            member.can, member.retries = False, self._patience
            self._tell("lost", member)

    async def probe(self) -> None:
        """Look for those that were lost, as often as they are worth it."""
        for member in self.members:
            if member.can or member.retries <= 0:
                continue
            member.retries -= 1
            try:
                await member.sql.ping()
            except StoreError:
                if member.retries == 0:
                    self._tell("given up: db_virtual:set looks again", member)
                continue
            member.can = True
            self._tell("back", member)

    # --- as Sql has it -----------------------------------------------------------------------------------------------

    async def fetch(self, statement: Any, values: Any = None) -> Any:
        """Run a statement and return its rows."""
        return await self._first(lambda sql: sql.fetch(statement, values))

    async def execute(self, statement: Any, values: Any = None) -> int:
        """Run a statement and return the number of rows that it touched; PARALLEL writes to all."""
        ask = self._all if self.mode == PARALLEL else self._first
        return int(await ask(lambda sql: sql.execute(statement, values)))

    async def run(self, work: Any) -> Any:
        """Call `work(connection)` inside a transaction, with PARALLEL in each database."""
        return await (self._all if self.mode == PARALLEL else self._first)(lambda sql: sql.run(work))

    async def ping(self) -> None:
        """Ask for nothing; StoreError when none answers."""
        await self._first(lambda sql: sql.ping())

    async def close(self) -> None:
        """Leave the databases to those who opened them."""


def describe(member: Member) -> str:
    """Return a database's URL for logs."""
    return hide_password(member.sql.url)
