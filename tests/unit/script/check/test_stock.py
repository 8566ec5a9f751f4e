"""Built-in modules that are not loaded."""
from __future__ import annotations

from osip.core.exports import loader
from osip.core.exports.registry import Registry
from osip.script.check.stock import Stock, loadmodule_hint


def test_finds_the_module_of_a_function():
    assert Stock(Registry()).with_function("mf_process_maxfwd_header") == ["maxfwd"]
    assert Stock(Registry()).function_names()["mf_process_maxfwd_header"] == "maxfwd"


def test_says_nothing_of_loaded_modules_or_unknown_names():
    registry = Registry()
    registry.add(loader.load("maxfwd", [])[0])
    assert Stock(registry).with_function("mf_process_maxfwd_header") == []
    assert Stock(registry).with_function("no_such_function") == []
    assert Stock(registry).with_pvar("no_such") == Stock(registry).with_transform("no.such") == []


def test_hint():
    assert loadmodule_hint(["a", "b"]) == 'add loadmodule "a.so" or loadmodule "b.so"'
