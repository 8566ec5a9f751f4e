"""`osip modules list` and `osip modules show`."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from osip.cli.modules import letters, modules
from osip.core.exports import loader


def test_list(run) -> None:      # type: ignore[no-untyped-def]
    rows = json.loads(run(modules, "list", "--json").stdout)
    assert [row["module"] for row in rows] == loader.available() and all(row["about"] for row in rows)
    table = run(modules, "list").stdout.splitlines()
    assert table[0].split() == ["module", "about"] and len(table) == len(rows) + 1


@pytest.mark.parametrize("name", loader.available())
def test_show(name: str, run) -> None:       # type: ignore[no-untyped-def]
    spec = loader.load(name, [])[0].spec
    data = json.loads(run(modules, "show", name, "--json").stdout)
    assert data["name"] == name and [f["name"] for f in data["functions"]] == [f.name for f in spec.functions]
    text = run(modules, "show", name).stdout
    for word in (*(f.name for f in spec.functions), *(p.name for p in spec.params), *(m.canonical for m in spec.mi)):
        assert word in text


def test_signatures(run) -> None:        # type: ignore[no-untyped-def]
    text = run(modules, "show", "textops").stdout
    assert "  replace(pattern:re, text:str) QFRBL  Replace the first match" in text
    assert "append_hf(text:str, [anchor:str])" in text


def test_a_module_of_a_folder(run, tmp_path: Path) -> None:      # type: ignore[no-untyped-def]
    (tmp_path / "own.py").write_text('from osip.api import Module\n\nclass Own(Module):\n    """My own."""\n')
    found = run(modules, "show", "own", "--mpath", tmp_path)
    assert found.exit_code == 0 and found.stdout.startswith("own: My own.")


def test_no_such_module(run) -> None:        # type: ignore[no-untyped-def]
    found = run(modules, "show", "none")
    assert found.exit_code == 1 and "none" in found.stderr and found.stdout == ""
    assert run(modules, "show").exit_code == 2


@pytest.mark.parametrize(("mask", "text"), [(511, "*"), (1, "Q"), (47, "QFRBL"), (0, "")])
def test_letters(mask: int, text: str) -> None:
    assert letters(mask) == text
