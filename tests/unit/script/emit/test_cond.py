"""Conditions: truth, errors, stops and comparisons (dsl.md sections 9.1, 9.2 and 9.5)."""

from __future__ import annotations

import random

import pytest
from kit.words import RINGING, Stage, run


def outcome(condition: str, before: str = "") -> str:
    """Say how an `if` goes: yes, no or stop."""
    code, seen = run(f'{before} if ({condition}) mark("YES"); else mark("NO"); mark("END");')
    if code == 0:
        return "stop"
    assert seen[-1] == "END"
    return seen[-2]


TRUTH = [
    ("1", "YES"), ("0", "NO"), ("-1", "YES"), ("$var(x)", "NO"), ("$rU", "YES"), ("$hdr(X-Empty)", "NO"),
    ("[ 4 & 4 ]", "YES"), ("[ 4 & 1 ]", "NO"), ('[ 1 + "a" ]', "NO"), ('![ 1 + "a" ]', "NO"),
    ("ok()", "YES"), ("fail()", "NO"), ("!fail()", "YES"), ("!ok()", "NO"), ("stop()", "stop"), ("!stop()", "stop"),
    ("agree()", "YES"), ("nope()", "NO"), ('mark("m")', "YES"), ("give(7)", "YES"), ("give(-7)", "NO"),
    ("ok() && stop()", "stop"), ("fail() && stop()", "NO"), ("ok() || stop()", "YES"), ("fail() || stop()", "stop"),
    ("!(fail() && stop())", "YES"), ("!(ok() && stop())", "stop"), ("number($var(none))", "NO"),
    ("$var(x) = 5", "YES"), ("$var(x) = give(0)", "stop"), ("!($var(x) = give(0))", "stop"), ("$ru = null", "NO"),
    ("$var(x) = fail()", "YES"), ('$var(x) = 1 + "a"', "NO"),
    # one level of precedence, left to right
    ("1 || 1 && 0", "NO"), ("0 && 1 || 1", "YES"), ("!$bare == 1", "YES"), ("!$bare == 7", "NO"),
    # an error ends the evaluation and stays an error
    ('$bare == "7"', "NO"), ('!$bare == "7"', "NO"), ('$bare == "7" || ok()', "NO"), ('ok() || $bare == "7"', "YES"),
    ('!($bare == "7" || ok())', "NO"), ('!($bare == "7" && ok())', "NO"), ('!(ok() && $bare == "7")', "NO"),
    ('fail() || $bare == "7"', "NO"), ('!(fail() || $bare == "7")', "NO"), ('!!($bare == "7")', "NO"),
    ("{ ok(); fail(); }", "NO"), ("{ fail(); ok(); }", "YES"), ("{ stop(); ok(); }", "stop"),
    ("if (1) ok(); else fail();", "YES"),
]


@pytest.mark.parametrize(("condition", "expected"), TRUTH, ids=[case[0] for case in TRUTH])
def test_truth(condition: str, expected: str) -> None:
    if condition.startswith("if "):
        condition = "{ " + condition + " }"
    assert outcome(condition) == expected


COMPARE = [
    # strings ignore case; NULL is equal to null only
    ('$rU == "BOB"', "YES"), ('$rU != "BOB"', "NO"), ('$rU < "c"', "YES"), ('$rU > "BOC"', "NO"),
    ('$rU >= "Bob"', "YES"),
    ('$var(none) == "x"', "NO"), ('$var(none) != "x"', "YES"), ('$var(none) < "x"', "NO"), ("$var(none) == 1", "NO"),
    ("$var(none) != 1", "YES"), ("$var(none) < 1", "NO"), ("$var(none) == null", "YES"), ("$var(none) != null", "NO"),
    ("$rU == null", "NO"), ("$rU != null", "YES"), ("$var(none) == $var(nope)", "YES"),
    ("$var(none) != $var(nope)", "NO"),
    ("$var(none) == $rU", "NO"), ("$var(none) != $rU", "YES"), ("$rU < $var(none)", "NO"), ('$var(none) =~ "x"', "NO"),
    ('$var(none) !~ "x"', "YES"), ("$var(none) =~ $var(nope)", "YES"), ("$var(none) !~ $var(nope)", "NO"),
    # integers, dual values, clashes
    ("$var(n) == 5", "YES"), ("$var(n) < 6", "YES"), ("$var(n) >= 6", "NO"), ('$var(n) == "5"', "YES"),
    ("$var(s) == 5", "NO"), ("$var(s) != 5", "NO"), ("!$var(s) != 5", "NO"), ('$var(s) == "5"', "YES"),
    ("$var(s) == $var(n)", "YES"), ("$bare == 7", "YES"), ('$bare == "7"', "NO"), ('$bare != "7"', "NO"),
    ("$bare == $var(s)", "NO"), ("$bare != $var(s)", "NO"), ("$status == 200", "YES"), ('$status == "200"', "YES"),
    ("$status < 300", "YES"), ("$dual == 5060", "YES"), ('$dual == "5060"', "YES"), ("$dual == $var(p)", "YES"),
    ("$dual < 10000", "YES"), ('$dual < "6"', "YES"), ("$rU == bob", "YES"), ('$avp(x) == "q"', "NO"),
    # regular expressions: no case, unanchored, a newline is ordinary, $ is the very end
    ('$ru =~ "BOB@"', "YES"), ('$ru !~ "BOB@"', "NO"), ('$ru =~ "^bob"', "NO"), ('$var(lines) =~ "a.b"', "YES"),
    ('$var(lines) =~ "^b"', "NO"), ('$var(lines) =~ "a$"', "NO"), ('$rU =~ "b$"', "YES"), ('$status =~ "^2"', "YES"),
    ('$bare =~ "7"', "NO"), ('$bare !~ "8"', "NO"), ("$rU =~ $var(re)", "YES"), ("$rU !~ $var(re)", "NO"),
    ("$rU =~ $var(bad)", "NO"), ("$rU !~ $var(bad)", "NO"), ('$rU =~ "[[:alpha:]]{3}"', "YES"),
    ('$rU =~ "[$o]b"', "YES"),
    # networks
    ("$address == 10.0.0.0/8", "YES"), ("$address != 10.0.0.0/8", "NO"), ("$address == 10.1.2.3", "YES"),
    ('$address == "10.1.2.3"', "YES"), ("$address == 192.168.0.0/255.255.0.0", "NO"), ("$rU == 10.0.0.0/8", "NO"),
    ("$rU != 10.0.0.0/8", "NO"), ("$var(none) == 10.0.0.1", "NO"), ("$var(none) != 10.0.0.1", "YES"),
    # old operands
    ('uri =~ "bob"', "YES"), ("method == INVITE", "YES"), ('method == "invite"', "YES"), ("method == BYE", "NO"),
    ("uri == myself", "YES"), ("uri != myself", "NO"), ("myself == uri", "YES"), ("from_uri == myself", "YES"),
    ("msg:len > max_len", "NO"), ("msg:len < 65535", "YES"), ('status =~ "bob"', "YES"),
    ('$rm == "invite"', "YES"), ('$rm == "BYE"', "NO"), ('$rm != "BYE"', "YES"),
]
BEFORE = ('$var(n) = 5; $var(s) = "5"; $var(p) = 5060; $var(lines) = "a\\nb"; $var(re) = "^B"; $var(bad) = "(";')


@pytest.mark.parametrize(("condition", "expected"), COMPARE, ids=[case[0] for case in COMPARE])
def test_comparison(condition: str, expected: str) -> None:
    assert outcome(condition, BEFORE) == expected


def test_status_on_a_reply() -> None:
    stage = Stage('onreply_route { if (status == "180") mark("ringing"); }')
    assert stage.program.reply is not None
    stage.program.reply(stage.ctx(RINGING))
    assert stage.seen == ["ringing"]


ATOMS = {"1": "T", "0": "F", '$bare == "7"': "E", "ok()": "T", "fail()": "F", "stop()": "S", "agree()": "T",
         "nope()": "F", "$var(n) == 5": "T", "$var(n) == 6": "F", "$var(s) == 5": "E"}
CALLS = {"ok()": "ok", "fail()": "fail", "stop()": "stop", "agree()": "agree", "nope()": "nope"}


def expect(tree: object, calls: list[str]) -> str:
    """Evaluate a condition tree by the rules, plainly."""
    if isinstance(tree, str):
        if tree in CALLS:
            calls.append(CALLS[tree])
        return ATOMS[tree]
    assert isinstance(tree, tuple)
    if tree[0] == "!":
        found = expect(tree[1], calls)
        return {"T": "F", "F": "T"}.get(found, found)
    left = expect(tree[1], calls)
    if left == ("T" if tree[0] == "&&" else "F"):
        return expect(tree[2], calls)
    return left


def grow(rng: random.Random, depth: int) -> object:
    """Return a random condition tree."""
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(list(ATOMS))
    op = rng.choice(["!", "&&", "||", "&&", "||"])
    return (op, grow(rng, depth - 1)) if op == "!" else (op, grow(rng, depth - 1), grow(rng, depth - 1))


def spell(tree: object) -> str:
    """Write a condition tree as script."""
    if isinstance(tree, str):
        return tree
    assert isinstance(tree, tuple)
    return f"!({spell(tree[1])})" if tree[0] == "!" else f"({spell(tree[1])} {tree[0]} {spell(tree[2])})"


@pytest.mark.parametrize("seed", range(6))
def test_random_conditions_follow_the_rules(seed: int) -> None:
    rng = random.Random(seed)
    trees = [grow(rng, 4) for _ in range(40)]
    read = "$var(z) = $rc;" if seed % 2 else ""         # $rc is kept inside conditions too
    text = "\n".join(f'route[c{i}] {{ $var(n) = 5; $var(s) = "5"; if ({spell(tree)}) {{ {read} return(2); }} '
                     f"else {{ {read} return(3); }} }}" for i, tree in enumerate(trees))
    stage = Stage(text)
    for i, tree in enumerate(trees):
        calls: list[str] = []
        expected = {"T": 2, "F": 3, "E": 3, "S": 0}[expect(tree, calls)]
        stage.seen.clear()
        route = stage.program.named("route", f"c{i}")
        assert route is not None
        assert (route(stage.ctx()), stage.seen) == (expected, calls), spell(tree)


def test_long_chains_do_not_nest() -> None:
    chain = " || ".join(f'$rU == "{i}"' for i in range(300))
    assert outcome(chain) == "NO"
    assert outcome(" && ".join(["agree()"] * 300)) == "YES"
