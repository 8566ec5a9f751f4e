"""Compiled forms of modules: used when they were made from the sources that are there, and not otherwise."""
from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from osip import _compiled
from osip._compiled import DIGEST, MODULES, SourceFinder, digest, state

PACKAGE = Path(_compiled.__file__).parent


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name in MODULES:
        path = Path(*name.split(".")[1:]).with_suffix(".py")
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / path, tmp_path / path)
    return tmp_path


def test_the_digest_tells_whether_they_fit(package: Path) -> None:
    assert state(package) == ""
    (package / DIGEST).write_text(digest(package))
    assert state(package) == "current"
    with (package / "modules/tm/machine.py").open("a") as source:
        source.write("# changed\n")
    assert state(package) == "stale"


@pytest.mark.parametrize("name", MODULES)
def test_the_source_of_each_can_be_found(name: str) -> None:
    folder = importlib.import_module(name.rpartition(".")[0]).__path__
    spec = SourceFinder.find_spec(name, list(folder))
    assert spec is not None and spec.origin == str(PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py"))


def test_other_modules_are_none_of_its_business() -> None:
    assert SourceFinder.find_spec("osip.api", [str(PACKAGE)]) is None
    assert SourceFinder.find_spec(MODULES[0]) is None


def test_pure_python_uses_the_sources() -> None:
    show = f"import importlib; print(*[importlib.import_module(name).__file__ for name in {MODULES}])"
    told = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True,
                          env=os.environ | {"OSIP_PURE": "1"}).stdout.split()
    assert len(told) == len(MODULES) and all(file.endswith(".py") for file in told)
