"""Rows of database tables as tests and `osip sim` write them: `NAME=VALUE` words, or a file of comma-separated values."""
from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from osip.core.errors import OsipError

if TYPE_CHECKING:
    from osip.testing.language import Reader, Run
    from osip.testing.store import SqlRules

Value = str | int | None


def value_of(text: str) -> Value:
    """Read a value: a number, `null`, or a text; what begins with 0 is a text, as the number of a telephone is."""
    if text == "null":
        return None
    return int(text) if re.fullmatch(r"0|-?[1-9]\d*", text) else text


def cell(text: str) -> tuple[str, Value]:
    """Read `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise OsipError(f'"{text}" is not NAME=VALUE')
    return name, value_of(value)


def answer(reader: Reader) -> Run:
    """Read the statement `sql`: what SQL statements of a pattern return."""
    pattern = reader.pattern("the pattern of statements").removeprefix("~")
    rows: list[dict[str, Value]] = []
    if reader.maybe() and reader.words[reader.place].text == "error":
        reader.place += 1
        error = reader.take("the error")
        reader.end()
        return lambda stage: stage.bench.sql.on(pattern, error=error)
    while reader.maybe():
        if reader.words[reader.place].text == "row":
            reader.place += 1
            rows.append({})
        elif rows:
            rows[-1] |= [_cell(reader)]
        else:
            raise reader.fault("write: sql ~PATTERN row NAME=VALUE ... row NAME=VALUE ...")
    return lambda stage: stage.bench.sql.on(pattern, rows)


def row(reader: Reader) -> Run:
    """Read the statement `row`: a row of a table."""
    table, values = reader.take("the name of the table"), dict([_cell(reader)])
    while reader.maybe():
        values |= [_cell(reader)]
    return lambda stage: stage.bench.sql.add(table, **values)


def _cell(reader: Reader) -> tuple[str, Value]:
    word = reader.take("NAME=VALUE")
    try:
        return cell(word)
    except OsipError as error:
        raise reader.fault(str(error), reader.place - 1) from None


def fill(sql: SqlRules, table: str, text: str) -> None:
    """Put a row into a table: `NAME=VALUE,NAME=VALUE`, or `@FILE`, a CSV file whose first line names the columns."""
    if not text.startswith("@"):
        (line,) = csv.reader([text])
        sql.add(table, **dict(cell(word) for word in line))
        return
    path = Path(text[1:])
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            for found in csv.DictReader(lines, strict=True):
                if None in found or None in found.values():
                    raise OsipError(f"{path}: a row has more or fewer values than there are columns")
                sql.add(table, **{name: value_of(value) for name, value in found.items()})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OsipError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
