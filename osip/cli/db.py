"""`osip db`: make the tables of the modules, and show which ones are there."""
from __future__ import annotations

from typing import Any

import click

from osip.cli.output import format_option, show_rows
from osip.cli.store import db_option, specs_of, with_sql
from osip.core.exports.spec import TableSpec
from osip.core.store.sql import Sql
from osip.core.store.tables import create_tables

VERSIONS = "version"


@click.group()
def db() -> None:
    """Make and show the tables of the modules."""


@db.command()
@db_option
@format_option
@click.argument("modules", nargs=-1)
def create(db_url: str, output: str, modules: tuple[str, ...]) -> None:
    """Make the tables that are missing, of MODULES or of all; what is there stays as it is."""
    specs = specs_of(modules)

    async def work(sql: Sql) -> list[str]:
        return await create_tables(sql, _once(specs), VERSIONS)
    made = set(with_sql(db_url, work))
    show_rows(("table", "module", "version", "state"),
              [(spec.name, module, spec.version, "made" if spec.name in made else "was there")
               for module, spec in specs], output)


@db.command()
@db_option
@format_option
@click.argument("modules", nargs=-1)
def show(db_url: str, output: str, modules: tuple[str, ...]) -> None:
    """Show the tables that MODULES (or all) need, and what the database has of them."""
    specs = specs_of(modules)
    there = with_sql(db_url, lambda sql: present(sql, specs))
    rows = []
    for module, spec in specs:
        found, count = there.get(spec.name, (None, ""))
        state = "missing" if count == "" else "ok" if found == spec.version else f"has version {found}"
        rows.append((spec.name, module, spec.version, state, count))
    show_rows(("table", "module", "version", "state", "rows"), rows, output)


async def present(sql: Sql, specs: list[tuple[str, TableSpec]]) -> dict[str, tuple[int | None, int]]:
    """Return the tables that the database has: name -> version (None when it is not noted) and number of rows."""
    import sqlalchemy as sa

    def work(connection: Any) -> dict[str, tuple[int | None, int]]:
        names = set(sa.inspect(connection).get_table_names())
        versions = sa.table(VERSIONS, sa.column("table_name"), sa.column("table_version"))
        noted = dict(tuple(row) for row in connection.execute(sa.select(
            versions.c.table_name, versions.c.table_version))) if VERSIONS in names else {}
        return {spec.name: (noted.get(spec.name), connection.execute(
            sa.select(sa.func.count()).select_from(sa.table(spec.name))).scalar())
            for _, spec in specs if spec.name in names}
    found: dict[str, tuple[int | None, int]] = await sql.run(work)
    return found


def _once(specs: list[tuple[str, TableSpec]]) -> list[TableSpec]:
    return list({spec.name: spec for _, spec in specs}.values())
