"""Declarations become specs, and instances start from them."""
from __future__ import annotations

import re
from typing import Annotated

import pytest

from osip.api import (FailureRoute, Module, Parse, Route, Scope, Static, Var, event, flag_parser, function, gauge, mi,
                      needs, param, pvar, stat, table, timer, transform)
from osip.core.errors import ModuleError
from osip.core.exports.registry import Registry


class Demo(Module):
    """A demonstration."""
    name = "demo"
    limit = param(7, ge=1, le=9, doc="A limit.")
    words = param((), kind=str, multiple=True, doc="Words.")
    hits = stat("Hits.", name="1xx_hits")
    happened = event("E_DEMO", "It happened.", group=int, address=str)
    rows = table("demo", 3, "username char(64)='', expires i32u=0, path text?, at dt=1900-01-01 00:00:01",
                 unique="username")

    @function("QF", aliases=("old_go",))
    def go(self, ctx, count: int, how: Static, out: Var | None = None, *, name: str = "x") -> int:
        """Go."""
        return 1

    @function(Route.REQUEST)
    async def wait(self, ctx, pattern: re.Pattern, to: FailureRoute = "") -> bool:
        """Wait."""
        return True

    @pvar("demo", type="is", key="required", index=True)
    def demo(self, ctx, key, index):
        """A variable."""
        return key

    @demo.setter
    def set_demo(self, ctx, key, index, value):
        return None

    @transform("d.twice")
    def twice(value, times="2"):
        """Repeat."""
        return str(value) * int(times)

    @mi("show", aliases=("demo_show",), scope=Scope.EACH)
    def show(self, aor: str, full: int | None = None):
        """Show."""
        return {"aor": aor, "full": full}

    @gauge("users")
    def users(self) -> int:
        """Users now."""
        return 5

    @timer(every="limit")
    def sweep(self) -> None:
        """Sweep."""


def test_functions() -> None:
    go, wait = Demo.spec.functions
    assert (go.name, go.aliases, go.routes, go.returns, go.required) == ("go", ("old_go",), Route.of("QF"), "int", 2)
    assert [(a.label, a.kind, a.optional) for a in go.args][:3] == [
        ("count", "int", False), ("how", "static", False), ("out", "var", True)]
    assert (wait.is_async, wait.returns) == (True, "bool")
    assert [a.kind for a in wait.args] == ["re", "route"]
    assert wait.args[1].route_kind == "failure_route"


def test_params_stats_events_tables() -> None:
    spec = Demo.spec
    assert [(p.name, p.kinds, p.default) for p in spec.params] == [("limit", (int,), 7), ("words", (str,), ())]
    assert [(s.name, s.computed) for s in spec.stats] == [("1xx_hits", False), ("users", True)]
    assert spec.events[0].params == ("group", "address")
    columns = spec.tables[0].columns
    assert [(c.name, c.type, c.size, c.nullable, c.default) for c in columns] == [
        ("id", "i32", 0, False, None), ("username", "char", 64, False, ""), ("expires", "i32", 0, False, "0"),
        ("path", "text", 0, True, None), ("at", "dt", 0, False, "1900-01-01 00:00:01")]
    assert spec.mi[0].recipes == (("aor",), ("aor", "full"))
    assert spec.transforms[0].func("ab") == "abab"
    assert (spec.transforms[0].min_args, spec.transforms[0].max_args) == (0, 1)
    assert spec.pvars[0].setter == "set_demo"


def read_plainly(ctx: object) -> str:
    """Read without a module."""
    return f"plain {ctx}"


class Plain(Module):
    """Declares what needs no instance."""
    name = "plain"

    @function(plain=read_plainly)
    def say(self, ctx: object) -> int:
        """Say."""

    @pvar("plain", plain=read_plainly)
    def plain(self, ctx: object) -> str:
        """A variable."""

    @plain.setter
    def set_plain(self, ctx: object, value: object) -> bool:
        return self is not None


def test_a_plain_function_stands_in_for_the_method() -> None:
    one = Plain()
    assert one.say is read_plainly and one.plain is read_plainly and one.set_plain(None, 1)
    assert [spec.doc for spec in (*Plain.spec.functions, *Plain.spec.pvars)] == ["Say.", "A variable."]
    one.plain = lambda ctx: "mine"
    assert (one.plain(1), Plain().plain(1)) == ("mine", "plain 1")


def test_instances_hold_their_own_state() -> None:
    first, second = Demo(), Demo()
    first.hits += 2
    first.words.append("a")
    assert (first.hits, second.hits, second.words, first.limit) == (2, 0, [], 7)


class Asker(Module):
    """Needs another module."""
    name = "asker"
    demo = needs("demo")
    maybe = needs("nobody", optional=True)
    url = param("", doc="A URL.")
    if_url = needs("sqlops", when="url")


def test_needs_are_injected_in_order() -> None:
    registry = Registry()
    registry.add(Asker)
    registry.add(Demo)
    registry.create()
    asker = registry.instances["asker"]
    assert asker.demo is registry.instances["demo"] and asker.maybe is None and asker.if_url is None
    assert [m.name for m in registry.start_order()] == ["demo", "asker"]


def test_a_missing_need_names_the_line() -> None:
    registry = Registry()
    registry.add(Asker)
    with pytest.raises(ModuleError, match='loadmodule "demo.so"'):
        registry.create()


def test_set_param_reaches_the_instance() -> None:
    registry = Registry()
    registry.add(Demo)
    limit, words = Demo.spec.params
    registry.set_param(limit, 3)
    registry.set_param(words, "a")
    registry.set_param(words, "b")
    registry.create()
    demo = registry.instances["demo"]
    assert (demo.limit, demo.words) == (3, ["a", "b"])


@pytest.mark.parametrize(("text", "flags"), [
    ("", set()), ("no-auto-477", {"no-auto-477"}), ("no-auto-477, no-dns", {"no-auto-477", "no-dns"}),
    ("0x02", {"no-auto-477"}), ("6", {"no-auto-477", "no-dns"}), ("ab", {"no-auto-477", "no-dns"})])
def test_flag_parser(text: str, flags: set[str]) -> None:
    parse = flag_parser(("no-auto-477", "no-dns"), {2: "no-auto-477", 4: "no-dns"}, {"a": "no-auto-477", "b": "no-dns"})
    assert parse(text) == flags


def test_flag_parser_names_what_it_knows() -> None:
    with pytest.raises(ValueError, match="known: no-dns"):
        flag_parser(("no-dns",))("nodns")


def test_parse_marker_is_kept() -> None:
    class Parsing(Module):
        """Parses."""
        name = "parsing"

        @function()
        def f(self, ctx, flags: Annotated[frozenset, Parse(flag_parser(("a", "b")))] = frozenset()) -> None:
            """F."""
    arg = Parsing.spec.functions[0].args[0]
    assert arg.kind == "parsed" and arg.parse("a,b") == {"a", "b"}


class Tally:
    """What counts for a module."""

    def __init__(self) -> None:
        self.seen = 0


class Held(Module):
    """A module that has another object count."""
    name = "held"
    seen = stat("Seen.", holder="tally")
    own = stat("Counted here.")

    def __init__(self) -> None:
        self.tally = Tally()
        super().__init__()


def test_a_statistic_may_be_held_by_another_object() -> None:
    one, other = Held(), Held()
    one.tally.seen += 2
    one.own += 1
    assert (one.seen, other.seen, one.own) == (2, 0, 1)
    one.seen = 0
    assert one.tally.seen == 0
    assert [(found.name, found.attr) for found in Held.spec.stats] == [("seen", "seen"), ("own", "own")]
