"""Check rows of tables in tests and in `osip sim`."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.errors import OsipError
from osip.testing import suite
from osip.testing.bench import Bench
from osip.testing.language import read
from osip.testing.rows import cell, fill
from osip.testing.sim import fix
from osip.testing.words import FileFault

SCRIPT = ('loadmodule "proto_udp.so"\nloadmodule "sl.so"\nloadmodule "signaling.so"\nloadmodule "db_sqlite.so"\n'
          'loadmodule "permissions.so"\nmodparam("permissions", "address_table", "known")\n'
          'route {\n\tif (check_address(1, $si, $sp, "udp")) sl_send_reply(200, "Known");\n'
          '\telse sl_send_reply(403, "Unknown");\n}\n')


def test_cells() -> None:
    assert [cell(text) for text in ("a=1", "a=-5", "a=0049", "a=null", "a=", "a=b=c")] == [
        ("a", 1), ("a", -5), ("a", "0049"), ("a", None), ("a", ""), ("a", "b=c")]
    with pytest.raises(OsipError, match="is not NAME=VALUE"):
        cell("a")


@pytest.mark.parametrize("head", ["", 'db_default_url = "mysql://a:b@db/osip"\n'])
def test_a_script_of_tables_runs_and_reads_the_rows_of_a_test(tmp_path: Path, head: str) -> None:
    (tmp_path / "s.cfg").write_text(head + SCRIPT)
    cases = read('script s.cfg\ntest "empty"\nsend OPTIONS sip:x@y\nexpect reply 403\ntest "row"\n'
                 "row known ip=10.0.0.1 mask=32 grp=1 port=0 proto=any\nsend OPTIONS sip:x@y\nexpect reply 200\n",
                 str(tmp_path / "x.osiptest"))
    for case in cases:
        result = suite.run_case(case, "x")
        assert result.passed, result


@pytest.mark.parametrize(("text", "col", "words"), [("row", 4, "name of the table is missing"),
                                                    ("row t", 6, "NAME=VALUE is missing"),
                                                    ("row t a", 7, "is not NAME=VALUE"),
                                                    ("sql ~x row a", 12, "is not NAME=VALUE")])
def test_complaints_have_places(text: str, col: int, words: str) -> None:
    with pytest.raises(FileFault) as caught:
        read(text, "x.osiptest")
    assert caught.value.col == col and words in caught.value.reason


def test_rows_of_a_word_and_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text('ip,mask,grp,port,proto,context_info\n10.0.0.1,32,1,0,any,"a,b"\n')
    for words in ("known=ip=10.0.0.1,mask=32,grp=1,port=0,proto=any", f"known=@{path}"):
        with Bench(text=SCRIPT) as bench:
            fix(bench, f"row={words}")
            bench.send("OPTIONS sip:x@y").expect_reply(200)
            bench.send("OPTIONS sip:x@y", source="10.0.0.9").expect_reply(403)


@pytest.mark.parametrize(("content", "words"), [(b"a,b\n1\n", "more or fewer"), (b"a\n1,2\n", "more or fewer"),
                                                (b"a\n\xff\n", "cannot read"), (b'a\n"x\n', "cannot read"),
                                                (None, "cannot read .*: No such file")])
def test_a_bad_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_bytes(content)
    with Bench(text=SCRIPT) as bench, pytest.raises(OsipError, match=words):
        fill(bench.sql, "t", f"@{path}")
