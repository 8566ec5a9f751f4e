"""Build statements from the JSON texts of scripts; ValueError says what is wrong with them."""
from __future__ import annotations

import json
import re
from typing import Any

_OPERATORS = {"=": "__eq__", "!=": "__ne__", "<>": "__ne__", "<": "__lt__", ">": "__gt__", "<=": "__le__", ">=": "__ge__"}
_WORDS = re.compile(r"[A-Za-z]{1,20}(?: [A-Za-z]{1,20}){0,2}")      # "like", "not like": nothing that could be SQL of its own
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.$]*")


def name_of(text: Any) -> str:
    """Return the name of a column or table."""
    if not isinstance(text, str) or not _NAME.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is no name")
    return text.strip()


def names_of(text: str | None) -> list[str]:
    """Read `["a","b"]`; [] stands for all columns."""
    if text is None or text.strip() in ("", "*"):
        return []
    found = _json(text)
    if not isinstance(found, list) or not found:
        raise ValueError(f'{text!r} is no list of columns: write ["a","b"]')
    return [name_of(one) for one in found]


def values_of(text: str) -> dict[str, Any]:
    """Read `[{"a":"v"},{"b":5}]`, also as one object."""
    found = _json(text)
    parts = [found] if isinstance(found, dict) else found
    if not isinstance(parts, list) or not parts or not all(isinstance(one, dict) for one in parts):
        raise ValueError(f'{text!r} has no columns: write [{{"a":"v"}},{{"b":5}}]')
    out: dict[str, Any] = {}
    for one in parts:
        for key, value in one.items():
            if isinstance(value, dict | list):
                raise ValueError(f"the value of {key} is no text, number or null")
            out[name_of(key)] = value
    return out


def rules_of(text: str | None) -> list[Any]:
    """Read `[{"col":"v"},{"col":{">":5}}]` as conditions that all must hold."""
    import sqlalchemy as sa

    if text is None or not text.strip():
        return []
    found = _json(text)
    parts = [found] if isinstance(found, dict) else found
    if not isinstance(parts, list) or not all(isinstance(one, dict) for one in parts):
        raise ValueError(f'{text!r} is no filter: write [{{"col":"v"}},{{"col":{{">":5}}}}]')
    rules = []
    for one in parts:
        for key, value in one.items():
            column: Any = sa.column(name_of(key))
            for operator, wanted in (value.items() if isinstance(value, dict) else (("=", value),)):
                rules.append(_rule(column, operator.strip(), wanted))
    return rules


def _rule(column: Any, operator: str, value: Any) -> Any:
    if isinstance(value, dict | list):
        raise ValueError(f"{value!r} is nothing to compare with")
    if value is None and operator in ("=", "!=", "<>"):
        return column.is_(None) if operator == "=" else column.is_not(None)
    known = _OPERATORS.get(operator)
    if known is not None:
        return getattr(column, known)(value)
    if not _WORDS.fullmatch(operator):
        raise ValueError(f'unknown operator "{operator}"')
    return column.op(operator)(value)


def select(columns: str | None, table: str, rules: str | None, order: str | None) -> Any:
    """Build a SELECT."""
    import sqlalchemy as sa

    names = names_of(columns)
    picked = [sa.column(name) for name in names] if names else [sa.text("*")]
    found = sa.select(*picked).select_from(sa.table(name_of(table))).where(*rules_of(rules))
    return found.order_by(sa.column(name_of(order))) if order and order.strip() else found


def update(columns: str, table: str, rules: str | None) -> Any:
    """Build an UPDATE."""
    import sqlalchemy as sa

    values = values_of(columns)
    tab = sa.table(name_of(table), *(sa.column(name) for name in values))
    return sa.update(tab).where(*rules_of(rules)).values(values)


def insert(table: str, columns: str) -> Any:
    """Build an INSERT."""
    import sqlalchemy as sa

    values = values_of(columns)
    return sa.insert(sa.table(name_of(table), *(sa.column(name) for name in values))).values(values)


def delete(table: str, rules: str | None) -> Any:
    """Build a DELETE."""
    import sqlalchemy as sa

    return sa.delete(sa.table(name_of(table))).where(*rules_of(rules))


def replace(table: str, columns: str, dialect: Any) -> tuple[Any, dict[str, Any]]:
    """Build a REPLACE for a dialect that has one, and its values."""
    import sqlalchemy as sa

    values = values_of(columns)
    if dialect.name not in ("mysql", "mariadb", "sqlite"):
        raise ValueError(f"{dialect.name} has no REPLACE: use sql_update and sql_insert")
    quote = dialect.identifier_preparer.quote
    marks = {f"v{number}": value for number, value in enumerate(values.values())}
    text = f"REPLACE INTO {quote(name_of(table))} ({', '.join(map(quote, values))}) VALUES " \
           f"({', '.join(':' + mark for mark in marks)})"
    return sa.text(text), marks


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{text!r} is not JSON: {error}") from None
