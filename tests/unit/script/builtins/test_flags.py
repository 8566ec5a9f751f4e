"""Check message, branch and script flags."""
from __future__ import annotations

import pytest
from kit.builtin import Words

from osip.api import Target


@pytest.mark.parametrize(("set_", "test", "reset"), [
    ("setflag", "isflagset", "resetflag"), ("setbflag", "isbflagset", "resetbflag"),
    ("setbranchflag", "isbranchflagset", "resetbranchflag"), ("setsflag", "issflagset", "resetsflag"),
    ("setscriptflag", "isscriptflagset", "resetscriptflag"),
])
def test_set_test_reset(set_: str, test: str, reset: str) -> None:
    words = Words()
    ctx = words.ctx()
    assert words.call(ctx, test, "NAT") == -1
    assert words.call(ctx, set_, "NAT") == 1 and words.call(ctx, set_, "22") == 1
    assert words.call(ctx, test, "NAT") == 1 and words.call(ctx, test, "X") == -1
    assert words.call(ctx, reset, "NAT") == 1
    assert words.call(ctx, test, "NAT") == -1 and words.call(ctx, test, "22") == 1


def test_families_do_not_mix() -> None:
    words = Words()
    ctx = words.ctx()
    words.call(ctx, "setflag", "A")
    assert words.call(ctx, "isbflagset", "A") == -1 and words.call(ctx, "issflagset", "A") == -1
    words.call(ctx, "setbflag", "B")
    words.call(ctx, "setsflag", "C")
    assert [words.get(ctx, n) for n in ("mf", "bf", "sf")] == ["A", "B", "C"]


@pytest.mark.parametrize(("args", "branch", "flag"), [
    (("NAT", 1), 1, "NAT"), (("NAT", "1"), 1, "NAT"), (("NAT", 0), 0, "NAT"), (("1", "NAT"), 1, "NAT"),
    (("0", 22), 0, "22"), (("1", 22), 1, "22"), (("22", 1), 1, "22"), (("1", "0"), 0, "1"), (("NAT", 5), None, ""),
])
def test_both_argument_orders(args: tuple[object, ...], branch: int | None, flag: str) -> None:
    words = Words()
    ctx = words.ctx()
    ctx.targets = [Target("sip:a@b")]
    assert words.call(ctx, "setbflag", *args) == (-1 if branch is None else 1)
    found = [words.env.branch_flags.listing(t.bflags) for t in (ctx.target, *ctx.targets)]
    assert found == [flag if at == branch else "" for at in (0, 1)]


def test_variables() -> None:
    words = Words()
    ctx = words.ctx()
    ctx.targets = [Target("sip:a@b")]
    assert words.get(ctx, "msg.flag", "X") == 0
    assert words.set(ctx, "msg.flag", 1, "X") and words.get(ctx, "msg.flag", "X") == 1
    assert words.call(ctx, "isflagset", "X") == 1
    assert words.set(ctx, "msg.flag", 0, "X") and words.get(ctx, "msg.flag", "X") == 0
    assert words.set(ctx, "branch.flag", 1, "F", 1)
    assert [words.get(ctx, "msg.branch.flag", "F", at) for at in (0, 1, None, 2, "*")] == [0, 1, 1, None, "0, 1"]
    assert not words.set(ctx, "branch.flag", 1, "F", 7)


def test_too_many_flags_fail_softly() -> None:
    words = Words()
    ctx = words.ctx()
    for number in range(32):
        words.call(ctx, "setflag", f"f{number}")
    assert not words.set(ctx, "msg.flag", 1, "one more") and words.get(ctx, "msg.flag", "one more") is None
