"""Lines of several files in one code object."""
from __future__ import annotations

import pytest

from osip.core.run.place import FILES, SHIFT, packed, place, place_in

NAMES = ("main.cfg", "a.cfg", "b.cfg")


@pytest.mark.parametrize("file", NAMES)
@pytest.mark.parametrize("line", [1, 77, (1 << SHIFT) - 1])
def test_round_trip(file: str, line: int) -> None:
    number = packed(NAMES, file, line)
    assert 0 < number < 1 << 31 and place("outer.cfg", number, NAMES) == (file, line)
    assert place_in({FILES: NAMES}, "outer.cfg", number) == f"{file}:{line}"


def test_own_lines_stay() -> None:
    assert place("outer.cfg", 12, NAMES) == ("outer.cfg", 12) and place_in({}, "x.py", 7) == "x.py:7"


@pytest.mark.parametrize(("files", "file", "line"), [
    (NAMES, "c.cfg", 1), ((), "a.cfg", 1), (NAMES, "a.cfg", 1 << SHIFT),
    (tuple(f"{n}.cfg" for n in range(2000)), "1999.cfg", 1)])
def test_what_has_no_number(files: tuple[str, ...], file: str, line: int) -> None:
    assert packed(files, file, line) == 0
