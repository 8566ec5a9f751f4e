"""docs/language.md is in step with the declarations, and no name of the reference is left out unsaid."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KINDS = {"settings": "setting", "statements": "statement", "functions": "function", "variables": "variable",
         "transformations": "transformation"}


def sections(text: str, head: str) -> dict[str, list[str]]:
    """Return the lines below each heading."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        match = re.fullmatch(head, line)
        if match:
            lines = found.setdefault(match.group(1).lower(), [])
        elif line:
            lines.append(line)
    return found


NAMES = sections((HERE / "language_names.txt").read_text(), r"\[(\w+)\]")
MISSING = {(line.split()[0], name) for line in NAMES["missing"] for name in line.partition(": ")[2].split()}


def written(kind: str) -> set[str]:
    """Return the names in the first column of a table of the page."""
    rows = sections((ROOT / "docs" / "language.md").read_text(), r"## (\w+)")[kind]
    cells = [row.split(" | ")[0] for row in rows if row.startswith("| `")]
    words = {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}
    return {re.sub(r"^[${]*|[}]*$", "", word.partition("(")[0]) for word in words}


def test_the_page_is_in_step() -> None:
    run = subprocess.run([sys.executable, ROOT / "scripts" / "gen_language.py", "--check"], capture_output=True,
                         text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_of_the_reference_is_there(kind: str) -> None:
    names = [name for line in NAMES[kind] for name in line.split()]
    assert len(names) > 25
    there = written(kind)
    lost = [name for name in names if name not in there and (KINDS[kind], name) not in MISSING]
    assert lost == [], f"{kind} of the reference that docs/language.md does not have"


def test_what_is_missing_belongs_to_modules_and_is_no_setting_or_statement() -> None:
    assert {kind for kind, _ in MISSING} <= {"function", "variable", "transformation"}
    known = {(KINDS[kind], name) for kind in KINDS for line in NAMES[kind] for name in line.split()}
    assert MISSING <= known
