"""Statements from JSON."""
from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from osip.modules.sqlops import build


def text(statement: Any) -> str:
    return " ".join(str(statement.compile(compile_kwargs={"literal_binds": True})).split())


@pytest.mark.parametrize(("args", "sql"), [
    ((None, "t", None, None), "SELECT * FROM t"),
    (('["a","b"]', "t", '[{"a":"x"}]', "b"), "SELECT a, b FROM t WHERE a = 'x' ORDER BY b"),
    (("*", "t", '[{"a":{">":5}},{"b":null},{"c":{"!=":null}}]', ""),
     "SELECT * FROM t WHERE a > 5 AND b IS NULL AND c IS NOT NULL"),
    (("", "t", '{"a":{"like":"x%","<=":"y"}}', None), "SELECT * FROM t WHERE (a like 'x%') AND a <= 'y'"),
    (('["order"]', "t", '[{"a":"it\'s"}]', None), "SELECT \"order\" FROM t WHERE a = 'it''s'")])
def test_select(args: tuple[Any, ...], sql: str) -> None:
    assert text(build.select(*args)) == sql


def test_changes() -> None:
    update = build.update('[{"a":1},{"b":"x"}]', "t", '[{"c":"d"}]').compile()
    assert (str(update), update.params) == ("UPDATE t SET a=:a, b=:b WHERE c = :c_1", {"a": 1, "b": "x", "c_1": "d"})
    insert = build.insert("t", '[{"a":1},{"b":null}]').compile()
    assert (str(insert), insert.params) == ("INSERT INTO t (a, b) VALUES (:a, :b)", {"a": 1, "b": None})
    assert text(build.delete("t", None)) == "DELETE FROM t"
    statement, values = build.replace("t", '{"a":1,"key":"x"}', mysql.dialect())
    assert str(statement) == "REPLACE INTO t (a, `key`) VALUES (:v0, :v1)" and values == {"v0": 1, "v1": "x"}
    with pytest.raises(ValueError, match="postgresql has no REPLACE"):
        build.replace("t", '{"a":1}', postgresql.dialect())


@pytest.mark.parametrize(("make", "args"), [
    (build.select, ("{}", "t", None, None)), (build.select, ('["a b"]', "t", None, None)),
    (build.select, (None, "t; drop table t", None, None)), (build.select, (None, "t", "x", None)),
    (build.select, (None, "t", '["x"]', None)), (build.select, (None, "t", '[{"a":{"= 1 or":2}}]', None)),
    (build.select, (None, "t", '[{"a":{"=":[1]}}]', None)), (build.select, (None, "t", None, "a desc")),
    (build.update, ("[]", "t", None)), (build.update, ('[{"a":{}}]', "t", None)), (build.insert, ("t", "5")),
    (build.select, (None, "t", "[" * 100000, None))])
def test_refused(make: Any, args: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError):
        make(*args)


def test_nothing_but_core() -> None:
    assert isinstance(build.delete("t", '[{"a":1}]'), sa.Delete)
