"""Bring tables to the columns and the version that are declared, without losing a row.

A new table is filled beside the old one, in pieces, counted, and then takes its place. Whatever fails before that
leaves the old table as it was.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from osip.core.errors import StoreError
from osip.core.exports.spec import Column, TableSpec
from osip.core.store.sql import Sql
from osip.core.store.tables import table

PIECE = 5000
"""Rows that are copied at a time."""
RENAMED: Mapping[str, Mapping[str, str]] = {
    "location": {"contact_id": "id"}, "dispatcher": {"state": "flags"},
    "sip_trace": {"trace_attrs": "traced_user", "from_ip": "fromip", "to_ip": "toip"},
}
"""New column -> its name in older versions."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a table lacks: its version as noted, columns that come and go, rows to be copied."""
    spec: TableSpec
    version: int | None
    added: tuple[str, ...]
    dropped: tuple[str, ...]
    rows: int

    @property
    def is_needed(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.added or self.dropped) or self.version != self.spec.version


async def plan(sql: Sql, spec: TableSpec, version_table: str = "version") -> Plan | None:
    """Compare a table with its declaration; None when it is not there."""
    import sqlalchemy as sa

    def work(connection: Any) -> Plan | None:
        inspector = sa.inspect(connection)
        if not inspector.has_table(spec.name):
            return None
        there = [column["name"] for column in inspector.get_columns(spec.name)]
        wanted = [column.name for column in spec.columns]
        version = None
        if inspector.has_table(version_table):
            versions = _versions(version_table)
            version = connection.execute(sa.select(versions.c.table_version).where(
                versions.c.table_name == spec.name)).scalar()
        rows = connection.execute(sa.select(sa.func.count()).select_from(sa.table(spec.name))).scalar()
        low = {name.lower() for name in there}
        return Plan(spec, version, tuple(name for name in wanted if name.lower() not in low),
                    tuple(name for name in there if name.lower() not in {one.lower() for one in wanted}), int(rows or 0))
    found: Plan | None = await sql.run(work)
    return found


async def migrate(sql: Sql, found: Plan, version_table: str = "version", drops: bool = True,
                  progress: Callable[[int], None] = lambda done: None) -> int:
    """Carry out a plan and return how many rows were copied. Without `drops`, columns that are not declared stay.

    `progress` hears how many rows are over.
    """
    import sqlalchemy as sa

    spec = found.spec
    if not found.added and not (found.dropped and drops):
        await sql.run(lambda connection: _note(connection, spec, version_table))
        return 0
    fresh, metadata = f"{spec.name}_new", sa.MetaData()

    def begin(connection: Any) -> Any:
        inspector = sa.inspect(connection)
        old = {column["name"]: column for column in inspector.get_columns(spec.name)}
        connection.execute(sa.text(f"DROP TABLE IF EXISTS {_quoted(connection, fresh)}"))
        new = table(replace(spec, name=fresh), metadata)
        if not drops:
            for name in found.dropped:
                new.append_column(sa.Column(name, old[name]["type"], nullable=True))
        new.create(connection)
        return new, old, inspector.get_pk_constraint(spec.name)["constrained_columns"]
    new, old, key = await sql.run(begin)
    source = sa.table(spec.name, *(sa.column(name, column["type"]) for name, column in old.items()))
    columns, values = _copied(spec, new, source, () if drops else found.dropped)
    copied, last = 0, None
    try:
        while True:
            piece, last = await sql.run(lambda connection, last=last: _copy(connection, new, source, columns, values, key, last))
            copied += piece
            progress(copied)
            if last is None:
                break
        await sql.run(lambda connection: _swap(connection, spec, fresh, copied, version_table))
    except BaseException:
        await sql.run(lambda connection: connection.execute(sa.text(f"DROP TABLE IF EXISTS {_quoted(connection, fresh)}")))
        raise
    return copied


async def drop_tables(sql: Sql, names: list[str], version_table: str = "version") -> list[str]:
    """Drop tables and forget their versions; return the names of those that were there."""
    import sqlalchemy as sa

    def work(connection: Any) -> list[str]:
        present = set(sa.inspect(connection).get_table_names())
        gone = [name for name in names if name in present]
        for name in gone:
            connection.execute(sa.text(f"DROP TABLE {_quoted(connection, name)}"))
        if version_table in present and gone:
            versions = _versions(version_table)
            connection.execute(sa.delete(versions).where(versions.c.table_name.in_(gone)))
        return gone
    return list(await sql.run(work))


def _versions(name: str) -> Any:
    import sqlalchemy as sa

    return sa.table(name, sa.column("table_name"), sa.column("table_version"))


def _quoted(connection: Any, name: str) -> str:
    return str(connection.dialect.identifier_preparer.quote(name))


def _copied(spec: TableSpec, new: Any, source: Any, kept: tuple[str, ...]) -> tuple[list[str], list[Any]]:
    """Return the columns to be filled and what from; what the old table lacks has a default or is made up."""
    import sqlalchemy as sa

    there = {name.lower(): column for name, column in source.c.items()}
    names, values = [], []
    for column in spec.columns:
        old = there.get(column.name.lower())
        if old is None:
            old = there.get(RENAMED.get(spec.name, {}).get(column.name, ""))
        wanted = new.c[column.name].type
        if old is None:
            if column.nullable or column.default is not None or column.name == "id" and spec.primary == ("id",):
                continue                        # the table itself knows what stands there
            value: Any = sa.literal(_empty(column), wanted)
        else:
            value = old if old.type._type_affinity is wanted._type_affinity else sa.cast(old, wanted)
            if not column.nullable and column.name not in spec.primary:
                value = sa.func.coalesce(value, sa.literal(_empty(column), wanted))
        names.append(column.name)
        values.append(value)
    return [*names, *kept], [*values, *(source.c[name] for name in kept)]


def _empty(column: Column) -> Any:
    from datetime import datetime

    if column.type == "dt":
        return datetime.fromisoformat(column.default) if column.default else datetime(1900, 1, 1, 0, 0, 1)
    if column.type in ("f64", "float"):
        return float(column.default or 0)
    if column.type.startswith("i"):
        return int(column.default or 0)
    return b"" if "blob" in column.type else column.default or ""


def _copy(connection: Any, new: Any, source: Any, columns: list[str], values: list[Any], key: list[str],
          last: Any) -> tuple[int, Any]:
    """Copy a piece; return its rows and the key up to which it went, None when that was the last one."""
    import sqlalchemy as sa

    select = sa.select(*values).select_from(source)
    bound = None
    if len(key) == 1:
        at = source.c[key[0]]
        rest = sa.select(at).order_by(at)
        if last is not None:
            rest, select = rest.where(at > last), select.where(at > last)
        bound = connection.execute(rest.offset(PIECE - 1).limit(1)).scalar()
        if bound is not None:
            select = select.where(at <= bound)
    result = connection.execute(sa.insert(new).from_select(columns, select, include_defaults=False))
    return result.rowcount, bound


def _swap(connection: Any, spec: TableSpec, fresh: str, copied: int, version_table: str) -> None:
    import sqlalchemy as sa

    old_rows, new_rows = (connection.execute(sa.select(sa.func.count()).select_from(sa.table(name))).scalar()
                          for name in (spec.name, fresh))
    if old_rows != new_rows:
        raise StoreError(f'table "{spec.name}" has {old_rows} rows, {new_rows} were copied: somebody writes to it. Stop '
                         "the servers that use it, and migrate again")
    name, new, gone = (_quoted(connection, one) for one in (spec.name, fresh, f"{spec.name}_old"))
    if connection.dialect.name in ("mysql", "mariadb"):
        connection.execute(sa.text(f"RENAME TABLE {name} TO {gone}, {new} TO {name}"))
    else:
        connection.execute(sa.text(f"ALTER TABLE {name} RENAME TO {gone}"))
        connection.execute(sa.text(f"ALTER TABLE {new} RENAME TO {name}"))
    connection.execute(sa.text(f"DROP TABLE {gone}"))
    move_sequence(connection, spec)
    _note(connection, spec, version_table)


def move_sequence(connection: Any, spec: TableSpec) -> None:
    """Let PostgreSQL number new rows after those that came with numbers of their own, which do not move it."""
    import sqlalchemy as sa

    if connection.dialect.name != "postgresql" or len(spec.primary) != 1:
        return
    name, key = _quoted(connection, spec.name), spec.primary[0]
    sequence = connection.execute(sa.text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": name, "c": key}).scalar()
    if sequence:
        connection.execute(sa.text(f"SELECT setval('{sequence}', COALESCE((SELECT MAX({_quoted(connection, key)}) "
                                   f"FROM {name}), 0) + 1, false)"))


def _note(connection: Any, spec: TableSpec, version_table: str) -> None:
    import sqlalchemy as sa

    versions = sa.Table(version_table, sa.MetaData(), sa.Column("table_name", sa.String(32), primary_key=True),
                        sa.Column("table_version", sa.Integer(), nullable=False, server_default=sa.text("0")))
    versions.create(connection, checkfirst=True)
    connection.execute(versions.delete().where(versions.c.table_name == spec.name))
    connection.execute(versions.insert(), {"table_name": spec.name, "table_version": spec.version})
