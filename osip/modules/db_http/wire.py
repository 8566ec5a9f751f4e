"""Turn simple statements into the variables of db_http's protocol, and its answers into rows.

`k`, `op` and `v` are the conditions, `c` the columns wanted, `o` the order, `uk` and `uv` what an UPDATE sets, `q` a raw
query. An answer has a line of types and a line for each row.
"""
from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from osip.api import StoreError

NULL = "\0"
_NAMES = {operator.eq: "=", operator.ne: "!=", operator.lt: "<", operator.gt: ">", operator.le: "<=", operator.ge: ">="}
TYPES = ("int", "bigint", "double", "string", "str", "blob", "date")


@dataclass(slots=True)
class Question:
    """One request: the table, its kind ("" is a SELECT), and lists by the names that they have on the wire."""
    table: str
    kind: str = ""
    lists: dict[str, list[str]] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)    # names of what comes back; none: as the server likes
    limit: int | None = None

    def text(self, delimiter: str) -> str:
        """Return it URL-encoded; the delimiter stands between the values of a list."""
        parts = [f"{name}={delimiter.join(quote(one, safe='-_.~') for one in values)}" for name, values in self.lists.items()]
        return "&".join([*parts, f"query_type={self.kind}"] if self.kind else parts)


def question(statement: Any, values: Mapping[str, Any] | None = None) -> Question:
    """Read a statement; StoreError when the protocol cannot say it."""
    given = values or {}
    if getattr(statement, "is_select", False):
        return _select(statement, given)
    for name in ("insert", "update", "delete"):
        if getattr(statement, f"is_{name}", False):
            return _change(name, statement, given)
    raise StoreError("http: this is no simple SELECT, INSERT, UPDATE or DELETE")


def _select(statement: Any, given: Mapping[str, Any]) -> Question:
    froms = statement.get_final_froms()
    if len(froms) != 1 or not hasattr(froms[0], "name"):
        raise StoreError("http: a SELECT has one table")
    found = Question(froms[0].name)
    _conditions(statement, given, found)
    names = [getattr(column, "name", None) for column in statement.selected_columns]
    if names and None not in names:
        found.columns = [str(name) for name in names]
        found.lists["c"] = found.columns
    order = [getattr(clause, "name", None) for clause in statement._order_by_clauses]
    if len(order) > 1 or None in order:
        raise StoreError("http: rows are ordered by one column, ascending")
    if order:
        found.lists["o"] = [str(order[0])]
    if statement._limit_clause is not None:
        found.limit = int(statement._limit_clause.value)
    return found


def _change(kind: str, statement: Any, given: Mapping[str, Any]) -> Question:
    found = Question(statement.table.name, kind)
    if kind != "insert":
        _conditions(statement, given, found)
    if kind == "delete":
        return found
    row = {column.name if hasattr(column, "name") else str(column): _value(bound, given)
           for column, bound in (statement._values or {}).items()} or dict(given)
    names, texts = list(row), [shown(value) for value in row.values()]
    found.lists |= {"k": names, "v": texts} if kind == "insert" else {"uk": names, "uv": texts}
    return found


def _conditions(statement: Any, given: Mapping[str, Any], found: Question) -> None:
    from sqlalchemy.sql import operators

    clause = statement.whereclause
    if clause is None:
        return
    parts = list(clause.clauses) if getattr(clause, "operator", None) is operators.and_ else [clause]
    rows = []
    for part in parts:
        name, symbol = getattr(getattr(part, "left", None), "name", None), _NAMES.get(getattr(part, "operator", None))
        if getattr(part, "operator", None) in (operators.is_, operators.is_not) and name:
            rows.append((name, "=" if part.operator is operators.is_ else "!=", NULL))
        elif name and symbol and hasattr(part.right, "value"):
            rows.append((name, symbol, shown(_value(part.right, given))))
        else:
            raise StoreError(f'http: the condition "{part}" is more than column, operator and value')
    found.lists |= {"k": [row[0] for row in rows], "op": [row[1] for row in rows], "v": [row[2] for row in rows]}


def _value(bound: Any, given: Mapping[str, Any]) -> Any:
    key = getattr(bound, "key", None)
    if key in given:
        return given[key]
    return bound.value if hasattr(bound, "value") else bound


def shown(value: Any) -> str:
    """Return a value as it stands on the wire."""
    if value is None:
        return NULL
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def answer(text: str, columns: list[str], separators: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Read rows; `separators` are those of fields and rows, and the quote. StoreError when it is no answer."""
    lines = _split(text, *separators)
    if not lines:
        return []
    types, *rows = lines
    for kind in types:
        if kind not in TYPES:
            raise StoreError(f'http: the answer has a type "{kind[:20]}"; known are {", ".join(TYPES)}')
    names = columns or [str(number) for number in range(len(types))]
    if len(names) != len(types) or any(len(row) != len(types) for row in rows):
        raise StoreError(f"http: the answer's rows do not have the {len(names)} columns that were asked for")
    try:
        return [{name: _read(kind, value) for name, kind, value in zip(names, types, row, strict=True)} for row in rows]
    except ValueError as error:
        raise StoreError(f"http: {error}") from None


def _read(kind: str, text: str) -> Any:
    if kind in ("string", "str", "blob"):
        return None if text == NULL else text
    if text in ("", NULL):
        return None
    if kind == "date":
        return datetime.fromisoformat(text)
    return float(text) if kind == "double" else int(text)


def _split(text: str, between: str, end: str, quoter: str) -> list[list[str]]:
    """Split into lines of fields; within quotes nothing separates, and two quotes are one."""
    lines: list[list[str]] = []
    line: list[str] = []
    piece, is_quoted, at = "", False, 0
    while at < len(text):
        char = text[at]
        if char == quoter:
            if is_quoted and text[at + 1:at + 2] == quoter:
                piece, at = piece + quoter, at + 1
            else:
                is_quoted = not is_quoted
        elif not is_quoted and char in (between, end):
            line.append(piece)
            piece = ""
            if char == end:
                lines.append(line)
                line = []
        else:
            piece += char
        at += 1
    if is_quoted:
        raise StoreError("http: the answer ends within quotes")
    return [*lines, [*line, piece]] if piece or line else lines
