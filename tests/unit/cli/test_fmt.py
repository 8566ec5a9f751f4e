"""`osip fmt`: its options and exit codes; the layout itself is tested with the script package."""
from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from osip.cli.main import osip

UGLY = "route{exit;} # x\n"
FINE = "route {\n\texit;\n}  # x\n"


def fmt(*words: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(osip, ["fmt", *map(str, words)], input=given)


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    path = tmp_path / "ugly.cfg"
    path.write_text(UGLY)
    return path


def test_result_is_printed_and_the_file_stays(ugly: Path) -> None:
    done = fmt(ugly)
    assert (done.exit_code, done.stdout) == (0, FINE)
    assert ugly.read_text() == UGLY


def test_standard_input() -> None:
    assert fmt("-", given=UGLY).stdout == FINE


def test_check_names_the_file(ugly: Path, tmp_path: Path) -> None:
    fine = tmp_path / "fine.cfg"
    fine.write_text(FINE)
    done = fmt("--check", ugly, fine)
    assert (done.exit_code, done.stdout) == (1, f"{ugly} would change\n")
    assert fmt("--check", fine).exit_code == 0
    assert ugly.read_text() == UGLY


def test_diff(ugly: Path) -> None:
    done = fmt("--diff", ugly)
    assert done.exit_code == 0 and "-route{exit;} # x\n+route {\n" in done.stdout
    assert ugly.read_text() == UGLY


def test_write(ugly: Path) -> None:
    assert fmt("-w", ugly).exit_code == 0
    assert ugly.read_text() == FINE
    stamp = ugly.stat().st_mtime_ns
    assert fmt("-w", ugly).exit_code == 0
    assert ugly.stat().st_mtime_ns == stamp, "an unchanged file is not written"


def test_bytes_that_are_no_text_survive(tmp_path: Path) -> None:
    path = tmp_path / "latin.cfg"
    path.write_bytes(b"# caf\xe9\r\nroute{f('\xe9');}\r\n")
    assert fmt("-w", path).exit_code == 0
    assert path.read_bytes() == b"# caf\xe9\r\nroute {\r\n\tf('\xe9');\r\n}\r\n"


def test_faulty_file_is_refused_with_the_place_and_the_others_are_done(ugly: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.cfg"
    bad.write_text("route {\n\texit\n}\n")
    done = fmt("-w", bad, ugly)
    assert done.exit_code == 1
    assert f"{bad}:2:" in done.stderr and "E002" in done.stderr and "not formatted" in done.stderr
    assert bad.read_text() == "route {\n\texit\n}\n"
    assert ugly.read_text() == FINE


def test_missing_file() -> None:
    done = fmt("/nowhere/a.cfg")
    assert done.exit_code == 1 and "cannot read" in done.stderr
