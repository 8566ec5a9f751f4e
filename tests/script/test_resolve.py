"""`ip.resolve` in a running script: a name that is not known yet is asked for, and the script goes on then."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.script import ScriptBook

from osip.core.net.endpoint import Dest


class Names:
    """A resolver that knows a name once it was asked for it."""

    def __init__(self, **names: list[str]) -> None:
        self.names, self.known, self.asked = names, dict[str, list[Dest]](), list[str]()

    def now(self, uri: str, hint: Any) -> list[Dest] | None:
        return self.known.get(f"{uri} {hint}")

    async def wait(self, uri: str, hint: Any) -> list[Dest]:
        await asyncio.sleep(0)
        self.asked.append(uri)
        wanted = None if hint is None else hint.is_ipv6
        found = [Dest("udp", host, 5060) for host in self.names.get(uri[4:-5], []) if wanted in (None, ":" in host)]
        self.known[f"{uri} {hint}"] = found
        return found


async def said(body: str, more: str = "", **names: list[str]) -> tuple[list[str], list[str]]:
    """Run a body with names that must be asked for; return what it logged and what was asked."""
    book, resolver = ScriptBook(f"route {{ {body} }} {more}"), Names(**names)
    book.env.resolve, book.env.resolve_wait = resolver.now, resolver.wait      # type: ignore[assignment]
    book.recv("MESSAGE")
    while book.env._tasks:
        await asyncio.gather(*book.env._tasks)
    return list(book.said), resolver.asked


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ('$var(h) = "one"; xlog("$(var(h){ip.resolve})");', ["10.0.0.2"]),
        ('$var(h) = "one"; $var(a) = $(var(h){ip.resolve6}); xlog("$var(a)");', ["2001:db8::2"]),
        ('$var(h) = "ONE "; xlog("$(var(h){s.trim}{s.tolower}{ip.resolve4}{s.len})");', ["8"]),
        ('$var(h) = "one"; if ($(var(h){ip.resolve}) == "10.0.0.2") xlog("same"); else xlog("other");', ["same"]),
        ('$var(h) = "one"; while ($(var(h){ip.resolve}) == "10.0.0.2") { $var(h) = "1.2.3.4"; xlog("r"); }', ["r"]),
        ('$var(h) = "one"; switch ($(var(h){ip.resolve})) { case "10.0.0.2": xlog("case"); }', ["case"]),
        ('$var(h) = "none"; xlog("$(var(h){ip.resolve})"); xlog("on");', ["<null>", "on"]),
        ('$var(h) = "10.0.0.7"; xlog("$(var(h){ip.resolve})");', ["10.0.0.7"]),
        ('xlog("$(avp(no){ip.resolve})");', ["<null>"]),
        ('route(sub); xlog("$rc");', ["10.0.0.2", "7"]),
    ],
)
async def test_the_script_goes_on_with_the_address(body: str, lines: list[str]) -> None:
    sub = 'route[sub] { $var(h) = "one"; xlog("$(var(h){ip.resolve})"); return(7); }'
    found, asked = await said(body, sub, one=["10.0.0.2", "2001:db8::2"])
    assert found == lines and len(asked) == ("one" in body.lower() or "sub" in body or "none" in body)


async def test_a_request_that_waits_is_kept_and_its_copies_are_absorbed() -> None:
    resolver = Names(one=["10.0.0.2"])
    book = ScriptBook('route { $var(h) = "one"; xlog("$(var(h){ip.resolve})"); t_relay(); }')
    book.env.resolve_wait, now = resolver.wait, book.env.resolve      # type: ignore[assignment]
    book.env.resolve = lambda uri, hint: resolver.now(uri, hint) if uri == "sip:one:5060" else now(uri, hint)
    book.recv("MESSAGE").again()
    while book.env._tasks:
        await asyncio.gather(*book.env._tasks)
    book.says("10.0.0.2").sent("MESSAGE", "bob").quiet("bob")
