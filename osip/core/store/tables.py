"""Make SQL tables from what modules declare, and keep the table of schema versions."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from osip.core.errors import StoreError
from osip.core.exports.spec import Column, TableSpec
from osip.core.store.sql import Sql

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table


def table(spec: TableSpec, metadata: MetaData, name: str = "", columns: dict[str, str] | None = None) -> Table:
    """Return the SQLAlchemy table of a declaration; `name` and `columns` rename it and its columns."""
    import sqlalchemy as sa

    renamed = columns or {}
    args: list[Any] = [sa.Column(renamed.get(c.name, c.name), _type(c, spec.primary == (c.name,)),
                                 primary_key=c.name in spec.primary,
                                 nullable=c.nullable, server_default=_default(c),
                                 autoincrement=c.name == "id" and spec.primary == ("id",) or "auto")
                       for c in spec.columns]
    if spec.unique:
        args.append(sa.UniqueConstraint(*(renamed.get(c, c) for c in spec.unique)))
    return sa.Table(name or spec.name, metadata, *args)


def _type(column: Column, is_key: bool) -> Any:
    import sqlalchemy as sa

    match column.type:
        case "i64":
            return sa.BigInteger()
        case "i8" | "i16":
            # A port does not fit a signed SMALLINT.
            return sa.Integer() if column.unsigned and column.type == "i16" else sa.SmallInteger()
        case "i32":
            # A 32-bit unsigned number does not fit a signed INTEGER, except as a key that counts up from 1.
            return sa.BigInteger() if column.unsigned and not is_key else sa.Integer()
        case "f64" | "float":
            return sa.Float()
        case "char":
            return sa.String(column.size or 64)
        case "dt":
            return sa.DateTime()
        case "blob" | "mediumblob" | "longblob":
            return sa.LargeBinary()
        case _:
            return sa.Text()


def _default(column: Column) -> Any:
    import sqlalchemy as sa

    if column.default is None or column.type in ("blob", "text"):
        return None
    return sa.text(column.default) if column.type[0] in "if" else sa.text(f"'{column.default}'")


async def create_tables(sql: Sql, specs: Iterable[TableSpec], version_table: str = "version") -> list[str]:
    """Create the tables that are missing and note their versions; return the names of the new ones."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    versions = sa.Table(version_table, metadata, sa.Column("table_name", sa.String(32), primary_key=True),
                        sa.Column("table_version", sa.Integer(), nullable=False, server_default=sa.text("0")))
    tables = [(table(spec, metadata), spec) for spec in specs]

    def work(connection: Any) -> list[str]:
        present = set(sa.inspect(connection).get_table_names())
        metadata.create_all(connection)
        made = []
        for made_table, spec in tables:
            if made_table.name in present:
                continue
            if not getattr(sql, "makes_tables", False):
                connection.execute(versions.delete().where(versions.c.table_name == made_table.name))
                connection.execute(versions.insert(), {"table_name": made_table.name, "table_version": spec.version})
            made.append(made_table.name)
        return made
    return list(await sql.run(work))


def versions_of(connection: Any, version_table: str = "version") -> dict[str, int]:
    """Return the version of each table as noted."""
    import sqlalchemy as sa

    versions = sa.table(version_table, sa.column("table_name"), sa.column("table_version"))
    return {str(row[0]): int(row[1]) for row in connection.execute(sa.select(
        versions.c.table_name, versions.c.table_version))}


async def check_version(sql: Sql, spec: TableSpec, name: str = "", version_table: str = "version") -> None:
    """Compare the version of a table in the database with the declared one; StoreError when they differ.

    A database that `makes_tables`, as that of a test does, gets what it lacks.
    """
    import sqlalchemy as sa

    if getattr(sql, "makes_tables", False):
        await create_tables(sql, [replace(spec, name=name or spec.name)], version_table)
    if not sql.keeps_versions:
        return
    versions = sa.table(version_table, sa.column("table_name"), sa.column("table_version"))
    wanted = name or spec.name
    present = await sql.run(lambda connection: sa.inspect(connection).has_table(version_table))
    rows = await sql.fetch(sa.select(versions.c.table_version).where(versions.c.table_name == wanted)) \
        if present else ()
    found = rows[0]["table_version"] if rows else None
    if found != spec.version:
        raise StoreError(f'table "{wanted}" has version {found}, version {spec.version} is needed: run '
                         "osip db create or migrate the table")
