"""Check the splitting of test files into words."""
from __future__ import annotations

import pytest

from osip.testing.words import FileFault, split


def test_quotes_blanks_and_comments() -> None:
    found = split("""a "b c" ~"d#e" 'f\\n' "x\\n\\"" g#h # comment""", 3, "x")
    assert [word.text for word in found] == ["a", "b c", "~d#e", "f\\n", 'x\n"', "g#h"]
    assert [word.col for word in found] == [1, 3, 9, 16, 22, 30]
    assert [word.quoted for word in found] == [False, True, True, True, True, False]
    assert split("   ", 1, "x") == split("# all", 1, "x") == []


def test_a_backslash_before_other_letters_stays() -> None:
    assert split(r'"\d+\."', 1, "x")[0].text == r"\d+\."


def test_an_open_quote() -> None:
    with pytest.raises(FileFault, match=r"f\.osiptest:7:3: .*not closed"):
        split("a 'b c", 7, "f.osiptest")
