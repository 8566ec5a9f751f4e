"""Each source file has its test file: osip/a/b.py and tests/unit/a/test_b.py, or a folder of that name."""
from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHORT = 30
"""A file of so few lines holds nothing that could be wrong by itself."""

ELSEWHERE = {
    "api.py": "re-exports names; every module's tests import from it",
    "core/run/program.py": "a Protocol: nothing to run",
    "script/nodes.py": "frozen values; tests/unit/script/test_tree.py and test_parse.py make and read each of them",
    "core/exports/diagnostic.py": "frozen values; tests/unit/script/test_report.py shows them",
    "modules/proto_tcp.py": "tests/modules/test_proto_tcp.py, over real sockets",
    "modules/proto_tls.py": "tests/modules/test_proto_tls.py, over real sockets",
    "modules/proto_ws.py": "tests/modules/test_proto_ws.py, over real sockets",
    "modules/proto_wss.py": "tests/modules/test_proto_wss.py, over real sockets",
}
"""Files without a test file of their own, and where they are tested."""

SOURCES = sorted(path for path in (ROOT / "osip").rglob("*.py") if path.name != "__init__.py"
                 and path.read_text().count("\n") > SHORT)


def relative(path: Path) -> str:
    return path.relative_to(ROOT / "osip").as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_each_file_has_its_tests(path: Path) -> None:
    name = relative(path)
    twin = ROOT / "tests" / "unit" / Path(name)
    found = twin.with_name(f"test_{path.name}").exists() or twin.with_suffix("").is_dir()
    assert found or name in ELSEWHERE, f"tests/unit/{Path(name).parent.as_posix()}/test_{path.name} is missing"
    assert not (found and name in ELSEWHERE), f"{name} has tests now: take it off the list"


def test_the_list_names_files_that_are_there() -> None:
    assert not [name for name in ELSEWHERE if not (ROOT / "osip" / name).exists()]


def test_no_test_outlives_its_file() -> None:
    unit = ROOT / "tests" / "unit"
    lost = []
    for path in unit.rglob("test_*.py"):
        stem = path.stem.removeprefix("test_")
        folder = ROOT / "osip" / path.parent.relative_to(unit)
        # A package of rules may be tested by subject, as one folder for one file or one package.
        twin = (folder / f"{stem}.py").exists() or (folder / stem).is_dir()
        if folder.is_dir() and not twin and stem not in SUBJECTS:
            lost.append(path.relative_to(unit).as_posix())
    assert not lost


SUBJECTS = {"__init__", "clean", "robust", "live"}
"""Test files that are about a whole package."""
