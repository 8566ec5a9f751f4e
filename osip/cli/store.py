"""Reach the database from commands: which one, and one coroutine run over it."""
from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import click

from osip.cli.output import fail
from osip.core.errors import ModuleError, StoreError
from osip.core.exports import loader
from osip.core.exports.spec import TableSpec
from osip.core.store.sql import DEADLINE, DEFAULT_URL, Sql

db_option = click.option("--url", "db_url", default=lambda: os.environ.get("OSIP_DB_URL", ""), metavar="URL",
                         help=f"Database, as in modparam db_url (also OSIP_DB_URL); {DEFAULT_URL} without it.")


def with_sql(url: str, work: Callable[[Sql], Awaitable[Any]], seconds: float = DEADLINE) -> Any:
    """Run `work(sql)` and close the database; ends the program with 1 and words when it fails.

    A statement may take `seconds`.
    """
    try:
        return asyncio.run(closing(Sql(url or DEFAULT_URL, deadline=seconds), work))
    except StoreError as error:
        fail(str(error))


async def closing(sql: Sql, work: Callable[[Sql], Awaitable[Any]]) -> Any:
    """Run `work(sql)` and close the database, whatever comes of it."""
    try:
        return await work(sql)
    except StoreError:
        await asyncio.sleep(0.01)       # the thread of a file that did not open has a last word for this loop
        raise
    finally:
        await sql.close()


def specs_of(modules: tuple[str, ...]) -> list[tuple[str, TableSpec]]:
    """Return the tables that modules (all of them without a name) declare, with the module's name."""
    found = []
    for name in modules or tuple(loader.available()):
        try:
            found += [(name, table) for table in loader.load(name, [])[0].spec.tables]
        except ModuleError as error:
            if modules:
                fail(f"{error}; osip modules list names all")
    return found
