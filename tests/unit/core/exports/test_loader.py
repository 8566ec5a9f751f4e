"""Modules by the names of loadmodule: built-in, from a folder, broken, of another API."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osip.core.errors import ModuleError
from osip.core.exports import loader

GOOD = '"""A module."""\nfrom osip.api import Module\n\nclass Some(Module):\n    """Some."""\n    api = {api}\n'


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Forget what was loaded from folders."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("osip_ext"):
            del sys.modules[name]


@pytest.mark.parametrize(("text", "name"), [
    ("tm.so", "tm"), ("tm", "tm"), ("modules/tm/tm.so", "tm"), ("/usr/lib/opensips/modules/tm.so", "tm"), ("greet.py",
        "greet"),
    ("cpl-c.so", "cpl_c"), ("a\\b.so", "b"), ("x/", "x"), ("mi_xmlrpc_ng.so", "mi_xmlrpc"), ("siptrace.so", "tracer")])
def test_names(text: str, name: str) -> None:
    assert loader.module_name(text) == name


def test_built_in_modules() -> None:
    cls, origin = loader.load("modules/textops.so", [])
    assert cls.name == "textops" and origin == "osip.modules.textops"
    assert not loader.shadows("textops", origin) and loader.shadows("textops", "elsewhere/textops.py")
    assert {"tm", "sl", "textops"} <= set(loader.available())


def test_every_built_in_module_loads() -> None:
    for name in loader.available():
        assert loader.load(name, [])[0].name == name


@pytest.mark.parametrize("text", ["none.so", "../evil", "", "a b", "os", "tm.machine"])
def test_no_module(text: str) -> None:
    with pytest.raises(ModuleError, match=loader.NO_MODULE):
        loader.load(text, [])


def test_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(GOOD.format(api=1))
    for mpaths, base in (([str(tmp_path)], "."), (["none", "."], str(tmp_path))):
        cls, origin = loader.load("some.so", mpaths, base)
        assert cls.name == "some" and Path(origin).name == "some.py"
    cls, _ = loader.load(str(tmp_path / "some.so"), [])
    assert cls.name == "some"


def test_a_package(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "__init__.py").write_text("from osip_ext.big.room import Big\n")
    (tmp_path / "big" / "room.py").write_text(GOOD.format(api=1).replace("Some(", "Big("))
    cls, _ = loader.load("big.so", [str(tmp_path)])
    assert cls.__name__ == "Big" and cls.spec.doc == "Some."


def test_a_folder_comes_before_the_built_in(tmp_path: Path) -> None:
    (tmp_path / "sl.py").write_text(GOOD.format(api=1))
    cls, origin = loader.load("sl.so", [str(tmp_path)])
    assert cls.name == "sl" and loader.shadows("sl", origin)


def test_loaded_once(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(GOOD.format(api=1))
    assert loader.load("some.so", [str(tmp_path)])[0] is loader.load("some.so", [str(tmp_path)])[0]


@pytest.mark.parametrize(("text", "words"), [
    ("raise RuntimeError('at import')", "could not be loaded: at import"), ("import no_such_package_anywhere",
        "no_such_package_anywhere"),
    ("def (", "could not be loaded"), ("x = 1", "defines 0"),
    (GOOD.format(api=1) + "class Other(Module):\n    pass\n", "defines 2"),
    (GOOD.format(api=0), "the module is older"), (GOOD.format(api=99), "this osip is older")])
def test_broken_modules(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "some.py").write_text(text)
    with pytest.raises(ModuleError, match=words):
        loader.load("some.so", [str(tmp_path)])
    (tmp_path / "some.py").write_text(GOOD.format(api=1))
    if "osip_ext.some" not in sys.modules:
        assert loader.load("some.so", [str(tmp_path)])[0].name == "some", "mended, it loads"
