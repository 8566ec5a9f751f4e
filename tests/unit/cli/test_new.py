"""`osip new`: every starter checks clean, is laid out as `fmt` does it, runs, and overwrites nothing."""
from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from kit.server import osip_server

from osip.cli.lint import run_lint
from osip.cli.main import osip
from osip.cli.new import ABOUT, contents, kinds, lacking
from osip.main import Options
from osip.script.format import format_text
from osip.testing.coverage import Coverage, as_text
from osip.testing.suite import find, run_file

HERE = kinds()


def make(kind: str, folder: Path) -> Path:
    done = CliRunner().invoke(osip, ["new", kind, str(folder)])
    assert done.exit_code == 0, done.output
    return folder / "osip.cfg"


def test_which_are_there() -> None:
    assert {"residential", "trunking", "loadbalancer", "webrtc"} <= set(HERE) <= set(ABOUT)
    assert all(lacking(kind) for kind in set(ABOUT) - set(HERE))


@pytest.mark.parametrize("kind", HERE)
def test_the_tests_of_a_starter_pass(kind: str, tmp_path: Path) -> None:
    make(kind, tmp_path)
    counted = Coverage()
    results = [one for path in find([tmp_path])[0] for one in run_file(path, counted)]
    assert len(results) >= 3 and [one.fault for one in results if not one.passed] == []
    assert counted.line_percent > 80, as_text(counted)


def test_a_starter_whose_module_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from osip.core.exports import loader
    there = [name for name in loader.available() if name != "rr"]
    monkeypatch.setattr(loader, "available", lambda: there)
    done = CliRunner().invoke(osip, ["new", "trunking", str(tmp_path / "x")])
    assert done.exit_code == 2 and "trunking needs the module rr" in done.output and not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", HERE)
def test_starter_is_clean(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = make(kind, tmp_path / "new")
    assert run_lint(Options(str(script)), strict=True) == 0
    assert capsys.readouterr().out == f"{script}: ok\n"
    text = script.read_text()
    assert format_text(text) == text
    assert text.count("#") > 20, "a starter explains itself"
    assert kind in (tmp_path / "new" / "README.md").read_text()


@pytest.mark.parametrize("kind", HERE)
def test_starter_runs_and_answers(kind: str, tmp_path: Path) -> None:
    script = make(kind, tmp_path)
    with osip_server(script, tmp_path) as running:      # waits for the answer to an OPTIONS
        assert running.child.alive


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "osip.cfg").write_text("mine")
    done = CliRunner().invoke(osip, ["new", "residential", str(tmp_path)])
    assert done.exit_code == 1 and "nothing was written" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["osip.cfg"]
    assert (tmp_path / "osip.cfg").read_text() == "mine"


def test_unknown_kind_names_the_known_ones(tmp_path: Path) -> None:
    done = CliRunner().invoke(osip, ["new", "castle", str(tmp_path)])
    assert done.exit_code == 2 and "residential" in done.output


def test_files_beside_the_script_come_along() -> None:
    assert set(contents("loadbalancer")) == {"osip.cfg", "README.md", "servers.list", "osip.osiptest"}
