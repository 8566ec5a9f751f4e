"""Statements of SQLAlchemy read and answered from rows."""
from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa

from osip.api import StoreError
from osip.modules.db_cachedb.statement import pack, read, unpack

T = sa.table("users", sa.column("name"), sa.column("age"), sa.column("at"))
ROWS = [{"name": "al", "age": 30}, {"name": "bob", "age": 5}, {"name": "Cy"}, {"name": "7", "age": 7}]

SELECTED = [
    (sa.select(T.c.name), {}, ["al", "bob", "Cy", "7"]),
    (sa.select(T.c.name).where(T.c.age > 5), {}, ["al", "7"]),
    (sa.select(T.c.name).where(T.c.age >= 5, T.c.name != "al"), {}, ["bob", "7"]),
    (sa.select(T.c.name).where(T.c.name == sa.bindparam("n")), {"n": "bob"}, ["bob"]),
    (sa.select(T.c.name).where(T.c.name == 7), {}, ["7"]), (sa.select(T.c.name).where(T.c.age == "30"), {}, ["al"]),
    (sa.select(T.c.name).where(T.c.age.is_(None)), {}, ["Cy"]), (sa.select(T.c.name).where(T.c.age.is_not(None)), {}, ["al", "bob", "7"]),
    (sa.select(T.c.name).where(T.c.age == None), {}, ["Cy"]),       # noqa: E711
    (sa.select(T.c.name).where(T.c.name.in_(["al", "Cy", "no"])), {}, ["al", "Cy"]),
    (sa.select(T.c.name).where(T.c.name.in_(sa.bindparam("ids", expanding=True))), {"ids": ["bob"]}, ["bob"]),
    (sa.select(T.c.name).where(T.c.name.like("%o_")), {}, ["bob"]), (sa.select(T.c.name).where(T.c.age < 6), {}, ["bob"]),
    (sa.select(T.c.name).order_by(T.c.age).limit(2), {}, ["Cy", "bob"]),
    (sa.select(T.c.name).order_by(T.c.age.desc()).limit(1), {}, ["al"]),
    (sa.select(T.c.name).order_by(T.c.name, T.c.age.asc()), {}, ["7", "Cy", "al", "bob"])]


@pytest.mark.parametrize(("statement", "values", "wanted"), SELECTED)
def test_selects(statement, values, wanted):
    asked = read(statement, values)
    assert [row["name"] for row in asked.shown([row for row in ROWS if asked.fits(row)])] == wanted


def test_columns():
    assert read(sa.select(T.c.name.label("n"), T.c.age), None).shown(ROWS[:1]) == [{"n": "al", "age": 30}]
    assert read(sa.select(sa.text("*")).select_from(T), None).shown(ROWS[:1]) == ROWS[:1]


def test_changes():
    assert read(T.insert(), [{"name": "x"}, {"name": "y"}]).rows == [{"name": "x"}, {"name": "y"}]
    assert read(T.insert().values(name="x", age=sa.bindparam("a")), {"a": 3}).rows == [{"name": "x", "age": 3}]
    assert read(T.insert().values([{"name": "x"}, {"name": "y"}]), None).rows == [{"name": "x"}, {"name": "y"}]
    update = read(T.update().values(age=sa.bindparam("b_age")).where(T.c.name == sa.bindparam("n")), {"b_age": 9, "n": "al"})
    assert update.rows == [{"age": 9}] and [update.fits(row) for row in ROWS] == [True, False, False, False]
    assert read(T.delete().where(T.c.age < sa.bindparam("now")), {"now": 6}).fits(ROWS[1])


@pytest.mark.parametrize("statement", [
    "select 1", sa.text("select 1"), sa.select(T.c.name).where(sa.or_(T.c.age == 1, T.c.age == 2)),
    sa.select(sa.func.count()).select_from(T), sa.select(T, sa.table("b", sa.column("c"))),
    sa.select(T.c.name).where(T.c.age == T.c.at), T.update().values(age=T.c.age + 1), sa.select(T.c.age).order_by(sa.func.now())])
def test_what_is_not_simple(statement):
    with pytest.raises(StoreError, match="cachedb: "):
        read(statement, None)


@pytest.mark.parametrize("value", [0, -5, 1 << 62, 1.5, 3.0, "", "é\n", datetime(2026, 1, 2, 3, 4, 5), b"\0\xff"])
def test_values(value):
    assert unpack(pack(value)) == value and type(unpack(pack(value))) is type(value)


def test_values_that_are_none():
    with pytest.raises(StoreError, match="type list"):
        pack([])
    with pytest.raises(ValueError, match="no stored value"):
        unpack("?")
