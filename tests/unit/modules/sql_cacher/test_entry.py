"""cache_table."""
from __future__ import annotations

import pytest

from osip.modules.sql_cacher.entry import parse

FULL = "id=users\ndb_url=mysql://h/db\ncachedb_url=redis:x\ntable=subscriber\nkey=username\nkey_type=string\n" \
       "columns=domain ha1\non_demand=0\nexpire=5"


def test_all_parts() -> None:
    found = parse(FULL, "\n", " ", 86400)
    assert (found.id, found.db_url, found.cachedb_url, found.table, found.key, found.number, found.columns, found.on_demand,
            found.expire) == ("users", "mysql://h/db", "redis:x", "subscriber", "username", False, ("domain", "ha1"), False, 86400)
    short = parse("id=a; table=t; key=n; key_type=int; on_demand=1", ";", " ", 86400)
    assert (short.cachedb_url, short.columns, short.expire, short.value_of("5")) == ("local", (), 3600, 5)
    assert parse("id=a;table=t;key=n;on_demand=1;expire=9", ";", " ", 86400).expire == 9


@pytest.mark.parametrize(("text", "words"), [
    ("table=t\nkey=k", "has no id="), ("id=a\nkey=k", "has no table="), ("id=a\nx=1", "is none of"), ("id", "is none of"),
    ("id=a\ntable=t; drop\nkey=k", "is no name"), ("id=a\ntable=t\nkey=k\nkey_type=date", "key_type"),
    ("id=a\ntable=t\nkey=k\nexpire=soon", "expire"), ("id=a\ntable=t\nkey=k\ncolumns=a b c(", "is no name")])
def test_faults(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text, "\n", " ", 10)
