"""Read what is to be cached: `id=...`, `db_url=...` and the rest, of one `cache_table` parameter."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.$]*")
KEYS = ("id", "db_url", "cachedb_url", "table", "key", "key_type", "columns", "on_demand", "expire")


@dataclass(frozen=True, slots=True)
class Entry:
    """One table, its key and the columns that are kept of each row."""
    id: str
    db_url: str
    cachedb_url: str
    table: str
    key: str
    number: bool                # the key is one
    columns: tuple[str, ...]    # none: all of them
    on_demand: bool
    expire: int

    def cache_key(self, key: str) -> str:
        """Return the key in the cache for a row's key."""
        return f"sql_cacher:{self.id}:{key}"

    @property
    def mark(self) -> str:
        """Return the key in the cache that says that all rows are there."""
        return f"sql_cacher_all:{self.id}"

    def value_of(self, key: str) -> Any:
        """Return what stands in the key's column for a text; ValueError when that cannot be."""
        return int(key) if self.number else key


def split_columns(text: str, delimiter: str) -> tuple[str, ...]:
    """Split a list of columns at the delimiter, at commas and blanks."""
    return tuple(filter(None, re.split(rf"[\s,{re.escape(delimiter)}]+", text)))


def parse(text: str, delimiter: str, columns_delimiter: str, full_expire: int) -> Entry:
    """Read one `cache_table`; ValueError with words."""
    given: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(delimiter or "\n"))):
        name, equals, value = part.partition("=")
        if not equals or name.strip() not in KEYS:
            raise ValueError(f'"{part}" is none of {", ".join(key + "=" for key in KEYS)}')
        given[name.strip()] = value.strip()
    for name in ("id", "table", "key"):
        if not given.get(name):
            raise ValueError(f'"{" ".join(text.split())[:60]}" has no {name}=')
    kind = given.get("key_type", "string")
    if kind not in ("string", "int", "integer"):
        raise ValueError(f"key_type is string or int, not {kind}")
    columns = split_columns(given.get("columns", ""), columns_delimiter)
    for name in (given["table"], given["key"], *columns):
        if not NAME.fullmatch(name):
            raise ValueError(f'"{name}" is no name of a table or column')
    on_demand = given.get("on_demand", "0")
    expire = given.get("expire", "3600" if on_demand == "1" else str(full_expire))
    if on_demand not in ("0", "1") or not expire.isdecimal():
        raise ValueError("on_demand is 0 or 1, and expire a number of seconds")
    return Entry(given["id"], given.get("db_url", ""), given.get("cachedb_url", "local"), given["table"], given["key"],
                 kind != "string", columns, on_demand == "1", int(expire) if on_demand == "1" else full_expire)
