"""Write records as rows."""
from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from osip.api import Complaint, Env, RowWriter, open_tables

SIZES = {"method": 16, "from_tag": 64, "to_tag": 64, "callid": 64, "sip_code": 3, "sip_reason": 32}
"""What the columns of the tables hold; longer texts are cut, for else the row would be refused."""


class Book:
    """The tables of accounting. `columns` maps the names of fields to those of columns."""

    def __init__(self, env: Env, url: str, columns: dict[str, str]) -> None:
        self._env, self._url, self._columns = env, url, columns
        self._writer = RowWriter(env, url, "acc", Complaint(env.log, clock=lambda: env.now))

    @property
    def lost(self) -> int:
        """Count the records that could not be written."""
        return self._writer.lost

    @property
    def waiting(self) -> int:
        """Count the records on their way."""
        return self._writer.waiting

    async def open(self, tables: dict[str, Any]) -> None:
        """Look whether the tables are there; ModuleError when they are not as they must be."""
        specs = {name: replace(spec, columns=tuple(replace(c, name=self._columns.get(c.name, c.name)) for c in spec.columns))
                 for name, spec in tables.items()}
        await open_tables(self._env, self._url, specs, "acc")

    def put(self, table: str, record: dict[str, str], more: dict[str, Any], legs: list[dict[str, str]]) -> bool:
        """Write a record, with legs one row for each; False when too many wait already."""
        row: dict[str, Any] = {self._columns.get(name, name): value[:SIZES[name]] for name, value in record.items()}
        row[self._columns["time"]] = self._date(self._env.wall())
        for name, value in more.items():
            row[name] = self._date(value) if name == "created" else value
        done = True
        for leg in legs or [{}]:
            done = self._writer.put(table, {**row, **leg}) and done
        return done

    @staticmethod
    def _date(seconds: float) -> datetime:
        return datetime.fromtimestamp(int(seconds))

    async def close(self) -> None:
        """Write what is left."""
        await self._writer.close()
