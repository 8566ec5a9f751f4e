"""What stands between two tokens: remarks, blank lines, include lines in disguise."""
from __future__ import annotations

import pytest

from osip.script.gaps import cut, disguise

GAPS = [
    ("", [], 0), ("  \t", [], 0), ("\n \n\n", [], 3), (" \\\n ", [], 1),
    (" # a  \n", [("# a", 0, True)], 1), ("\n\n// a\n  # b", [("// a", 2, True), ("# b", 1, True)], 0),
    ("/* a */ ", [("/* a */", 0, False)], 0), ("/* a\n/* b */ */\n", [("/* a\n/* b */ */", 0, True)], 1),
    ("/* a */ /* b */\n", [("/* a */", 0, False), ("/* b */", 0, True)], 1),
    (" lost words # here\n", [("lost words # here", 0, True)], 1), ("#a\r\n\r\n", [("#a", 0, True)], 2),
]


@pytest.mark.parametrize(("text", "notes", "newlines"), GAPS)
def test_cut(text: str, notes: list[tuple[str, int, bool]], newlines: int) -> None:
    gap = cut(f"x{text}y", 1, 1 + len(text))
    assert ([(note.text, note.newlines, note.ends_line) for note in gap.notes], gap.newlines) == (notes, newlines)
    for note in gap.notes:
        assert f"x{text}y"[note.start:].startswith(note.text)


@pytest.mark.parametrize(("text", "want"), [
    ('include_file "a"\n', '#nclude_file "a"\n'), ("a\n\t import_file 'b'", "a\n\t #mport_file 'b'"),
    ("f(include_file)", "f(include_file)"), ("include_files", "include_files"), ("", "")])
def test_include_lines_become_comments_of_equal_length(text: str, want: str) -> None:
    assert disguise(text) == want and len(want) == len(text)
