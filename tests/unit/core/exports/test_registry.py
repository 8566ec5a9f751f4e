"""Names of one boot: who exports what, aliases, shadows, parameters, order of start."""
from __future__ import annotations

from typing import Any

import pytest

from osip.api import Module, function, mi, needs, param, pvar, transform
from osip.core.errors import ModuleError
from osip.core.exports.registry import Registry


class Base(Module):
    """The language's own."""
    name = "core_base"

    @function(aliases=("old_go",))
    def go(self, ctx: Any) -> int:
        """Go."""
        return 1

    @transform("na.uri")
    def uri(value: str, *, index: int = 0) -> str:      # noqa: N805
        """Pick one."""
        return f"{value}:{index}"

    @transform("s.len")
    def length(value: str) -> int:                      # noqa: N805
        """Count."""
        return len(value)


class Extra(Module):
    """A loaded one."""
    name = "extra"
    size = param(5, doc="Size.")
    gone = param(0, removed="no longer")
    names = param((), kind=str, multiple=True, doc="Names.")

    @function()
    def go(self, ctx: Any) -> int:
        """Go elsewhere."""
        return 2

    @pvar("x", aliases=("ex",))
    def x(self, ctx: Any) -> str:
        """X."""
        return "x"

    @mi("list")
    def list_(self) -> str:
        """List."""
        return ""


@pytest.fixture
def registry() -> Registry:
    found = Registry((Base,))
    found.add(Extra)
    return found


def test_names(registry: Registry) -> None:
    assert registry.loaded == ["extra"] and [s.name for s in registry.specs] == ["core_base", "extra"]
    assert registry.function("go") is Extra.spec.functions[0], "a loaded module takes a name over"
    assert registry.function("old_go") is Base.spec.functions[0] and registry.function("none") is None
    assert registry.pvar("x") is registry.pvar("ex") and registry.pvar("y") is None
    assert set(registry.function_names()) == {"go", "old_go"} and registry.pvar_names() == ["x", "ex"]
    assert set(registry.transform_names()) == {"na.uri", "s.len"}
    assert registry.spec("extra") is Extra.spec and registry.spec("none") is None
    assert [m.canonical for m in registry.mi_commands()] == ["extra:list"]


def test_a_second_load_changes_nothing(registry: Registry) -> None:
    registry.add(Extra)
    assert registry.loaded == ["extra"]


@pytest.mark.parametrize(("name", "result"), [("na.uri", "v:0"), ("na.2.uri", "v:2"), ("na.-1.uri", "v:-1")])
def test_numbered_transformations(name: str, result: str, registry: Registry) -> None:
    assert registry.transform(name).func("v") == result         # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["s.2.len", "na.x.uri", "na.1.none", "none", "a.b.c.d"])
def test_no_such_transformation(name: str, registry: Registry) -> None:
    assert registry.transform(name) is None


@pytest.mark.parametrize(("pattern", "names"), [
    ("extra", ["extra"]), ("ext.*", ["extra"]), ("tm|extra", ["extra"]), ("xtra", []), ("core_base", []), ("(", [])])
def test_modules_of_a_modparam(pattern: str, names: list[str], registry: Registry) -> None:
    assert [spec.name for spec in registry.match_modules(pattern)] == names


def test_parameters(registry: Registry) -> None:
    size, gone, names = Extra.spec.params
    assert registry.param_value("extra", "size") == 5 and registry.param_value("extra", "none") is None
    for spec, value in ((size, 6), (size, 7), (gone, 1), (names, "a"), (names, "b")):
        registry.set_param(spec, value)
    assert registry.param_value("extra", "size") == 7
    registry.create()
    extra: Any = registry.instances["extra"]
    assert (extra.size, extra.gone, extra.names) == (7, 0, ["a", "b"])


def chain(**needed: str) -> Registry:
    """Return a registry of modules by name, each needing another ("" for none)."""
    found = Registry()
    for name, other in needed.items():
        body: dict[str, Any] = {"__doc__": name, "name": name, "__module__": __name__}
        if other:
            body["other"] = needs(other)
        found.add(type(name, (Module,), body))
    return found


@pytest.mark.parametrize(("needed", "order"), [
    ({"a": "b", "b": "c", "c": ""}, ["c", "b", "a"]), ({"a": "", "b": ""}, ["a", "b"]), ({"a": "b", "b": "a"}, ["b",
        "a"]),
    ({"a": "none|c", "c": ""}, ["c", "a"])])
def test_start_order(needed: dict[str, str], order: list[str]) -> None:
    registry = chain(**needed)
    registry.create()
    assert [m.name for m in registry.start_order()] == order


def test_a_missing_alternative() -> None:
    with pytest.raises(ModuleError, match='needs module "tm or sl": add loadmodule "tm.so"'):
        chain(a="tm|sl").create()


def test_a_function_that_waits_with_some_parameters_only() -> None:
    class Remote(Module):
        is_far = param(0)

        @function(waits="is_far")
        def look(self, ctx: Any) -> int:
            """Look."""
            return 1

        @function()
        async def always(self, ctx: Any) -> int:
            """Wait."""
            return 1
    registry = Registry([Remote])
    look, always = registry.function("look"), registry.function("always")
    assert look is not None and always is not None
    nothing: tuple[tuple[str | None, ...], frozenset[str]] = ((), frozenset())
    assert not registry.awaited(look, *nothing) and registry.awaited(always, *nothing) == "always"   # no instance yet
    assert not registry.is_set(Remote.name, "is_far")
    registry.create()
    assert not registry.awaited(look, *nothing)
    registry.instances[Remote.name].is_far = 1
    assert registry.awaited(look, *nothing) == "look"
    registry.instances[Remote.name].is_far = lambda given, functions: f"{given[0]}_{'x' in functions}"
    assert registry.awaited(look, ("a",), frozenset("x")) == "a_True"
