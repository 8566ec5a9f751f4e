"""Check blacklists."""
from __future__ import annotations

import pytest
from kit.builtin import Words

from osip.core.errors import MIError
from osip.core.net.endpoint import Dest
from osip.core.run.config import BlacklistRule
from osip.script.builtins import blacklist
from osip.script.builtins.blacklist import CoreBlacklist, Rule, parse_net, parse_rule


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


# --- settings, sending, management ---------------------------------------------------------------------------------------

def configured(*definitions: tuple[str, tuple[str, ...], tuple[BlacklistRule, ...]], **config: int) -> Words:
    """Return words whose configuration defines lists."""
    words = Words()
    words.env.config.blacklists = list(definitions)
    for name, value in config.items():
        setattr(words.env.config, name, value)
    for listener in words.env.on_reload:
        listener()
    return words


GW = BlacklistRule("10.0.0.0/8", False, "udp", 5060, "*INVITE*")


@pytest.mark.parametrize(("dest", "data", "is_blocked"), [
    (Dest("udp", "10.0.0.1", 5060), b"INVITE x", True), (Dest("udp", "10.0.0.1", 5060), b"OPTIONS x", False),
    (Dest("tcp", "10.0.0.1", 5060), b"INVITE x", False), (Dest("udp", "11.0.0.1", 5060), b"INVITE x", False)])
def test_senders_ask(dest: Dest, data: bytes, is_blocked: bool) -> None:
    words = configured(("gw", ("readonly",), (GW,)))
    ctx = words.ctx()
    assert words.env.blocked is not None and not words.env.blocked(ctx, dest, data)
    assert words.call(ctx, "use_blacklist", "gw") == 1
    assert words.env.blocked(ctx, dest, data) is is_blocked


def test_no_list_costs_nothing() -> None:
    assert Words().env.blocked is None and Words().env.lost is None


def test_reload_takes_the_scripts_lists_and_keeps_dynamic_entries() -> None:
    words = configured(("gw", ("expire",), (GW,)), ("old", ("readonly",), ()))
    lists(words).define("module", []).owner = "dispatcher"
    assert words.call(words.ctx(), "add_blacklist_rule", "gw", "192.0.2.1") == 1
    words.env.config.blacklists = [("gw", ("expire",), (GW,))]
    lists(words).take_settings()
    assert set(lists(words).lists) == {"gw", "module"}
    assert [str(rule.net) for rule in lists(words).lists["gw"].rules] == ["10.0.0.0/8", "192.0.2.1/32"]


def test_lost_destinations_are_avoided_for_a_while() -> None:
    words = configured(disable_dns_blacklist=0)
    dest = Dest("udp", "192.0.2.7", 5060)
    assert words.env.lost is not None and words.env.blocked is not None
    words.env.lost(dest)
    words.env.lost(dest)
    ctx = words.ctx()
    assert words.env.blocked(ctx, dest, b"") and not words.env.blocked(ctx, Dest("tcp", "192.0.2.7", 5060), b"")
    assert len(lists(words).lists["dns"].rules) == 1
    words.env.now += 241
    assert not words.env.blocked(ctx, dest, b"")


def test_management() -> None:
    words = configured(("gw", ("readonly", "default"), (GW,)), ("live", ("expire",), ()))
    found = lists(words)
    shown = found.mi_list("gw")["Lists"][0]
    assert (shown["name"], shown["owner"], shown["flags"]) == ("gw", "script", "default,readonly")
    assert shown["Rules"] == [{"IP": "10.0.0.0", "Mask": "255.0.0.0", "Proto": "udp", "Port": 5060, "Match": "*INVITE*", "flags": ""}]
    found.mi_add_rule("live", "(udp, 192.0.2.0/24, 5060)", 60)
    assert found.mi_check_all("192.0.2.5", "udp", 5060) == ["live"] and found.mi_check_all("192.0.2.5", "udp", 5061) == []
    assert found.mi_check("live", "192.0.2.5", "udp", 5060)["expired"] is False
    found.mi_del_rule("live", "(udp, 192.0.2.0/24, 5060)")
    assert found.mi_list("live")["Lists"][0]["Rules"] == []
    for call in (lambda: found.mi_list("none"), lambda: found.mi_check("live", "192.0.2.5"), lambda: found.mi_add_rule("gw", "10.0.0.1"),
                 lambda: found.mi_add_rule("live", "(udp"), lambda: found.mi_del_rule("live", "10.0.0.1")):
        with pytest.raises(MIError):
            call()


@pytest.mark.parametrize(("text", "expected"), [
    ("10.0.0.1", ("10.0.0.1/32", False, 0, "", "")), ("!10.0.0.0/8", ("10.0.0.0/8", True, 0, "", "")),
    ('!(tcp, 10.0.0.0/8, 5070, "a, b*")', ("10.0.0.0/8", True, 5070, "tcp", "a, b*")), ("(any, ::1, any)", ("::1/128", False, 0, "", "")),
    ("(10.0.0.1, 5060)", ("10.0.0.1/32", False, 5060, "", ""))])
def test_rule_texts(text: str, expected: tuple[object, ...]) -> None:
    found = parse_rule(text)
    assert (str(found.net), found.negated, found.port, found.proto, found.pattern) == expected


@pytest.mark.parametrize("text", ["", "host", "(10.0.0.1", "(udp)", "(10.0.0.1, many)"])
def test_bad_rule_texts(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        parse_rule(text)


def test_lists_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blacklist, "LOST", 10)
    monkeypatch.setattr(blacklist, "RULES", 10)
    words = configured(disable_dns_blacklist=0)
    assert words.env.lost is not None
    for number in range(100):
        words.env.lost(Dest("udp", f"192.0.2.{number}", 5060))
    rules = lists(words).lists["dns"].rules
    assert len(rules) == 10 and str(rules[-1].net) == "192.0.2.99/32"
    lists(words).define("live", [], dynamic=True)
    ctx, add = words.ctx(), "add_blacklist_rule"
    assert [words.call(ctx, add, "live", f"192.0.2.{number}", 0, "", "", 5) for number in range(11)] == [1] * 10 + [-1]
    with pytest.raises(MIError, match="full"):
        lists(words).mi_add_rule("live", "192.0.2.77")
    words.env.now += 6
    assert words.call(ctx, add, "live", "192.0.2.77") == 1 and len(lists(words).lists["live"].rules) == 1


def test_other_workers_are_told() -> None:
    one, two = Words(), Words()
    for words in (one, two):
        lists(words).define("live", [], dynamic=True)
    one.env.bus.others = lambda topic, value: two.env.bus.publish(topic, value)     # type: ignore[method-assign]
    assert one.call(one.ctx(), "add_blacklist_rule", "live", "10.0.0.0/8", 5060, "udp", "*x*", 9) == 1
    assert lists(two).lists["live"].rules == lists(one).lists["live"].rules != []
    fresh = Words()
    lists(fresh).define("live", [], dynamic=True)
    for change in lists(one)._known():
        lists(fresh)._on_change(change)
    assert lists(fresh).lists["live"].rules == lists(one).lists["live"].rules
    assert one.call(one.ctx(), "del_blacklist_rule", "live", "10.0.0.0/8", 5060, "udp", "*x*") == 1
    assert lists(two).lists["live"].rules == []
