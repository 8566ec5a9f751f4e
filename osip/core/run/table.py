"""Open the SQL tables of a module: made in the embedded default, checked in a database of the operator's."""
from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from osip.core.errors import ModuleError, StoreError
from osip.core.store.tables import check_version, create_tables

if TYPE_CHECKING:
    from osip.core.exports.spec import TableSpec
    from osip.core.run.env import Env
    from osip.core.store.sql import Sql


async def open_tables(env: Env, url: str, specs: dict[str, TableSpec], module: str) -> Sql:
    """Return the database at `url` when its tables (name -> declaration) have the right versions, else ModuleError.

    Without a URL of the module's own and without db_default_url the embedded database gets what it lacks.
    """
    try:
        sql: Sql = env.sql(url)
        if not url and not env.config.db_default_url:
            await create_tables(sql, [replace(spec, name=name) for name, spec in specs.items()],
                                env.config.db_version_table)
        else:
            for name, spec in specs.items():
                await check_version(sql, spec, name, env.config.db_version_table)
    except StoreError as error:
        raise ModuleError(f"{module}: {error}") from error
    return sql


def parse_partition(text: str) -> tuple[str, dict[str, str]]:
    """Parse `name: key=value; key=value`."""
    name, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(r"\w+", name.strip()):
        raise ValueError(f'"{text}" is no partition: write "name: db_url=...; table_name=..."')
    found = {}
    for piece in filter(None, (part.strip() for part in rest.split(";"))):
        key, equals, value = piece.partition("=")
        if not equals:
            raise ValueError(f'"{piece}" is not key=value')
        found[key.strip()] = value.strip()
    return name.strip(), found
