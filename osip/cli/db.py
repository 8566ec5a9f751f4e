"""`osip db`: make the tables of the modules, show which ones are there, bring old ones up to date, drop them.

Rows are kept and carried elsewhere in db_backup.
"""
from __future__ import annotations

from typing import Any

import click

from osip.cli.db_backup import backup, copy, restore
from osip.cli.db_catalog import catalog
from osip.cli.output import fail, format_option, patience, show_rows
from osip.cli.store import db_option, with_sql
from osip.core.errors import StoreError
from osip.core.exports.spec import TableSpec
from osip.core.store.migrate import Plan, drop_tables, migrate, plan
from osip.core.store.sql import DEFAULT_URL, Sql
from osip.core.store.tables import create_tables, versions_of

VERSIONS = "version"
SECONDS = 300.0
"""That one statement may take: an old table may be large."""
TOGETHER = 16
"""Tables made in one transaction."""


@click.group()
def db() -> None:
    """Make, show, migrate and drop the tables of the modules; back up, restore and copy their rows."""


for _verb in (backup, restore, copy):
    db.add_command(_verb)


@db.command()
@db_option
@format_option
@click.argument("modules", nargs=-1)
def create(db_url: str, output: str, modules: tuple[str, ...]) -> None:
    """Make the tables that are missing, of MODULES (or groups, or single tables) or all; what is there stays as it is."""
    specs = catalog(modules)
    made: set[str] = set()

    async def work(sql: Sql) -> None:
        once = _once(specs)
        with patience("making tables", len(once)) as progress:
            for start in range(0, len(once), TOGETHER):
                made.update(await create_tables(sql, once[start:start + TOGETHER], VERSIONS))
                progress(start + TOGETHER)
    with_sql(db_url, work, SECONDS)
    show_rows(("table", "module", "version", "state"),
              [(spec.name, module, spec.version, "made" if spec.name in made else "was there")
               for module, spec in specs], output)


@db.command()
@db_option
@format_option
@click.argument("modules", nargs=-1)
def show(db_url: str, output: str, modules: tuple[str, ...]) -> None:
    """Show the tables that MODULES (or all) need, and what the database has of them."""
    specs = catalog(modules)
    there = with_sql(db_url, lambda sql: present(sql, specs), SECONDS)
    rows = []
    for module, spec in specs:
        found, count = there.get(spec.name, (None, ""))
        state = "missing" if count == "" else "ok" if found == spec.version else f"has version {found}"
        rows.append((spec.name, module, spec.version, state, count))
    show_rows(("table", "module", "version", "state", "rows"), rows, output)


@db.command("migrate")
@db_option
@format_option
@click.option("--keep-columns", is_flag=True, help="Leave columns that no module declares.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.argument("modules", nargs=-1)
def migrate_tables(db_url: str, output: str, keep_columns: bool, dry_run: bool, modules: tuple[str, ...]) -> None:
    """Bring tables of older versions up to date, of MODULES or all; no row is lost.

    A table is copied, counted and replaced. Stop the servers that write to it; a table that grows meanwhile is left as
    it was.
    """
    specs = catalog(modules)
    rows: list[tuple[Any, ...]] = []
    failed: list[str] = []

    async def work(sql: Sql) -> None:
        plans = [found for spec in _once(specs) if (found := await plan(sql, spec, VERSIONS)) is not None]
        with patience("copying rows", max(1, sum(found.rows for found in plans if found.is_needed))) as progress:
            before = 0
            for found in plans:
                if not found.is_needed:
                    rows.append((*_described(found), "ok"))
                    continue
                state = "to do"
                if not dry_run:
                    try:
                        await migrate(sql, found, VERSIONS, not keep_columns, lambda done, had=before: progress(had + done))
                        state = "migrated"
                    except StoreError as error:
                        failed.append(str(error))
                        state = "failed: left as it was"
                before += found.rows
                rows.append((*_described(found), state))
    with_sql(db_url, work, SECONDS)
    show_rows(("table", "from", "to", "rows", "new", "gone", "state"), rows, output)
    if failed:
        fail("; ".join(failed))


@db.command()
@db_option
@format_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("modules", nargs=-1)
def drop(db_url: str, output: str, yes: bool, modules: tuple[str, ...]) -> None:
    """Drop the tables of MODULES (or groups, or single tables) or all, with their rows."""
    specs = catalog(modules)
    there = _drop(db_url, specs, yes)
    show_rows(("table", "module", "rows", "state"), [(spec.name, module, there[spec.name], "dropped")
                                                     for module, spec in specs if spec.name in there], output)


@db.command()
@db_option
@format_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("modules", nargs=-1)
@click.pass_context
def reinit(ctx: click.Context, db_url: str, output: str, yes: bool, modules: tuple[str, ...]) -> None:
    """Drop the tables of MODULES or all, with their rows, and make them anew."""
    _drop(db_url, catalog(modules), yes)
    ctx.invoke(create, db_url=db_url, output=output, modules=modules)


def _drop(db_url: str, specs: list[tuple[str, TableSpec]], yes: bool) -> dict[str, int]:
    """Drop what there is of these tables, asking before; return the names of those that are gone, with their rows."""
    there = with_sql(db_url, lambda sql: present(sql, specs), SECONDS)
    if there and not yes:
        click.confirm(f"Drop {len(there)} tables with {sum(count for _, count in there.values())} rows from "
                      f"{Sql(db_url or DEFAULT_URL).shown}?", abort=True, err=True)
    gone = with_sql(db_url, lambda sql: drop_tables(sql, list(there), VERSIONS), SECONDS) if there else ()
    return {name: there[name][1] for name in gone}


async def present(sql: Sql, specs: list[tuple[str, TableSpec]]) -> dict[str, tuple[int | None, int]]:
    """Return the tables that the database has: name -> version (None when it is not noted) and number of rows."""
    import sqlalchemy as sa

    def work(connection: Any) -> dict[str, tuple[int | None, int]]:
        names = set(sa.inspect(connection).get_table_names())
        noted = versions_of(connection, VERSIONS) if VERSIONS in names else {}
        return {spec.name: (noted.get(spec.name), connection.execute(
            sa.select(sa.func.count()).select_from(sa.table(spec.name))).scalar())
            for _, spec in specs if spec.name in names}
    found: dict[str, tuple[int | None, int]] = await sql.run(work)
    return found


def _once(specs: list[tuple[str, TableSpec]]) -> list[TableSpec]:
    return list({spec.name: spec for _, spec in specs}.values())


def _described(found: Plan) -> tuple[Any, ...]:
    return (found.spec.name, found.version, found.spec.version, found.rows, " ".join(found.added), " ".join(found.dropped))
