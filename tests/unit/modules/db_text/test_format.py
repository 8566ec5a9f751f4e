"""The text form of tables."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osip.modules.db_text.format import Column, parse, split, write

COLUMNS = [Column("id", "int", auto=True), Column("name", "string"), Column("note", "string", nullable=True),
           Column("q", "double")]


def test_a_file() -> None:
    text = "id(int,auto) name(string) note(str,null) q(double)\n1:a\\:b::1.5\n\n# a comment\n:\\\\\\n:x y:\n"
    columns, rows = parse(text)
    assert [column.text for column in columns] == ["id(int,auto)", "name(string)", "note(str,null)", "q(double)"]
    assert rows == [[1, "a:b", None, 1.5], [None, "\\\n", "x y", 0.0]]


@pytest.mark.parametrize(("text", "words"), [
    ("", "no columns"), ("a", "is no column"), ("a(int,x)", "null, auto or neither"), ("a(money)", "types are"),
    ("a(int)\nx", "line 2.*no number"), ("a(int) b(int)\n1", "line 2 has 1 fields"), ("a(int)\n1\n1:2", "line 3 has 2")])
def test_faults(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(("line", "parts"), [
    ("", [""]), ("a", ["a"]), ("a:", ["a", ""]), (":", ["", ""]), ("a\\:b:c", ["a\\:b", "c"]), ("\\\\:x", ["\\\\", "x"])])
def test_split(line: str, parts: list[str]) -> None:
    assert split(line) == parts


@given(st.lists(st.tuples(st.integers(1, 2 ** 40), st.text(max_size=20), st.text(min_size=1, max_size=9), st.floats(
    allow_nan=False, allow_infinity=False)), max_size=5))
def test_there_and_back(rows: list[tuple[int, str, str, float]]) -> None:
    given_rows = [list(row) for row in rows]
    assert parse(write(COLUMNS, given_rows)) == (COLUMNS, given_rows)
