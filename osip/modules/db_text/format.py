"""Read and write the text form of a table: a line of columns `name(type[,null|auto])`, then rows with `:` between."""
from __future__ import annotations

import re
from dataclasses import dataclass

TYPES = {"int": "INTEGER", "double": "REAL", "float": "REAL", "string": "TEXT", "str": "TEXT", "blob": "TEXT", "date": "TEXT"}
_COLUMN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\((\w+)((?:,\w+)*)\)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_WRITTEN = {"\\": "\\\\", ":": "\\:", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
NULL = None

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the first line."""
    name: str
    type: str
    nullable: bool = False
    auto: bool = False

    @property
    def text(self) -> str:
        """Return it as it stands in a file."""
        return f"{self.name}({self.type}{',null' if self.nullable else ''}{',auto' if self.auto else ''})"


def parse(text: str) -> tuple[list[Column], list[list[Value]]]:
    """Read a file; ValueError says which line is wrong."""
    lines = text.split("\n")
    columns = [_column(part) for part in lines[0].split()]
    if not columns:
        raise ValueError("line 1 has no columns: write name(type[,null|auto]) for each")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip() or line.startswith("#"):
            continue
        parts = split(line.rstrip("\r"))
        if len(parts) != len(columns):
            raise ValueError(f"line {number} has {len(parts)} fields, line 1 has {len(columns)} columns")
        try:
            rows.append([_value(column, part) for column, part in zip(columns, parts, strict=True)])
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return columns, rows


def _column(text: str) -> Column:
    found = _COLUMN.fullmatch(text)
    if found is None or found[2] not in TYPES:
        raise ValueError(f'line 1: "{text}" is no column: write name(type[,null|auto]); types are {", ".join(TYPES)}')
    flags = set(filter(None, found[3].split(",")))
    if flags - {"null", "auto"}:
        raise ValueError(f'line 1: "{text}": a column is null, auto or neither')
    return Column(found[1], found[2], "null" in flags, "auto" in flags)


def _value(column: Column, text: str) -> Value:
    if text == "" and (column.nullable or column.auto):
        return NULL
    kind = TYPES[column.type]
    try:
        if kind == "INTEGER":
            return int(text or 0)
        if kind == "REAL":
            return float(text or 0)
    except ValueError:
        raise ValueError(f'"{text}" in column {column.name} is no number') from None
    return unescape(text)


def split(line: str) -> list[str]:
    """Split a row at colons that no backslash stands before."""
    return [part for part in re.findall(r"((?:\\.|[^\\:])*)(?::|$)", line)][:line_fields(line)]


def line_fields(line: str) -> int:
    """Count the fields of a row."""
    return len(re.sub(r"\\.", "", line).split(":"))


def unescape(text: str) -> str:
    """Return what a field stands for."""
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)


def write(columns: list[Column], rows: list[list[Value]]) -> str:
    """Return the text of a table."""
    out = [" ".join(column.text for column in columns)]
    for row in rows:
        out.append(":".join("" if value is None else "".join(_WRITTEN.get(c, c) for c in str(value)) for value in row))
        if not out[-1] or out[-1][0] == "#":
            out[-1] = "\\" + out[-1] if out[-1] else ""
    return "\n".join(out) + "\n"
