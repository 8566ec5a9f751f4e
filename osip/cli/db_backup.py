"""`osip db backup|restore|copy`: the rows of the tables into a file, back, and into another database.

What opensipsdbctl had by mysqldump and pg_dump is one form for all databases here (osip/core/store/dump.py). Passwords
of databases come by URLs of the environment, or are seen by other users of the machine.
"""
from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from osip.cli.db_catalog import catalog
from osip.cli.output import fail, format_option, patience, show_rows
from osip.cli.store import db_option, with_sql
from osip.core.errors import StoreError
from osip.core.exports.spec import TableSpec
from osip.core.store import dump
from osip.core.store.sql import DEFAULT_URL, Sql

SECONDS = 6 * 3600.0
"""That all rows may take: they are read or written in one transaction."""
Known = dict[str, tuple[str, TableSpec]]

replace_option = click.option("--replace", is_flag=True, help="Rows that are there give way.")


@click.command()
@db_option
@format_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("modules", nargs=-1)
def backup(db_url: str, output: str, file: Path, modules: tuple[str, ...]) -> None:
    """Write the rows of the tables of MODULES (or groups, or single tables) or all into FILE.

    They are those of one moment. The file has passwords as the database has them: it is readable by you only. Tables
    that no module declares are not in it.
    """
    known = _known(modules)
    counts = _write(db_url, known, file)
    show_rows(("table", "module", "rows"), [(name, known[name][0], count) for name, count in counts.items()], output)


@click.command()
@db_option
@format_option
@replace_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.argument("modules", nargs=-1)
def restore(db_url: str, output: str, replace: bool, file: Path, modules: tuple[str, ...]) -> None:
    """Read the rows of FILE into the tables, all of them or those of MODULES; missing tables are made.

    Everything is restored, or nothing. The database may be of another kind than the one that was backed up.
    """
    known = _known(modules)
    counts = _read(db_url, known, file, replace)
    show_rows(("table", "module", "rows"), [(name, known[name][0], count) for name, count in counts.items()], output)


@click.command()
@db_option
@format_option
@click.option("--to", "to_url", default=lambda: os.environ.get("OSIP_DB_TO", ""), metavar="URL",
              help="The other database (also OSIP_DB_TO).")
@replace_option
@click.argument("modules", nargs=-1)
def copy(db_url: str, output: str, to_url: str, replace: bool, modules: tuple[str, ...]) -> None:
    """Copy the rows of the tables of MODULES or all into another database, of any kind.

    Tables that are missing there are made.
    """
    if not to_url:
        raise click.UsageError("where to? --to URL, or OSIP_DB_TO in the environment")
    if Sql(to_url).shown == Sql(db_url or DEFAULT_URL).shown:
        raise click.UsageError("both databases are the same")
    known = _known(modules)
    with TemporaryDirectory(prefix="osip-copy-") as folder:
        file = Path(folder) / "rows"
        _write(db_url, known, file)
        counts = _read(to_url, known, file, replace)
    show_rows(("table", "module", "rows"), [(name, known[name][0], count) for name, count in counts.items()], output)


def _known(modules: tuple[str, ...]) -> Known:
    found: Known = {}
    for module, spec in catalog(modules):
        found.setdefault(spec.name, (module, spec))
    return found


def _write(db_url: str, known: Known, file: Path) -> dump.Counts:
    """Write the file beside its place and then there: a file of that name is whole."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")

    async def work(sql: Sql) -> dump.Counts:
        with os.fdopen(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out, \
                patience("reading rows") as progress:
            return await dump.backup(sql, [spec for _, spec in known.values()], out, progress)
    try:
        counts: dump.Counts = with_sql(db_url, work, SECONDS)
        fresh.replace(file)
    except OSError as error:
        fail(f"cannot write {file}: {error.strerror}")
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
    return counts


def _read(db_url: str, known: Known, file: Path, replace: bool) -> dump.Counts:
    try:
        total = sum(table["rows"] for table in dump.look(file) if table["table"] in known)
    except StoreError as error:
        fail(str(error))

    async def work(sql: Sql) -> dump.Counts:
        with patience("writing rows", max(1, total)) as progress:
            return await dump.restore(sql, [spec for _, spec in known.values()], file, replace, progress)
    counts: dump.Counts = with_sql(db_url, work, SECONDS)
    return counts
