"""Check blacklists."""
from __future__ import annotations

import pytest
from kit.builtin import Words

from osip.script.builtins.blacklist import CoreBlacklist, Rule, parse_net


def lists(words: Words) -> CoreBlacklist:
    found = words.registry.instances["core_blacklist"]
    assert isinstance(found, CoreBlacklist)
    return found


def rule(net: str, **more: object) -> Rule:
    network, negated = parse_net(net)
    return Rule(network, negated, **more)                   # type: ignore[arg-type]


@pytest.mark.parametrize(("made", "args", "hit"), [
    (rule("10.0.0.0/8"), ("10.1.2.3",), 1), (rule("10.0.0.0/8"), ("11.1.2.3",), -1),
    (rule("!10.0.0.0/8"), ("11.1.2.3",), 1), (rule("!10.0.0.0/8"), ("10.1.2.3",), -1),
    (rule("10.0.0.1"), ("2001:db8::1",), -1), (rule("2001:db8::/32"), ("[2001:db8::1]",), 1),
    (rule("10.0.0.0/8", port=5060), ("10.1.2.3", 5061), -1), (rule("10.0.0.0/8", port=5060), ("10.1.2.3", 5060), 1),
    (rule("10.0.0.0/8", proto="udp"), ("10.1.2.3", 0, "tcp"), -1),
    (rule("10.0.0.0/8", pattern="*spam*"), ("10.1.2.3", 0, "", "x spam y"), 1),
    (rule("10.0.0.0/8", pattern="*spam*"), ("10.1.2.3", 0, "", "ham"), -1), (rule("10.0.0.0/8"), ("host",), -1),
])
def test_check(made: Rule, args: tuple[object, ...], hit: int) -> None:
    words = Words()
    lists(words).define("bad", [made])
    ctx = words.ctx()
    assert words.call(ctx, "check_blacklist_rule", "bad", *args) == hit
    assert words.call(ctx, "check_blacklist_rule", "all", *args) == hit
    assert words.call(ctx, "check_blacklist_rule", "none", *args) == -1


def test_choose() -> None:
    words = Words()
    lists(words).define("bad", [rule("10.0.0.0/8")])
    lists(words).define("worse", [rule("11.0.0.0/8")])
    ctx = words.ctx()

    def blocked() -> list[bool]:
        return [lists(words).blocks(ctx, "udp", ip) for ip in ("10.0.0.1", "11.0.0.1")]
    assert blocked() == [False, False]
    assert words.call(ctx, "use_blacklist", "bad") == 1 and blocked() == [True, False]
    assert words.call(ctx, "use_blacklist", "none") == -1
    assert words.call(ctx, "use_blacklist", "all") == 1 and blocked() == [True, True]
    assert words.call(ctx, "unuse_blacklist", "bad") == 1 and blocked() == [False, True]
    assert words.call(ctx, "unuse_blacklist", "all") == 1 and blocked() == [False, False]
    lists(words).define("always", [rule("10.0.0.0/8")], default=True)
    assert blocked() == [True, False]


def test_change() -> None:
    words = Words()
    lists(words).define("fixed", [])
    lists(words).define("live", [], dynamic=True)
    ctx = words.ctx()
    assert words.call(ctx, "add_blacklist_rule", "fixed", "10.0.0.1") == -1
    assert words.call(ctx, "add_blacklist_rule", "live", "nonsense") == -1
    assert words.call(ctx, "add_blacklist_rule", "live", "10.0.0.1", 0, "any", "", 5) == 1
    assert words.call(ctx, "check_blacklist_rule", "live", "10.0.0.1") == 1
    words.env.now = 5.0
    assert words.call(ctx, "check_blacklist_rule", "live", "10.0.0.1") == -1
    assert words.call(ctx, "add_blacklist_rule", "live", "10.0.0.0/8", 5060, "UDP") == 1
    assert words.call(ctx, "del_blacklist_rule", "live", "10.0.0.0/8") == -1
    assert words.call(ctx, "del_blacklist_rule", "live", "10.0.0.0/8", 5060, "udp") == 1
    assert words.call(ctx, "check_blacklist_rule", "live", "10.0.0.2", 5060, "udp") == -1
