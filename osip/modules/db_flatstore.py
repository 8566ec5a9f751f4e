"""Append rows to text files, a file for each table: `flatstore:/folder` as a `db_url` that is only written."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TextIO

from osip.api import Module, ModuleError, Scope, StoreError, mi, param

MAX_FILES = 100
"""Open files; names of tables may come from a script."""


class FlatStore:
    """One folder, with the methods of `Sql` that make sense."""

    keeps_versions = False
    is_open = False

    def __init__(self, url: str, module: DbFlatstore) -> None:
        self.url, self._module = url, module
        self.folder = Path(url.partition(":")[2].removeprefix("//"))
        self._files: dict[str, TextIO] = {}

    async def fetch(self, statement: Any, values: Any = None) -> Any:
        """Refuse: nothing is read."""
        raise StoreError(f"{self.url} is only appended to; nothing can be read from it")

    run = fetch

    async def execute(self, statement: Any, values: Any = None) -> int:
        """Append the rows of an INSERT."""
        if not getattr(statement, "is_insert", False):
            raise StoreError(f"{self.url} takes INSERT statements only")
        if values is None:
            rows: list[dict[str, Any]] = [dict(statement.compile().params)]
        else:
            rows = [dict(values)] if isinstance(values, dict) else [dict(row) for row in values]
        try:
            out = self._file(statement.table.name)
            for row in rows:
                names = [column.name for column in statement.table.columns if column.key in row] or list(row)
                out.write(self._module.delimiter.join(self._text(row[name]) for name in names) + "\n")
            if self._module.flush:
                out.flush()
        except OSError as error:
            raise StoreError(f"{self.url}: {error.strerror or error}") from None
        return len(rows)

    def _text(self, value: Any) -> str:
        text = "" if value is None else value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for plain, written in (("\\", "\\\\"), (self._module.delimiter, "\\" + self._module.delimiter), ("\n", "\\n"),
                               ("\r", "\\r")):
            text = text.replace(plain, written)         # a value cannot begin a row or column of its own
        return text

    def _file(self, table: str) -> TextIO:
        out = self._files.get(table)
        if out is None:
            if len(self._files) >= MAX_FILES:
                self.rotate()
            module = self._module
            number = "" if module.single_file else f"_{module.env.number}"
            path = self.folder / f"{module.prefix}{os.path.basename(table)}{number}{module.suffix}"
            out = self._files[table] = path.open("a", encoding="utf-8", errors="surrogateescape")
        return out

    def rotate(self) -> None:
        """Close the files; the next row opens them anew."""
        for out in self._files.values():
            out.close()
        self._files.clear()

    async def ping(self) -> None:
        """Say whether the folder is there."""
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise StoreError(f"{self.url}: the folder cannot be written to")

    async def close(self) -> None:
        """Close the files."""
        self.rotate()


class DbFlatstore(Module):
    """Files that only grow, for accounting above all: `modparam("acc", "db_url", "flatstore:/var/log/acc")`."""

    flush = param(1, ge=0, le=1, live=True, doc="1: write each row at once.")
    delimiter = param("|", doc="Character between columns; within a value a backslash stands before it.")
    suffix = param(".log", doc="End of the files' names.")
    prefix = param("", doc="Begin of the files' names.")
    single_file = param(0, ge=0, le=1, doc="1: one file for all workers, not one for each (table_0.log, table_1.log...).")

    def mod_init(self) -> None:
        """Offer the scheme."""
        if len(self.delimiter) != 1 or self.delimiter in "\\\r\n":
            raise ModuleError(f"db_flatstore: delimiter {self.delimiter!r} is not one character")
        self._stores: list[FlatStore] = []
        self.env.stores.register("flatstore", self._open)

    def _open(self, url: str) -> FlatStore:
        store = FlatStore(url, self)
        if not store.folder.is_dir():
            raise StoreError(f"{url}: there is no such folder")
        self._stores.append(store)
        return store

    @mi(aliases=("flat_rotate",), scope=Scope.EACH)
    def rotate(self) -> None:
        """Open the files anew, after they were renamed."""
        for store in self._stores:
            store.rotate()
