"""Open the SQL tables of a module: made in the embedded default, checked in a database of the operator's."""
from __future__ import annotations

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
