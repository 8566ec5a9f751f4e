"""The Python that each construct becomes: `NAME.py.expect` beside `NAME.cfg`.

After an intended change set OSIP_WRITE_EXPECT=1 once, and read the difference.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from kit.words import Stage

FOLDER = Path(__file__).parent / "emit"
NAMES = sorted(path.stem for path in FOLDER.glob("*.cfg"))


def test_there_are_some() -> None:
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_emitted_source(name: str) -> None:
    stage = Stage((FOLDER / f"{name}.cfg").read_text(), path=f"{name}.cfg", enable_asserts=1)
    text = "\n\n\n".join(ast.unparse(node) for node in ast.parse(stage.source()).body) + "\n"
    expect = FOLDER / f"{name}.py.expect"
    if os.environ.get("OSIP_WRITE_EXPECT"):
        expect.write_text(text)
    assert text == expect.read_text()
