"""`osipctl db`: statements and tables, in the database that opensipsctlrc or --db-url names."""
from __future__ import annotations

import sys
from typing import Any

import click

from osip.cli.ctl.site import Site, Verbs
from osip.cli.output import fail
from osip.cli.row import Base, Place
from osip.core.errors import StoreError
from osip.core.store.sql import Sql

SECRET = frozenset(("password", "ha1", "ha1b", "ha1_sha256", "ha1_sha512t256", "secret", "private_key",
                    "confidentiality_key", "integrity_key"))
"""Columns that `show` blanks out."""
READ_ONLY = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY",
             "mysql": "SET SESSION TRANSACTION READ ONLY", "mariadb": "SET SESSION TRANSACTION READ ONLY"}


@click.group(cls=Verbs)
def db() -> None:
    """Run SQL, show tables. osip db makes and migrates them."""


@db.command("exec")
@click.argument("statement")
@click.pass_obj
def exec_(site: Site, statement: str) -> None:
    """Run a statement; - reads it from stdin."""
    _run(site, site.base(), statement, False)


def _read_only(name: str, text: str) -> click.Command:
    @db.command(name, help=text)
    @click.argument("statement")
    @click.pass_obj
    def command(site: Site, statement: str) -> None:
        _run(site, site.base(read_only=True), statement, True)
    return command


roexec = _read_only("roexec", "Run a statement that may only read, as DBROUSER; - reads it from stdin.")
ro = _read_only("ro", "The same as roexec.")


@db.command()
@click.argument("name")
@click.pass_obj
def run(site: Site, name: str) -> None:
    """Run the statement that opensipsctlrc has under NAME."""
    _run(site, site.base(), _stored(site, name), False)


@db.command()
@click.argument("name")
@click.pass_obj
def rorun(site: Site, name: str) -> None:
    """Run the statement that opensipsctlrc has under NAME; it may only read."""
    _run(site, site.base(read_only=True), _stored(site, name), True)


@db.command()
@click.argument("table")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Rows at most.")
@click.option("--secrets", is_flag=True, help="Show passwords, hashes and keys, too.")
@click.pass_obj
def show(site: Site, table: str, limit: int, secrets: bool) -> None:
    """Show the rows of a table; passwords, hashes and keys are blanked out."""
    import sqlalchemy as sa

    async def work(sql: Sql) -> Any:
        return await sql.run(lambda connection: _table(connection.execute(
            sa.select(sa.text("*")).select_from(sa.table(table)).limit(limit + 1))))
    titles, rows = site.base(read_only=True).ask(work, Place(table, ""))
    hidden = () if secrets else [at for at, title in enumerate(titles) if title.lower() in SECRET]
    for row in rows:
        for at in hidden:
            row[at] = "***" if row[at] else row[at]
    _show(site, titles, rows[:limit])
    if len(rows) > limit:
        click.echo(f"osip: there are more than {limit} rows; --limit shows more", err=True)


def _stored(site: Site, name: str) -> str:
    found: str = site.rc.get(name)
    if not found:
        fail(f"{site.rc.where()} has no statement {name}; write a line {name}='select ...'")
    return found


def _run(site: Site, base: Base, statement: str, read_only: bool) -> None:
    if statement == "-":
        statement = sys.stdin.read()

    def work(connection: Any) -> Any:
        if read_only:
            guard = READ_ONLY.get(connection.dialect.name)
            if guard is None:
                raise StoreError(f"{connection.dialect.name} knows no read-only statements; use exec")
            connection.exec_driver_sql(guard)
        # The text goes to the driver as it is: a colon or a percent sign in it means nothing to us.
        return _table(connection.execution_options(no_parameters=True).exec_driver_sql(statement))

    async def ask(sql: Sql) -> Any:
        return await sql.run(work)
    titles, rows = base.run(ask, writes=not read_only)
    if titles:
        _show(site, titles, rows)
    else:
        site.show({"rows": rows})


def _table(result: Any) -> tuple[list[str], Any]:
    """Return titles and rows of a result; no titles and the count of rows when it has none."""
    if not result.returns_rows:
        return [], max(result.rowcount, 0)
    return list(map(str, result.keys())), [[_cell(cell) for cell in row] for row in result.fetchall()]


def _cell(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return f"<{len(value)} bytes>"
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _show(site: Site, titles: list[str], rows: list[list[Any]]) -> None:
    """Print rows; only JSON and YAML have a word for NULL."""
    if site.output not in ("json", "yaml"):
        rows = [["" if cell is None else cell for cell in row] for row in rows]
    site.show_rows(titles, rows)
