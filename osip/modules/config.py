"""Keep settings of the operator's own in a table, read and changed while the server runs (`$config`)."""
from __future__ import annotations

import json
from typing import Any

from osip.api import (
    Ctx,
    Env,
    MIError,
    Module,
    ModuleError,
    Replicated,
    Scope,
    StoreError,
    Value,
    mi,
    open_tables,
    param,
    pvar,
    table,
)

Entry = tuple[str | None, str | None]
"""Value and description; a value None is NULL."""
MOST = 65536


class ConfigModule(Module):
    """Settings by name: those of the table, and over them those that a script or management has changed."""
    name = "config"

    db_url = param("", doc="Database of the settings; without it db_default_url, else an SQLite file.")
    table_name = param("config", doc="Table of settings.")
    name_column = param("name", doc="Column of the name.")
    value_column = param("value", doc="Column of the value.")
    description_column = param("description", doc="Column of the description.")
    enable_restart_persistency = param(0, ge=0, le=1, doc="Keep changes over a restart; accepted, they are dropped.")
    hash_size = param(16, ge=1, doc="Size of a table in memory; accepted.")
    rows = table("config", 1, "name char(255), value text(4096)?, description char(255)?", unique="name")

    def mod_init(self) -> None:
        """Build the statement, and the changes that all workers share."""
        import sqlalchemy as sa

        self.stored: dict[str, Entry] = {}
        self.changed = Replicated(self.env.bus, "config")
        tab = sa.table(self.table_name, *(sa.column(name) for name in (
            self.name_column, self.value_column, self.description_column)))
        self._all = sa.select(tab.c[self.name_column].label("name"), tab.c[self.value_column].label("value"),
                              tab.c[self.description_column].label("description"))

    async def child_init(self, env: Env) -> None:
        """Check the table and read it."""
        await open_tables(env, self.db_url, {self.table_name: self.rows}, "config")
        try:
            await self._read()
        except StoreError as error:
            raise ModuleError(f"config: {error}") from error

    async def _read(self) -> None:
        found = await self.env.sql(self.db_url).fetch(self._all)
        self.stored = {str(row["name"]): (_text(row["value"]), _text(row["description"])) for row in found}

    def entry(self, name: str) -> Entry:
        """Return the value and description of a setting as they are now."""
        found: Entry | None = self.changed.get(name)
        return found if found is not None else self.stored.get(name, (None, None))

    def change(self, name: str, value: str | None, description: str | None = None) -> bool:
        """Give a setting another value in all workers, until it is flushed; False when there are too many."""
        if self.changed.get(name) is None and len(self.changed) >= MOST:
            self.env.log.error("config: more than %d changes, not taken name=%s", MOST, name)
            return False
        self.changed.set(name, (value, description if description is not None else self.entry(name)[1]))
        return True

    @pvar("config", type="s", key="required", nullable=True)
    def config(self, ctx: Ctx, name: str) -> Value:
        """A setting's value; assigned it holds in all workers until it is flushed, null makes it NULL."""
        return self.entry(name)[0]

    @config.setter
    def set_config(self, ctx: Ctx, name: str, value: Value) -> bool:
        """Change a setting."""
        return self.change(name, _text(value))

    @pvar("config.description", type="s", key="required")
    def config_description(self, ctx: Ctx, name: str) -> Value:
        """A setting's description."""
        return self.entry(name)[1]

    @mi("reload", aliases=("config_reload",), scope=Scope.EACH)
    async def mi_reload(self) -> None:
        """Read the table again; what was changed in memory stays changed. With an error nothing changes."""
        try:
            await self._read()
        except StoreError as error:
            raise MIError(500, "Config table reload failed", str(error)) from None

    @mi("list", aliases=("config_list",))
    def mi_list(self, description: int | None = None) -> list[dict[str, Any]]:
        """List the settings, with their descriptions when `description` is 1."""
        out = []
        for name in sorted({*self.stored, *(name for name, _ in self.changed.items())}):
            value, text = self.entry(name)
            out.append({"name": name, "value": value, **({"description": text} if description else {})})
        return out

    @mi("push", aliases=("config_push",))
    def mi_push(self, name: str, value: str | None = None, description: str | None = None) -> None:
        """Change a setting; without a value it is NULL."""
        if not self.change(name, value, description):
            raise MIError(500, "Too many changed settings")

    @mi("push_bulk", aliases=("config_push_bulk",))
    def mi_push_bulk(self, configs: Any) -> None:
        """Change several settings: an object name -> value, or the JSON text of one."""
        try:
            given = json.loads(configs) if isinstance(configs, str) else configs
        except ValueError as error:
            raise MIError(400, "Bad JSON", str(error)) from None
        if not isinstance(given, dict) or any(isinstance(value, dict | list) for value in given.values()):
            raise MIError(400, "Bad settings", "write an object of names and values")
        for name, value in given.items():
            self.mi_push(name, _text(value))

    @mi("flush", aliases=("config_flush",))
    def mi_flush(self, name: str | None = None) -> None:
        """Drop the changes of one setting or of all: the table counts again."""
        if name is not None and self.changed.get(name) is None:
            raise MIError(404, "Setting not changed")
        for one in [name] if name is not None else [known for known, _ in self.changed.items()]:
            self.changed.delete(one)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
