"""Write the rows of tables into a file, and read them back, also into a database of another kind.

The file has a line of JSON for everything: what it is, then each table with its version and columns before its rows
(an array each), and at the end how many rows there are. Times are ISO 8601, bytes an object with their base64.
"""
from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import orjson

from osip.core.errors import StoreError
from osip.core.exports.spec import TableSpec
from osip.core.store.migrate import move_sequence
from osip.core.store.sql import Sql
from osip.core.store.tables import create_tables, versions_of

PIECE = 1000
"""Rows that are read, written and told about at a time."""
HEAD = {"osip": "backup", "format": 1}
Progress = Callable[[int], None]
Counts = dict[str, int]


async def backup(sql: Sql, specs: Iterable[TableSpec], out: IO[bytes],
                 progress: Progress = lambda done: None) -> Counts:
    """Write the rows of those tables that are there, as they are at one moment; return how many of each."""
    import sqlalchemy as sa

    def work(connection: Any) -> Counts:
        out.seek(0)                             # the work may be done anew after a collision
        out.truncate()
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        inspector = sa.inspect(connection)
        names = set(inspector.get_table_names())
        counts: Counts = {}
        noted = versions_of(connection) if "version" in names else {}
        _put(out, HEAD)
        for spec in specs:
            if spec.name in names:
                columns = inspector.get_columns(spec.name)
                _put(out, {"table": spec.name, "version": noted.get(spec.name),
                           "columns": [one["name"] for one in columns]})
                before = sum(counts.values())
                counts[spec.name] = _write_rows(connection, spec.name, columns, out,
                                                lambda done, before=before: progress(before + done))
        _put(out, {"end": sum(counts.values())})
        return counts
    found: Counts = await sql.run(work)
    return found


def _write_rows(connection: Any, name: str, columns: list[Any], out: IO[bytes], progress: Progress) -> int:
    import sqlalchemy as sa

    # SQLite keeps in a column whatever was put there: it is taken as it is.
    typed = connection.dialect.name != "sqlite"
    wanted = [sa.column(one["name"], one["type"] if typed else None) for one in columns]
    count = 0
    rows = connection.execute(sa.select(*wanted).select_from(sa.table(name)).execution_options(yield_per=PIECE))
    for piece in rows.partitions():
        for row in piece:
            _put(out, list(row))
        count += len(piece)
        progress(count)
    return count


def _put(out: IO[bytes], value: Any) -> None:
    try:
        out.write(orjson.dumps(value, default=_plain, option=orjson.OPT_APPEND_NEWLINE))
    except orjson.JSONEncodeError as error:     # text that is not Unicode, a number of more than 64 bits
        raise StoreError(f"a value cannot be written: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": b64encode(value).decode()}
    if isinstance(value, Decimal):
        return float(value)
    return str(value)


async def restore(sql: Sql, specs: Iterable[TableSpec], path: Path, replace: bool = False,
                  progress: Progress = lambda done: None) -> Counts:
    """Read back the rows of those tables that the file has; return how many of each. StoreError changes no row.

    Tables that are missing are made. One with rows is refused, unless they shall give way (`replace`).
    """
    import sqlalchemy as sa

    there = {table["table"]: table for table in look(path)}
    wanted = {spec.name: spec for spec in specs if spec.name in there}
    await create_tables(sql, wanted.values())

    def work(connection: Any) -> Counts:
        inspector, targets, counts = sa.inspect(connection), {}, dict.fromkeys(wanted, 0)
        for name in wanted:
            targets[name] = Target(name, there[name]["columns"], inspector.get_columns(name))
            _make_room(connection, name, replace)
        done, target, batch = 0, None, []
        for entry in (*_entries(path), {}):
            if isinstance(entry, list):
                if target is not None:
                    batch.append(entry)
                    counts[target.name] += 1
            if target is not None and batch and (isinstance(entry, dict) or len(batch) >= PIECE):
                target.insert(connection, batch)
                done, batch = done + len(batch), []
                progress(done)
            if isinstance(entry, dict):
                target = targets.get(entry.get("table", ""))
        for spec in wanted.values():
            move_sequence(connection, spec)
        return counts
    found: Counts = await sql.run(work)
    return found


def look(path: Path) -> list[dict[str, Any]]:
    """Return the tables of a file, each with the number of its `rows`; StoreError when it is none, or not whole."""
    tables: list[dict[str, Any]] = []
    end: Any = None
    try:
        for number, entry in enumerate(_entries(path)):
            if number == 0 and entry != HEAD:
                raise StoreError(f"{path} is no backup of osip db backup")
            if isinstance(entry, list):
                tables[-1]["rows"] += 1
            elif "table" in entry:
                tables.append({**entry, "rows": 0, "columns": list(entry["columns"])})
            end = entry
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StoreError(f"{path}: {getattr(error, 'strerror', '') or error}") from None
    if not isinstance(end, dict) or end.get("end") != sum(table["rows"] for table in tables):
        raise StoreError(f"{path} is not whole: its end is missing")
    return tables


def _entries(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def _make_room(connection: Any, name: str, replace: bool) -> None:
    import sqlalchemy as sa

    rows = sa.table(name)
    if replace:
        connection.execute(sa.delete(rows))
    elif connection.execute(sa.select(sa.literal(1)).select_from(rows).limit(1)).first() is not None:
        raise StoreError(f'table "{name}" has rows already: with --replace they give way')


class Target:
    """One table that rows go into: its columns in the order of the file, and how values become what they take."""

    def __init__(self, name: str, columns: list[str], there: list[Any]) -> None:
        import sqlalchemy as sa

        self.name = name
        types = {one["name"].lower(): (one["name"], one["type"]) for one in there}
        lacking = [column for column in columns if column.lower() not in types]
        if lacking:
            raise StoreError(f'table "{name}" has no column {", ".join(lacking)}: it is of another version than the '
                             "backup")
        found = [types[column.lower()] for column in columns]
        self._columns = [column for column, _ in found]
        self._readers = [_reader(kind) for _, kind in found]
        self._insert = sa.insert(sa.table(name, *(sa.column(column, kind) for column, kind in found)))

    def insert(self, connection: Any, rows: list[list[Any]]) -> None:
        """Write rows; StoreError for a value that does not fit."""
        values = []
        for row in rows:
            try:
                values.append({column: None if value is None else read(value) for column, read, value in zip(
                    self._columns, self._readers, row, strict=True)})
            except (ValueError, TypeError, LookupError) as error:
                raise StoreError(f'table "{self.name}": a row of the backup does not fit: {error}') from None
        connection.execute(self._insert, values)


def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return what makes a value of the file one for a column of this SQLAlchemy type."""
    import sqlalchemy as sa

    if isinstance(kind, sa.LargeBinary):
        return lambda value: b64decode(value["base64"]) if isinstance(value, dict) else str(value).encode()
    if isinstance(kind, sa.DateTime):
        return _time
    if isinstance(kind, sa.Integer):
        return int
    if isinstance(kind, sa.Numeric):
        return float
    return lambda value: b64decode(value["base64"]).decode() if isinstance(value, dict) else str(value)


def _time(value: Any) -> date:
    from datetime import datetime

    return datetime.fromisoformat(str(value))
