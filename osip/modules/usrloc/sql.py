"""Keep contacts in the table `location` of an SQL database."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from osip.api import Env, ModuleError, StoreError, StoreLost, check_version, create_tables, open_tables
from osip.modules.usrloc.keeper import Gone, Keeper
from osip.modules.usrloc.row import COLUMNS, contact_of, row_of, split_aor
from osip.modules.usrloc.state import Contact, Domain

if TYPE_CHECKING:
    from osip.modules.usrloc.module import Usrloc

PAGE = 2000                 # rows that one query reads at the start
TOLD = 50_000               # rows between two lines about it


class _Table:
    """One location table with its statements."""
    __slots__ = ("name", "put", "drop", "page", "one", "some", "expired", "probe", "key", "owner", "ended",
                 "take_ended")

    def __init__(self, ul: Usrloc, name: str) -> None:
        import sqlalchemy as sa

        self.name = name
        names = {key: getattr(ul, f"{key}_column", key) for key in COLUMNS}
        tab = sa.table(name, *map(sa.column, names.values()))
        col = {key: tab.c[real] for key, real in names.items()}
        id = col["contact_id"]
        self.put = tab.insert().values({names[key]: sa.bindparam(f"b_{key}") for key in COLUMNS})
        self.drop = tab.delete().where(id.in_(sa.bindparam("ids", expanding=True)))
        every = sa.select(*(col[key].label(key) for key in COLUMNS))
        self.page = every.where(id > sa.bindparam("last")).order_by(id).limit(PAGE)
        of_user = every.where(col["user"] == sa.bindparam("u"))
        self.one = of_user.where(col["domain"] == sa.bindparam("d")) if ul.use_domain else of_user
        wanted = sa.bindparam("aors", expanding=True)
        self.some = every.where(sa.tuple_(col["user"], col["domain"]).in_(wanted) if ul.use_domain else col["user"].in_(wanted))
        self.key = [names["user"], names["domain"]] if ul.use_domain else [names["user"]]
        end = col["expires"]
        self.expired = tab.delete().where(end != 0, end < sa.bindparam("now"))
        is_over = end != 0, end < sa.bindparam("now")
        self.owner = every.where(id == sa.bindparam("id"))
        self.ended = every.where(*is_over, id > sa.bindparam("last")).order_by(id).limit(PAGE)
        self.take_ended = tab.delete().where(id == sa.bindparam("id"), *is_over)
        self.probe = every.limit(1)


class SqlKeeper(Keeper):
    """The way between the tables in memory and those of a database."""

    def __init__(self, ul: Usrloc, at_once: bool, loads: bool) -> None:
        super().__init__(ul, at_once)
        self._loads = loads
        self._tables: dict[str, _Table] = {}

    async def open(self, env: Env) -> None:
        """Check the tables; ModuleError when the database is not there or not right."""
        self.sql = await open_tables(env, self._ul.db_url, dict.fromkeys(self._ul.domains, self._ul.location), "usrloc")
        self._tables = {name: _Table(self._ul, name) for name in self._ul.domains}
        self._is_open = True

    async def load(self) -> int:
        """Read all contacts at the start and return how many."""
        if not self._loads:
            return 0
        try:
            return sum([await self.load_table(name) for name in list(self._tables)])
        except StoreError as error:
            raise ModuleError(f"usrloc: contacts cannot be loaded: {error}") from error

    async def load_table(self, name: str, aor: str | None = None) -> int:
        """Read a table, or one AoR of it, again: what is not in memory, or older there, is taken."""
        table, domain = await self._table(name), self._ul.domain(name)
        if aor is not None:
            user, host = split_aor(self._ul, aor)
            rows = await self.sql.fetch(table.one, {"u": user, "d": host} if self._ul.use_domain else {"u": user})
            return self._take(domain, rows)
        count, last, told = 0, -1, TOLD
        if self.env.number == 0:
            await self.sql.execute(table.expired, {"now": int(self.env.wall())})
        while rows := await self.sql.fetch(table.page, {"last": last}):
            last = rows[-1]["contact_id"]
            count += self._take(domain, rows)
            if count >= told:
                told += TOLD
                self.env.log.info("loading contacts table=%s contacts=%d", name, count)
            if len(rows) < PAGE:
                break
        return count

    def _take(self, domain: Domain, rows: list[Mapping[str, Any]]) -> int:
        taken = 0
        for row in rows:
            try:
                aor, contact, keys = contact_of(self._ul, row)
            except (ValueError, TypeError, AttributeError) as error:
                self._complain("usrloc_row", "table=%s contact_id=%s is left out: %s", domain.name,
                               row["contact_id"], error)
                continue
            if contact.is_valid(self.env.now) and (domain.name, contact.id) not in self._gone:
                taken += self._ul.take_in(domain, aor, contact, keys)
        return taken

    async def _table(self, name: str) -> _Table:
        """Return the statements of a table; one that a script names for the first time is looked at before."""
        found = self._tables.get(name)
        if found is None:
            spec = replace(self._ul.location, name=name)
            version_table = self.env.config.db_version_table
            if not self._ul.db_url and not self.env.config.db_default_url:
                await create_tables(self.sql, [spec], version_table)
            else:
                await check_version(self.sql, spec, name, version_table)
            found = self._tables[name] = _Table(self._ul, name)
        return found

    async def _write(self, puts: list[Contact], gone: Gone) -> None:
        work: dict[str, tuple[list[dict[str, Any]], list[int]]] = {}
        for contact in puts:
            rows, ids = work.setdefault(contact.record.domain.name, ([], []))
            rows.append(row_of(self._ul, contact))
            ids.append(contact.id)
        for name, id in gone:
            work.setdefault(name, ([], []))[1].append(id)
        for name, (rows, ids) in work.items():
            await self._write_table(await self._table(name), rows, ids)

    async def _change(self, table: _Table, rows: list[dict[str, Any]], ids: list[int]) -> None:
        def change(connection: Any) -> None:
            # Removing first makes it right however often it is done: an answer may have been lost.
            connection.execute(table.drop, {"ids": ids})
            if rows:
                connection.execute(table.put, [{f"b_{key}": value for key, value in row.items()} for row in rows])
        await self.sql.run(change)

    async def _write_table(self, table: _Table, rows: list[dict[str, Any]], ids: list[int]) -> None:
        try:
            await self._change(table, rows, ids)
        except StoreLost:
            raise
        except (StoreError, ValueError) as error:
            if not rows:
                raise
            await self.sql.fetch(table.probe)           # the table itself is well, or this raises
            if len(rows) == 1:
                self._complain("usrloc_refused", "the database refuses a contact, it lives in memory only: aor=%s@%s "
                               "contact=%s reason=%s", rows[0]["user"], rows[0]["domain"], rows[0]["contact"], error)
                return
            for row in rows:
                await self._write_table(table, [row], [row["contact_id"]])
            await self._write_table(table, [], list(set(ids) - {row["contact_id"] for row in rows}))


def make_index(connection: Any, table: str, columns: list[str]) -> bool:
    """Make an index on columns of a table unless one begins with the first of them; an SQLite file gets a log, too."""
    import sqlalchemy as sa

    if not hasattr(connection, "dialect"):      # no SQL behind it (db_cachedb)
        return False
    if connection.dialect.name == "sqlite":     # so that who reads does not hold up who writes
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    inspector = sa.inspect(connection)
    there = [index["column_names"] for index in inspector.get_indexes(table)]
    there += [index["column_names"] for index in inspector.get_unique_constraints(table)]
    if any(names and names[0] == columns[0] for names in there):
        return False
    found = sa.Table(table, sa.MetaData(), *(sa.Column(name) for name in columns))
    sa.Index(f"{table}_aor_idx", *(found.c[name] for name in columns)).create(connection)
    return True
