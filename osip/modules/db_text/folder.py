"""Keep a folder of text tables in an SQLite database in memory, and write back what changed.

Any statement that SQLite understands can be asked; several workers and a person with an editor may share the folder.
"""
from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Any

from osip.api import Sql, StoreError, Tally
from osip.modules.db_text import format

LOCK = ".osip_lock"


class TextFolder:
    """One folder, with the methods of `Sql`. With `looks` files that were changed by others are read before each query."""

    def __init__(self, url: str, looks: bool, tally: Tally | None = None) -> None:
        self.url = url
        self.folder = Path(url.partition(":")[2].removeprefix("//"))
        self._looks, self._tally = looks, tally or Tally()
        self._sql = Sql("sqlite://")
        self._known: dict[str, tuple[int, int]] = {}        # table -> time and size of the file as it was read
        self._columns: dict[str, list[format.Column]] = {}
        self._texts: dict[str, str] = {}
        self._is_loaded = False
        self._turn = asyncio.Lock()

    @property
    def keeps_versions(self) -> bool:
        """Say whether there is a table of schema versions to be compared with."""
        return (self.folder / "version").exists()

    is_open = False

    # --- as Sql has it -----------------------------------------------------------------------------------------------

    async def fetch(self, statement: Any, values: Any = None) -> Any:
        """Run a statement and return its rows."""
        self._tally.total += 1
        async with self._turn:
            await self._refresh(self._looks)
            return await self._sql.fetch(statement, values)

    async def execute(self, statement: Any, values: Any = None) -> int:
        """Run a statement, write the tables that it changed, and return the number of rows that it touched."""
        return int(await self._change(lambda: self._sql.execute(statement, values)))

    async def run(self, work: Any) -> Any:
        """Call `work(connection)` inside a transaction, and write the tables that it changed."""
        return await self._change(lambda: self._sql.run(work))

    async def _change(self, ask: Any) -> Any:
        self._tally.total += 1
        async with self._turn:
            try:
                lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise StoreError(f"{self.url}: {error.strerror}") from None
            try:
                await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
                await self._refresh(True)       # another worker may have written
                result = await ask()
                await self._write()
                return result
            finally:
                os.close(lock)

    async def ping(self) -> None:
        """StoreError when the folder is not there."""
        if not self.folder.is_dir():
            raise StoreError(f"{self.url}: there is no such folder")

    async def close(self) -> None:
        """Forget the tables; they are in their files."""
        await self._sql.close()
        self._known.clear()
        self._texts.clear()
        self._columns.clear()
        self._is_loaded = False

    # --- files -------------------------------------------------------------------------------------------------------

    def _files(self) -> dict[str, Path]:
        return {path.name: path for path in sorted(self.folder.iterdir())
                if path.is_file() and path.name.replace("_", "").isalnum()}

    async def _refresh(self, looks: bool) -> None:
        if self._is_loaded and not looks:
            return
        await self.ping()
        for name, path in self._files().items():
            stat = path.stat()
            if self._known.get(name) != (stat.st_mtime_ns, stat.st_size):
                await self.load(name)
        self._is_loaded = True

    async def load(self, name: str) -> None:
        """Read a table; StoreError when its file is not one."""
        path = self.folder / name
        try:
            stat, text = path.stat(), path.read_text(encoding="utf-8", errors="surrogateescape")
            columns, rows = format.parse(text)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None
        except ValueError as error:
            raise StoreError(f"{path} {error}") from None

        def work(connection: Any) -> None:
            connection.exec_driver_sql(f'DROP TABLE IF EXISTS "{name}"')
            connection.exec_driver_sql(f'CREATE TABLE "{name}" ({", ".join(map(_declare, columns))})')
            if rows:
                marks = ", ".join("?" * len(columns))
                connection.exec_driver_sql(f'INSERT INTO "{name}" VALUES ({marks})', [tuple(row) for row in rows])
        await self._sql.run(work)
        self._known[name], self._columns[name] = (stat.st_mtime_ns, stat.st_size), columns
        self._texts[name] = format.write(columns, rows)

    async def _write(self) -> None:
        def work(connection: Any) -> dict[str, tuple[list[Any], list[Any]]]:
            names = [row[0] for row in connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
            return {name: ([tuple(row) for row in connection.exec_driver_sql(f'PRAGMA table_info("{name}")')],
                           [list(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')]) for name in names}
        for name, (info, rows) in (await self._sql.run(work)).items():
            columns = self._columns.get(name) or [_describe(one) for one in info]
            text = format.write(columns, rows)
            if text != self._texts.get(name):
                self._replace(name, text)
                self._columns[name] = columns

    def _replace(self, name: str, text: str) -> None:
        path, fresh = self.folder / name, self.folder / f".{name}.new"
        try:
            fresh.write_text(text, encoding="utf-8", errors="surrogateescape")
            if path.exists():
                fresh.chmod(path.stat().st_mode & 0o777)
            fresh.replace(path)
            stat = path.stat()
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None
        self._known[name], self._texts[name] = (stat.st_mtime_ns, stat.st_size), text

    async def dump(self) -> None:
        """Write every table to its file."""
        async with self._turn:
            await self._refresh(False)
            for name, text in self._texts.items():
                self._replace(name, text)

    async def reload(self, table: str = "") -> None:
        """Read one table or all of them from their files."""
        async with self._turn:
            for name in [table] if table else list(self._files()):
                await self.load(name)
            self._is_loaded = self._is_loaded or not table


def _declare(column: format.Column) -> str:
    kind = format.TYPES[column.type]
    if column.auto and kind == "INTEGER":
        return f'"{column.name}" INTEGER PRIMARY KEY AUTOINCREMENT'
    default = "" if column.nullable else " NOT NULL DEFAULT " + ("''" if kind == "TEXT" else "0")
    return f'"{column.name}" {kind}{default}'


def _describe(info: tuple[Any, ...]) -> format.Column:
    _, name, kind, not_null, _, primary = info
    kind = kind.upper()
    word = "int" if "INT" in kind else "double" if any(part in kind for part in ("REAL", "FLOA", "DOUB")) else "string"
    is_auto = bool(primary) and word == "int"
    return format.Column(name, word, not not_null and not is_auto, is_auto)
