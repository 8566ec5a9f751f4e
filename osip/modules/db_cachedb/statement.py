"""Read simple SQL statements, made with SQLAlchemy, and answer them from rows."""
from __future__ import annotations

import operator
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from osip.api import StoreError

Row = dict[str, Any]
_COMPARED: dict[Any, Callable[[Any, Any], bool]] = {
    operator.eq: operator.eq, operator.ne: operator.ne, operator.lt: operator.lt, operator.gt: operator.gt,
    operator.le: operator.le, operator.ge: operator.ge}


@dataclass(slots=True)
class Condition:
    """One column compared with a value; `name` is =, in, like, null, or "" for what no index helps with."""
    column: str
    name: str
    value: Any
    holds: Callable[[Any, Any], bool]

    def fits(self, row: Row) -> bool:
        """Say whether a row meets it; NULL meets nothing but IS NULL."""
        found = row.get(self.column)
        if self.name == "null":
            return (found is None) is self.value
        if found is None or self.value is None:
            return False
        if self.name == "in":
            return any(_equal(found, one) for one in self.value)
        return self.holds(*_alike(found, self.value))


@dataclass(slots=True)
class Statement:
    """What is asked: `kind` is select, insert, update or delete; `columns` are (name, label), none for all of them."""
    kind: str
    table: str
    conditions: list[Condition] = field(default_factory=list)
    columns: list[tuple[str, str]] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)         # (column, descending)
    limit: int | None = None
    rows: list[Row] = field(default_factory=list)                       # to be inserted; of an update the first

    def fits(self, row: Row) -> bool:
        """Say whether a row meets all conditions."""
        return all(condition.fits(row) for condition in self.conditions)

    def shown(self, rows: list[Row]) -> list[Row]:
        """Return rows in order, no more than the limit, with the columns that were asked for."""
        for column, descends in reversed(self.order):
            rows = sorted(rows, key=lambda row, column=column: (row.get(column) is not None, row.get(column)),  # type: ignore[misc]
                          reverse=descends)
        rows = rows[:self.limit]
        return [{label: row.get(name) for name, label in self.columns} for row in rows] if self.columns else rows


def _alike(found: Any, wanted: Any) -> tuple[Any, Any]:
    """Return two values that can be compared: numbers as numbers, else as texts."""
    if isinstance(found, int | float) and isinstance(wanted, int | float) or type(found) is type(wanted):
        return found, wanted
    if isinstance(found, int | float) or isinstance(wanted, int | float):
        try:
            return float(found), float(wanted)
        except (TypeError, ValueError):
            pass
    return str(found), str(wanted)


def _equal(one: Any, two: Any) -> bool:
    left, right = _alike(one, two)
    return bool(left == right)


def read(statement: Any, values: Any) -> Statement:
    """Read a statement with its values (a mapping, or for an INSERT several); StoreError when it is not simple."""
    several = [dict(one) for one in values] if isinstance(values, list | tuple) else [dict(values or {})]
    if getattr(statement, "is_select", False):
        return _select(statement, several[0])
    for kind in ("insert", "update", "delete"):
        if getattr(statement, f"is_{kind}", False):
            return _change(kind, statement, several)
    raise StoreError(f"cachedb: only simple SELECT, INSERT, UPDATE and DELETE can be asked, not {str(statement)[:60]!r}")


def _select(statement: Any, given: Row) -> Statement:
    froms = statement.get_final_froms()
    if len(froms) != 1 or not hasattr(froms[0], "name"):
        raise StoreError("cachedb: a SELECT has one table")
    found = Statement("select", froms[0].name, _conditions(statement, given))
    for column in statement.selected_columns:
        inner = getattr(column, "element", column)          # `column AS label`
        name, label = getattr(inner, "name", None), getattr(column, "name", None)
        if name is None or hasattr(inner, "clause_expr"):
            raise StoreError(f'cachedb: "{column}" is no column')
        if name != "*":
            found.columns.append((str(name), str(label)))
    for clause in statement._order_by_clauses:
        inner = getattr(clause, "element", clause)
        name = getattr(inner, "name", None)
        if name is None or hasattr(inner, "clause_expr"):
            raise StoreError(f'cachedb: rows cannot be ordered by "{clause}"')
        found.order.append((str(name), "desc" in getattr(getattr(clause, "modifier", None), "__name__", "")))
    if statement._limit_clause is not None:
        found.limit = int(_value(statement._limit_clause, given))
    return found


def _change(kind: str, statement: Any, several: list[Row]) -> Statement:
    found = Statement(kind, statement.table.name)
    if kind != "insert":
        found.conditions = _conditions(statement, several[0])
    if kind == "delete":
        return found
    fixed = {getattr(column, "name", str(column)): bound for column, bound in (statement._values or {}).items()}
    for many in statement._multi_values or ():
        found.rows += [{getattr(column, "name", str(column)): _value(bound, {}) for column, bound in one.items()} for one in many]
    if not found.rows:
        for given in several:
            row = {name: _value(bound, given) for name, bound in fixed.items()}
            found.rows.append(row or given)
    return found


def _conditions(statement: Any, given: Row) -> list[Condition]:
    from sqlalchemy.sql import operators

    clause = statement.whereclause
    if clause is None:
        return []
    parts = list(clause.clauses) if getattr(clause, "operator", None) is operators.and_ else [clause]
    return [_condition(part, given, operators) for part in parts]


def _condition(part: Any, given: Row, operators: Any) -> Condition:
    name, kind = getattr(getattr(part, "left", None), "name", None), getattr(part, "operator", None)
    if name is not None and kind in (operators.is_, operators.is_not):
        return Condition(name, "null", kind is operators.is_, operator.is_)
    if name is not None and hasattr(part.right, "key"):
        value = _value(part.right, given)
        if kind in _COMPARED:
            return Condition(name, "=" if kind is operator.eq else "", value, _COMPARED[kind])
        if kind is operators.in_op:
            return Condition(name, "in", list(value or ()), operator.eq)
        if kind is operators.like_op:
            return Condition(name, "", value, _like)
    raise StoreError(f'cachedb: the condition "{part}" is more than column, operator and value')


def _like(found: Any, pattern: Any) -> bool:
    text = re.escape(str(pattern)).replace("%", ".*").replace("_", ".")
    return re.fullmatch(text, str(found), re.IGNORECASE | re.DOTALL) is not None


def _value(bound: Any, given: Mapping[str, Any]) -> Any:
    key = getattr(bound, "key", None)
    if key in given:
        return given[key]
    if hasattr(bound, "value"):
        return bound.value
    if hasattr(bound, "compile"):
        raise StoreError(f'cachedb: "{bound}" is no value')
    return bound


# --- values as they are stored: a letter for the kind, then the text; a script in Redis cannot harm long numbers ----------

def pack(value: Any) -> str:
    """Return the stored form of a value; StoreError for one that has none."""
    if isinstance(value, bool | int):
        return f"i{int(value)}"
    if isinstance(value, float):
        return f"f{int(value)}" if value.is_integer() else f"f{value!r}"
    if isinstance(value, str):
        return f"s{value}"
    if isinstance(value, datetime):
        return f"d{value.isoformat(' ')}"
    if isinstance(value, bytes):
        return f"b{b64encode(value).decode()}"
    raise StoreError(f"cachedb: a value of the type {type(value).__name__} cannot be stored")


def unpack(text: str) -> Any:
    """Return a value from its stored form; ValueError when it is none."""
    kind, rest = text[:1], text[1:]
    match kind:
        case "i":
            return int(rest)
        case "f":
            return float(rest)
        case "s":
            return rest
        case "d":
            return datetime.fromisoformat(rest)
        case "b":
            return b64decode(rest)
        case _:
            raise ValueError(f"{text[:20]!r} is no stored value")
