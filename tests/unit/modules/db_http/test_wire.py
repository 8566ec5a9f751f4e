"""Statements as variables, and answers as rows."""
from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
import sqlalchemy as sa

from osip.api import StoreError
from osip.modules.db_http.wire import answer, question

T = sa.table("users", sa.column("a"), sa.column("b"), sa.column("c"))
MARKS = (";", "\n", "|")


@pytest.mark.parametrize(("statement", "values", "expected"), [
    (sa.select(T), None, "c=a,b,c"),
    (sa.select(T.c.a).where(T.c.b == "x y", T.c.c > 5).order_by(T.c.a), None, "k=b,c&op=%3D,%3E&v=x%20y,5&c=a&o=a"),
    (sa.select(T.c.a).where(T.c.b.is_(None)), None, "k=b&op=%3D&v=%00&c=a"),
    (sa.select(T.c.a).where(T.c.b == sa.bindparam("who")), {"who": "a,b&c"}, "k=b&op=%3D&v=a%2Cb%26c&c=a"),
    (T.insert(), {"a": 1, "b": None}, "k=a,b&v=1,%00&query_type=insert"),
    (T.insert().values(a=1, b="é"), None, "k=a,b&v=1,%C3%A9&query_type=insert"),
    (T.update().values(a=2).where(T.c.b == 3), None, "k=b&op=%3D&v=3&uk=a&uv=2&query_type=update"),
    (T.delete().where(T.c.b != "x"), None, "k=b&op=%21%3D&v=x&query_type=delete"), (T.delete(), None, "query_type=delete")])
def test_questions(statement: Any, values: Any, expected: str) -> None:
    found = question(statement, values)
    assert (found.table, found.text(",")) == ("users", expected)
    assert parse_qsl(found.text(","), keep_blank_values=True)


@pytest.mark.parametrize("statement", [
    sa.select(T).where((T.c.a == 1) | (T.c.b == 2)), sa.select(T).where(T.c.a == T.c.b), sa.text("select 1"),
    sa.select(T).order_by(T.c.a, T.c.b), sa.select(T, sa.table("other", sa.column("x"))), sa.select(T).where(T.c.a.like("x"))])
def test_too_much(statement: Any) -> None:
    with pytest.raises(StoreError, match="http"):
        question(statement)


@pytest.mark.parametrize(("text", "rows"), [
    ("", []), ("int;string\n", []),
    ("int;string\n1;a\n;\n", [{"x": 1, "y": "a"}, {"x": None, "y": ""}]),
    ("double;date\n1.5;2026-01-02 03:04:05\n", [{"x": 1.5, "y": datetime(2026, 1, 2, 3, 4, 5)}]),
    ("str;blob\n|a;b\nc||d|;x", [{"x": "a;b\nc|d", "y": "x"}]), ("str;str\n\0;", [{"x": None, "y": ""}])])
def test_answers(text: str, rows: Any) -> None:
    assert answer(text, ["x", "y"], MARKS) == rows


@pytest.mark.parametrize("text", ["int\n1\n", "int;money\n", "int;int\n1\n", "int;int\n1;x\n", "str;str\n|a;b\n", "<html>"])
def test_no_answers(text: str) -> None:
    with pytest.raises(StoreError, match="http"):
        answer(text, ["x", "y"], MARKS)


def test_names_of_their_own() -> None:
    assert answer("int;int\n1;2\n", [], MARKS) == [{"0": 1, "1": 2}]
