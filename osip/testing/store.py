"""Stores in memory for tests: SQL that answers by pattern, caches of every scheme, contacts of users."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from osip.core.errors import OsipError, StoreError
from osip.core.store.cache import LocalCache

if TYPE_CHECKING:
    from osip.testing.memory import Memory


class Rule:
    """One answer to SQL statements that match a pattern; `calls` lists the statements that it answered."""

    def __init__(self, pattern: str, rows: Sequence[Mapping[str, Any]], count: int | None, error: str) -> None:
        self.pattern = re.compile(pattern, re.IGNORECASE | re.DOTALL)
        self.rows, self.count, self.error = list(rows), len(rows) if count is None else count, error
        self.returns = count is None            # who counts the rows touched has written
        self.calls: list[str] = []


class SqlRules:
    """The databases of a test. The last rule that matches a statement answers it; without one a database in memory
    does, which has the tables of the script's modules and the rows of `add`."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self._rules: list[Rule] = []
        self._memory: Memory | None = None

    def on(self, pattern: str, rows: Sequence[Mapping[str, Any]] = (), count: int | None = None,
           error: str = "") -> Rule:
        """Answer statements that match a regular expression with rows (name -> value), or fail with `error`.

        `count` is the number of rows that a writing statement says it touched.
        """
        rule = Rule(pattern, rows, count, error)
        self._rules.append(rule)
        return rule

    def add(self, table: str, **values: Any) -> None:
        """Put a row into a table, in the database of every URL; a table that no module has is made."""
        self.memory.add(table, values)

    @property
    def memory(self) -> Memory:
        """The tables."""
        if self._memory is None:
            from osip.testing.memory import Memory         # with SQLAlchemy, which most scripts do without
            self._memory = Memory()
        return self._memory

    def store(self, url: str = "") -> FakeSql:
        """Return the database at a URL."""
        return FakeSql(self, url)

    def answer(self, statement: Any, values: Any) -> Rule | None:
        """Note a statement and find the rule for it."""
        text = readable(statement, values)
        self.statements.append(text)
        rule = next((rule for rule in reversed(self._rules) if rule.pattern.search(text)), None)
        if rule is None:
            return None
        rule.calls.append(text)
        if rule.error:
            raise StoreError(rule.error)
        return rule

    def close(self) -> None:
        """Forget the tables."""
        if self._memory is not None:
            self._memory.close()


class FakeSql:
    """One database, as modules use it (`osip.core.store.sql.Sql`)."""

    keeps_versions = False          # nothing is older here than the script
    makes_tables = True

    def __init__(self, rules: SqlRules, url: str) -> None:
        self.url = url
        self._rules = rules

    async def fetch(self, statement: Any, values: Any = None) -> list[dict[str, Any]]:
        """Return the rows of the rule that matches, else of the tables."""
        rule = self._rules.answer(statement, values)
        if rule is not None:
            return [dict(row) for row in rule.rows]
        return [dict(row) for row in self._ask(statement, values, lambda result: result.mappings().all())]

    async def execute(self, statement: Any, values: Any = None) -> int:
        """Return how many rows were touched, as the rule that matches says, else in the tables."""
        rule = self._rules.answer(statement, values)
        if rule is not None:
            return rule.count
        if values is not None and not values and not isinstance(values, Mapping):
            return 0                # nothing to write
        return int(self._ask(statement, values, lambda result: result.rowcount))

    async def run(self, work: Any) -> Any:
        """Call `work(connection)`; what it executes is answered by the rules, else by the tables."""
        return self._rules.memory.run(work, self._ruled)

    def _ruled(self, statement: Any, values: Any) -> Result | None:
        rule = self._rules.answer(statement, values)
        return None if rule is None else Result(rule)

    def _ask(self, statement: Any, values: Any, read: Callable[[Any], Any]) -> Any:
        try:
            return self._rules.memory.run(lambda connection: read(connection.really(statement, values)), self._ruled)
        except StoreError as error:
            raise StoreError(f"no answer for this SQL in the test: {readable(statement, values)} "
                             f"({error})") from None

    async def close(self) -> None:
        """There is nothing to close."""


class Result:
    """The answer to one statement, as a SQLAlchemy result looks to a module."""

    def __init__(self, rule: Rule) -> None:
        self._rows = [dict(row) for row in rule.rows]
        self.rowcount = rule.count
        self.returns_rows = rule.returns

    def keys(self) -> list[str]:
        """Return the names of the columns."""
        return list(self._rows[0]) if self._rows else []

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows."""
        return [tuple(row.values()) for row in self._rows]

    all = fetchall

    def mappings(self) -> Any:
        """Walk the rows by name."""
        return iter(self._rows)

    def first(self) -> tuple[Any, ...] | None:
        """Return the first row."""
        return next(iter(self.fetchall()), None)

    fetchone = first

    def scalar(self) -> Any:
        """Return the first value."""
        row = self.first()
        return row[0] if row else None

    def __iter__(self) -> Any:
        return iter(self.fetchall())


def readable(statement: Any, values: Any) -> str:
    """Return a statement as text, its values in place where it is known how."""
    if isinstance(statement, str):
        for name, value in (values or {}).items() if isinstance(values, Mapping) else ():
            statement = re.sub(rf":{re.escape(name)}\b", lambda _, value=value: repr(value), statement)
        return statement
    if isinstance(values, Mapping):
        statement = statement.params(**values) if hasattr(statement, "params") else statement
    try:
        text = str(statement.compile(compile_kwargs={"literal_binds": True}))
    except Exception:           # a type without a literal form, or values still missing
        text = str(statement)
    return " ".join(text.split())


class Shelf(LocalCache):
    """A cache of a test; a module may connect to it as to a server."""

    async def open(self) -> None:
        """Do nothing: it is there."""


class CacheBox:
    """The caches of a test, one for each id; every scheme is there."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._caches: dict[str, LocalCache] = {}

    def store(self, id: str) -> LocalCache:
        """Return a cache by its id."""
        if id not in self._caches:
            self._caches[id] = Shelf(self._clock)
        return self._caches[id]

    def set(self, id: str, key: str, value: str | int, ttl: int = 0) -> None:
        """Put a value in."""
        self.store(id).set(key, value, ttl)

    def get(self, id: str, key: str) -> str | int | None:
        """Look at a value."""
        return self.store(id).get(key)


_IN_MEMORY = {"db_mode": None, "working_mode_preset": "single-instance-no-db", "cluster_mode": "none",
              "restart_persistency": "none", "sql_write_mode": "", "location_cluster": 0}


def keep_in_memory(modules: Mapping[str, Any]) -> None:
    """Let usrloc have its contacts in memory, wherever the script keeps them."""
    if "usrloc" in modules:
        for name, value in _IN_MEMORY.items():
            setattr(modules["usrloc"], name, value)


class Location:
    """The contacts of users, in the script's own module usrloc."""

    def __init__(self, modules: Mapping[str, Any]) -> None:
        self._modules = modules

    def _usrloc(self) -> Any:
        if "usrloc" not in self._modules:
            raise OsipError('the script has no location table: it does not load "usrloc.so"')
        return self._modules["usrloc"]

    def add(self, aor: str, contact: str, expires: int = 3600, q: float | None = None, table: str = "location",
            flags: str = "", methods: int = 0) -> None:
        """Register a contact: `add("bob@example.com", "sip:bob@10.0.0.2")`; expires 0 is for ever."""
        self._usrloc().mi_add(table, aor, contact, expires, "-1" if q is None else str(q), "0", flags, methods)

    def remove(self, aor: str, table: str = "location") -> None:
        """Take a user away."""
        self._usrloc().mi_rm(table, aor)

    def get(self, aor: str, table: str = "location") -> list[str]:
        """Return the contact URIs of a user that have not expired, best first."""
        usrloc = self._usrloc()
        key = aor.removeprefix("sip:") if usrloc.use_domain else aor.removeprefix("sip:").partition("@")[0]
        return [contact.uri for contact in usrloc.domain(table).valid(key, usrloc.env.now)]
