"""The base class: names, what is collected, what is inherited."""
from __future__ import annotations

import types
from typing import Any

import pytest

from osip.api import Module, function, gauge, hook, Hook, param, stat, timer
from osip.core.exports.module import collect


@pytest.mark.parametrize(("file", "name"), [
    ("osip.modules.maxfwd", "maxfwd"), ("osip.modules.tm.module", "tm"), ("osip_ext.greet", "greet"),
    ("osip_ext.big.__init__", "big")])
def test_a_module_is_named_by_its_file(file: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    monkeypatch.setitem(sys.modules, file, types.ModuleType(file, "From the file."))
    made = type("Any", (Module,), {"__module__": file})
    assert made.name == name and made.spec.doc == "From the file."      # type: ignore[attr-defined]


class Words:
    """A mixin."""
    size = param(1, doc="Size.")

    @function("Q")
    def go(self, ctx: Any) -> int:
        """Go."""
        return 1


class Parent(Words, Module):
    """A parent."""
    name = "parent"
    hits = stat("Hits.")

    @timer(5)
    def tick(self) -> None:
        """Tick."""

    @hook(Hook.REQUEST, order=3)
    def on_request(self, ctx: Any) -> bool:
        return False

    @gauge()
    def users(self) -> int:
        """Users."""
        return 1


class Child(Parent):
    """A child that leaves a word out and changes a parameter."""
    name = "child"
    go = None           # type: ignore[assignment]
    size = param(2, doc="Another size.")


def test_mixins_and_parents_are_collected() -> None:
    spec = Parent.spec
    assert [f.name for f in spec.functions] == ["go"] and spec.functions[0].module == "parent"
    assert [(s.name, s.group) for s in spec.stats] == [("hits", "parent"), ("users", "parent")]
    assert [(h.hook, h.order) for h in spec.hooks] == [("request", 3)] and spec.timers[0].every == 5
    assert spec.param("size").default == 1 and spec.param("none") is None       # type: ignore[union-attr]


def test_a_child_may_drop_and_change() -> None:
    assert not Child.spec.functions and [p.default for p in Child.spec.params] == [2] and Child.spec.name == "child"
    assert Child().size == 2 and Parent().size == 1
    assert collect(Child) == Child.spec


def test_an_instance_starts_from_its_declarations() -> None:
    one, two = Parent(), Parent()
    one.hits += 1
    assert (one.hits, two.hits, one.users(), one.reload_check(None)) == (1, 0, 1, [])


async def test_the_steps_of_life_do_nothing_by_themselves() -> None:
    module: Any = Parent()
    module.mod_init()
    await module.child_init(None)
    await module.destroy()
