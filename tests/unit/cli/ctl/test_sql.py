"""`osipctl db`: statements, tables, what may only read, and what is not shown."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_statements(ctl: Any, rows: Any) -> None:
    assert ctl("db", "exec", "create table t (n integer, s text, b blob)").exit_code == 0
    done = ctl("-o", "json", "db", "exec", "insert into t values (1, 'a:b 5% :c', x'0102'), (2, null, null)")
    assert json.loads(done.stdout) == {"rows": 2}
    assert rows("db", "exec", "select * from t order by n") == [{"n": 1, "s": "a:b 5% :c", "b": "<2 bytes>"},
                                                                {"n": 2, "s": None, "b": None}]
    assert rows("db", "roexec", "select n from t where s like '%:b 5!%%' escape '!'") == [{"n": 1}]
    assert "None" not in ctl("db", "exec", "select * from t").stdout
    piped = ctl("-o", "csv", "db", "exec", "-", stdin="select n\nfrom t\nwhere n = 2\n")
    assert piped.stdout.split() == ["n", "2"]


def test_reading_only(ctl: Any, rows: Any) -> None:
    ctl("db", "exec", "create table t (n integer)")
    for verb in ("ro", "roexec"):
        refused = ctl("db", verb, "insert into t values (1)")
        assert refused.exit_code == 1 and "readonly" in refused.stderr.replace("-", "").replace("read only", "readonly")
    assert rows("db", "ro", "select count(*) as n from t") == [{"n": 0}]


def test_a_mistake(ctl: Any) -> None:
    done = ctl("db", "exec", "selct 1")
    assert done.exit_code == 1 and "syntax error" in done.stderr and "Traceback" not in done.output


def test_statements_with_names(ctl: Any, rows: Any, here: Path) -> None:
    (here / "opensipsctlrc").write_text("MAKE='create table t (n integer)'\nALL=\"select count(*) as n from t\"\n")
    assert ctl("db", "run", "MAKE").exit_code == 0 and rows("db", "rorun", "ALL") == [{"n": 0}]
    none = ctl("db", "run", "NONE")
    assert none.exit_code == 1 and "has no statement NONE" in none.stderr


def test_show(ctl: Any, rows: Any) -> None:
    ctl("add", "bob@h", "--password-stdin", "--plain", stdin="pw\n")
    row, = rows("db", "show", "subscriber")
    assert (row["username"], row["password"], row["ha1"], row["ha1_sha256"]) == ("bob", "***", "***", "***")
    row, = rows("db", "show", "subscriber", "--secrets")
    assert row["password"] == "pw" and len(row["ha1"]) == 32
    ctl("add", "eve@h", "--password-stdin", stdin="pw\n")
    few = ctl("-o", "json", "db", "show", "subscriber", "--limit", 1)
    assert len(json.loads(few.stdout)) == 1 and "more than 1 rows" in few.stderr


def test_show_of_nothing(ctl: Any) -> None:
    ctl("db", "exec", "create table t (n integer)")
    done = ctl("db", "show", "x; drop table t")
    assert done.exit_code == 1 and 'has no table "x; drop table t"' in done.stderr and "osip db create" in done.stderr
    assert ctl("db", "show", "t").exit_code == 0
