"""Tests of rules 31 and 36 can fail: each is run against a server in which its rule is broken."""
from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from osip.core.net.endpoint import Dest
from osip.core.net.resolve import Resolver
from osip.modules.dispatcher import algorithm


def test_of(file: str, name: str) -> Callable[..., Any]:
    """Return a test function of a neighbour."""
    spec = importlib.util.spec_from_file_location(f"mutants_{file}", Path(__file__).with_name(f"{file}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)        # type: ignore[no-any-return]


test_of.__test__ = False                # type: ignore[attr-defined]
ASK, NOW, WANTED, ORDERED = Resolver.ask, Resolver.now, Resolver._wanted, Resolver.ordered


def backwards(self: Resolver, records: Any) -> list[Any]:
    return ORDERED(self, records)[::-1]


def no_services(self: Resolver, wanted: Any) -> Iterator[Any]:
    yield [("NAPTR", wanted.host)]
    return []


async def also_by_udp(self: Resolver, uri: Any, hint: Any = None) -> list[Dest]:
    found = await ASK(self, uri, hint)
    return [*found, *[Dest("udp", dest.host, dest.port + 1) for dest in found]]


def without(*words: str) -> Callable[..., Any]:
    """Return a reading of URIs that does not see these words."""
    def wanted(self: Resolver, uri: Any, hint: Any) -> Any:
        text = str(uri)
        for word in words:
            old, _, new = word.partition(">")
            text = text.replace(old, new)
        return WANTED(self, text, hint)
    return wanted


ORDER, SIPS = "test_rule_31_dns_order_and_fail_over", "test_rule_31_sips_goes_by_tls_or_not_at_all"
PLAIN = ("sip:x@full.example", [], "10.0.0.2:5081")
DOWN = ("sip:x@full.example", ["10.0.0.2:5081"], "10.0.0.3:5082")
MUTANTS: dict[str, tuple[str, str, tuple[Any, ...], Any, str, Any]] = {
    "priorities backwards": ("test_routing", ORDER, PLAIN, Resolver, "ordered", backwards),
    "no NAPTR": ("test_routing", ORDER, PLAIN, Resolver, "_naptr_plan", no_services),
    "no fail-over": ("test_routing", ORDER, DOWN, Resolver, "_limited", lambda self, dests, name: dests[:1]),
    "UDP after TCP": ("test_routing", ORDER, ("sip:x@full.example;transport=tcp", ["10.0.0.2:5081", "10.0.0.3:5082"], ""),
                      Resolver, "ask", also_by_udp),
    "maddr unseen": ("test_routing", ORDER, ("sip:x@full.example;maddr=10.0.0.3", [], "10.0.0.3:5060"),
                     Resolver, "_wanted", without(";maddr=10.0.0.3")),
    "transport unseen": ("test_routing", ORDER, ("sip:x@full.example;transport=udp", [], "10.0.0.2:5083"),
                         Resolver, "_wanted", without(";transport=udp")),
    "port unseen": ("test_routing", ORDER, ("sip:x@full.example:5099", [], "10.0.0.4:5099"), Resolver, "_wanted",
                    without(":5099")),
    "sips as sip": ("test_routing", SIPS, (), Resolver, "_wanted", without("sips:>sip:")),
    "dispatcher always takes the first": ("test_modules", "test_rule_36_dispatcher_does_not_count", (None,), algorithm, "by_turn",
                                          lambda group, usable: list(usable)),
}


@pytest.mark.parametrize("what", MUTANTS)
async def test_the_rule_cannot_be_broken_unseen(what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file, name, args, owner, attr, broken = MUTANTS[what]
    if inspect.ismodule(owner) and not str(owner.__file__).endswith(".py"):
        pytest.skip("what is compiled cannot be changed: runs with OSIP_PURE=1")
    test = test_of(file, name)
    args = tuple(tmp_path if arg is None else arg for arg in args)

    async def run() -> None:
        result = test(*args)
        if inspect.isawaitable(result):
            await result
    await run()                                             # it holds as long as nothing is broken
    monkeypatch.setattr(owner, attr, broken)
    with pytest.raises(AssertionError):
        await run()
