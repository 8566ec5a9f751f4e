"""Check the `ip.` transformations."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.builtin import Words

from osip.api import Dest


@pytest.mark.parametrize(("name", "value", "args", "result"), [
    ("ip.isip", "1.2.3.4", (), 1), ("ip.isip", "[::1]", (), 1), ("ip.isip", "h", (), 0), ("ip.isip4", "::1", (), 0),
    ("ip.isip4", "1.2.3.4", (), 1), ("ip.isip6", "::1", (), 1), ("ip.isip6", "1.2.3.4", (), 0),
    ("ip.isprivate", "10.1.1.1", (), 1), ("ip.isprivate", "100.64.0.1", (), 1), ("ip.isprivate", "127.0.0.1", (), 1),
    ("ip.isprivate", "8.8.8.8", (), 0), ("ip.isprivate", "172.32.0.1", (), 0), ("ip.isprivate", "h", (), 0),
    ("ip.matches", "10.1.1.1", ("10.0.0.0/8",), 1), ("ip.matches", "11.1.1.1", ("10.0.0.0/8",), 0),
    ("ip.matches", "::1", ("10.0.0.0/8",), None), ("ip.matches", "::1", ("::/0",), 1),
    ("ip.matches", "h", ("10.0.0.0/8",), None), ("ip.pton", "h", (), None), ("ip.ntop", "abc", (), None),
    ("ip.ntop", "abcd", (), "97.98.99.100"), ("ip.family", "abcd", (), "INET"), ("ip.family", "a" * 16, (), "INET6"),
    ("ip.resolve", "1.2.3.4", (), "1.2.3.4"), ("ip.resolve6", "1.2.3.4", (), "1.2.3.4"), ("ip.resolve", "h", (), None),
])
def test_transform(name: str, value: str, args: tuple[str, ...], result: object) -> None:
    assert Words().transform(name, value, *args) == result


@pytest.mark.parametrize("address", ["255.0.200.1", "2001:db8::ff"])
def test_binary_round_trip(address: str) -> None:
    words = Words()
    assert words.transform("ip.ntop", words.transform("ip.pton", address)) == address


def test_resolve_from_the_cache() -> None:
    words = Words()
    words.env.resolve = lambda uri, socket: [Dest("udp", "2001:db8::1", 5060), Dest("udp", "192.0.2.1", 5060)]
    ctx = words.ctx()
    assert [words.transform(n, "h", ctx=ctx) for n in ("ip.resolve", "ip.resolve4", "ip.resolve6")] == [
        "2001:db8::1", "192.0.2.1", "2001:db8::1"]


async def test_resolve_asks_beside_the_script() -> None:
    words = Words()
    asked: list[str] = []

    async def wait(uri: str, socket: Any) -> list[Dest]:
        asked.append(uri)
        return []
    words.env.resolve, words.env.resolve_wait = (lambda uri, socket: None), wait
    assert words.transform("ip.resolve", "h", ctx=words.ctx()) is None
    await asyncio.gather(*words.env._tasks)
    assert asked == ["sip:h:5060"]
