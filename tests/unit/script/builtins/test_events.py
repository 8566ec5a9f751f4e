"""Check raising, subscribing and reading events."""
from __future__ import annotations

from typing import Any

import pytest
from kit.builtin import Holder, Words

from osip.api import Route


def listen(words: Words, name: str) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    words.env.events.subscribe(name, "test:", lambda _, params: heard.append(params))
    return heard


def test_raise_event() -> None:
    words = Words()
    ctx = words.ctx()
    heard = listen(words, "E_X")
    for name, value in (("n", "first"), ("n", "second"), ("v", 1), ("v", 2)):
        words.set(ctx, "avp", value, name)
    names, values = Holder("$avp(n)"), Holder("$(avp(v))")
    assert words.call(ctx, "raise_event", "E_X") == 1
    assert words.call(ctx, "raise_event", "E_X", names, values) == 1
    assert words.call(ctx, "raise_event", "E_X", values) == 1
    assert words.call(ctx, "raise_event", "E_X", None, Holder("$var(x)", 7)) == 1
    assert heard == [{}, {"second": 2, "first": 1}, {"1": 2, "2": 1}, {"1": 7}]
    assert list(heard[1]) == ["second", "first"]                    # the newest value first
    assert words.call(ctx, "raise_event", "") == -1
    assert words.call(ctx, "raise_event", "E_X", names, Holder("$var(x)", 7)) == -1
    assert words.get(ctx, "avp", "v") == 2


def test_subscribe_event() -> None:
    words = Words()
    ctx = words.ctx()
    heard: list[str] = []

    def transport(address: str) -> Any:
        if address == "fake:bad":
            raise ValueError("bad address")
        return lambda name, params: heard.append(name)
    words.env.events.transports["fake"] = transport
    assert words.call(ctx, "subscribe_event", "E_X", "fake:a", 10) == 1
    assert words.call(ctx, "subscribe_event", "E_X", "none:a") == -1
    assert words.call(ctx, "subscribe_event", "E_X", "fake:bad") == -1
    words.env.events.raise_event("E_X", {})
    words.env.now = 11.0
    words.env.events.raise_event("E_X", {})
    assert heard == ["E_X"]


@pytest.mark.parametrize(("text", "code", "a", "b"), [
    ("$var(a);$avp(b)", 1, 1, "x"), ("address=$var(a)", 1, "x", None), ("none=$var(a)", -1, None, None),
    ("$var(a);$var(c);$avp(b)", -1, 1, None), ("nonsense", -1, None, None),
])
def test_fetch_event_params(text: str, code: int, a: object, b: object) -> None:
    words = Words()
    ctx = words.ctx(kind=Route.EVENT)
    ctx.event = {"group": 1, "address": "x"}
    assert words.call(ctx, "fetch_event_params", text) == code
    assert words.get(ctx, "var", "a") == a and words.get(ctx, "avp", "b") == b
