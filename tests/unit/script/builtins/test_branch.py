"""Check the destination set."""
from __future__ import annotations

import pytest
from kit.builtin import RINGING, Words

from osip.api import Ctx, Route, Target


def uris(ctx: Ctx) -> list[str | None]:
    return [target.uri for target in ctx.targets or ()]


def test_append_with_uri_copies_branch_0() -> None:
    words = Words()
    ctx = words.ctx()
    now = ctx.target
    now.du, now.path, now.q, now.socket, now.bflags = "sip:hop", "<sip:p;lr>", 900, words.other, 4
    assert words.call(ctx, "append_branch", "sip:x@y", "0.5") == 1
    new = ctx.targets[0]                                    # type: ignore[index]
    assert (new.uri, new.du, new.path, new.q, new.socket, new.bflags) == (
        "sip:x@y", "sip:hop", "<sip:p;lr>", 500, words.other, 4)
    assert now.du == "sip:hop" and now.q == 900
    assert words.call(ctx, "append_branch", "sip:z@y") == 1 and ctx.targets[1].q == -1   # type: ignore[index]


def test_append_without_uri_moves_branch_0() -> None:
    words = Words()
    ctx = words.ctx()
    now = ctx.target
    now.du, now.path, now.q, now.socket, now.bflags = "sip:hop", "<sip:p;lr>", 900, words.other, 4
    ruri = ctx.ruri
    assert words.call(ctx, "append_branch") == 1
    new = ctx.targets[0]                                    # type: ignore[index]
    assert (new.uri, new.du, new.path, new.q, new.socket, new.bflags) == (
        ruri, "sip:hop", "<sip:p;lr>", 900, words.other, 4)
    assert (now.du, now.path, now.q, now.socket, now.bflags) == (None, None, -1, None, 0) and ctx.ruri == ruri


def test_append_msg_branch() -> None:
    words = Words()
    ctx = words.ctx()
    ctx.target.du = "sip:hop"
    assert words.call(ctx, "append_msg_branch", "sip:a@b") == 1
    assert words.call(ctx, "append_msg_branch", "sip:c@d", "0.1", "inherite") == 1
    assert [(t.uri, t.du, t.q) for t in ctx.targets or ()] == [("sip:a@b", None, -1), ("sip:c@d", "sip:hop", 100)]
    assert words.call(ctx, "append_msg_branch", "sip:a@b", None, "other") == -1


def test_limits() -> None:
    words = Words()
    ctx = words.ctx()
    assert [words.call(ctx, "append_branch", f"sip:{n}@h") for n in range(12)] == [1] * 11 + [-1]
    assert words.call(words.ctx(), "append_branch", "sip:a@b", "7") == -1


def test_a_reply_has_no_branch_0_to_start_from() -> None:
    words = Words()
    ctx = words.ctx(RINGING)
    ctx.kind, ctx.target.du = Route.ONREPLY, "sip:there"
    assert words.call(ctx, "append_branch") == -1
    assert words.call(ctx, "append_branch", "sip:a@b") == 1 and words.call(ctx, "append_msg_branch", "sip:c@d") == 1
    assert uris(ctx) == ["sip:a@b", "sip:c@d"] and [branch.du for branch in ctx.targets] == [None, None]


def test_remove() -> None:
    words = Words()
    ctx = words.ctx()
    for n in range(3):
        words.call(ctx, "append_branch", f"sip:{n}")
    assert words.call(ctx, "remove_branch", 1) == 1 and uris(ctx) == ["sip:0", "sip:2"]
    assert words.call(ctx, "remove_msg_branch", 2) == -1 and words.call(ctx, "remove_branch", -1) == -1


def test_move_and_swap() -> None:
    words = Words()
    ctx = words.ctx()
    ctx.target.uri = "sip:r"
    ctx.targets = [Target("sip:0", "sip:d0", q=5), Target("sip:1")]
    assert words.call(ctx, "move_branch", 0) == 1
    assert ctx.target.uri == "sip:0" and ctx.target.du == "sip:d0" and uris(ctx) == ["sip:1"]
    assert words.call(ctx, "move_branch", None, 0, "keep") == 1 and uris(ctx) == ["sip:0"]
    assert words.call(ctx, "move_branch", 4) == -1 and words.call(ctx, "move_branch") == -1
    ctx.targets = [Target("sip:x"), Target("sip:y")]
    assert words.call(ctx, "swap_branches", 0, 1) == 1 and uris(ctx) == ["sip:y", "sip:x"]
    assert words.call(ctx, "swap_msg_branches", 1) == 1
    assert ctx.target.uri == "sip:x" and uris(ctx) == ["sip:y", "sip:0"]
    assert words.call(ctx, "swap_branches", 9) == -1


def test_swap_with_an_untouched_ruri() -> None:
    words = Words()
    ctx = words.ctx()
    received = ctx.ruri
    ctx.targets = [Target("sip:x")]
    assert words.call(ctx, "swap_branches", 0) == 1
    assert ctx.ruri == "sip:x" and uris(ctx) == [received]


def test_serial_forking_by_q() -> None:
    words = Words()
    ctx = words.ctx()
    ctx.target.uri, ctx.target.q = "sip:r", 500
    ctx.targets = [Target("sip:a", "sip:hop", q=900, socket=words.other, bflags=3), Target("sip:b", q=500),
                   Target("sip:c", q=100)]
    assert words.call(ctx, "serialize_branches", 1) == 1
    assert not ctx.targets and ctx.ruri == "sip:r"
    assert words.call(ctx, "next_branches") == 1
    now = ctx.target
    assert (now.uri, now.du, now.socket, now.bflags, uris(ctx)) == ("sip:a", "sip:hop", words.other, 3, [])
    assert words.call(ctx, "next_branches") == 1
    assert now.uri == "sip:r" and now.du is None and uris(ctx) == ["sip:b"]
    ctx.targets = None
    assert words.call(ctx, "next_branches") == 2 and now.uri == "sip:c"
    assert words.call(ctx, "next_branches") == -1


def test_serialize_in_order_and_no_effect() -> None:
    words = Words()
    ctx = words.ctx()
    ctx.targets = [Target("sip:a")]
    assert words.call(ctx, "serialize_branches", 1) == 1 and uris(ctx) == ["sip:a"]     # all q are equal
    assert words.call(ctx, "next_branches") == -1
    received = ctx.ruri
    assert words.call(ctx, "serialize_branches", 1, 1) == 1 and not ctx.targets
    assert words.call(ctx, "next_branches") == 1 and ctx.ruri == received
    assert words.call(ctx, "next_branches") == 2 and ctx.ruri == "sip:a"
    ctx.targets = [Target("sip:a", q=1)]
    words.call(ctx, "serialize_branches", 0)
    ctx.targets = None
    assert words.call(ctx, "serialize_branches", 1) == 1 and words.call(ctx, "next_branches") == -1


def test_branch_variable() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.get(ctx, "branch") is None and words.get(ctx, "msg.branch") == ctx.ruri
    assert words.set(ctx, "branch", "sip:a") and words.set(ctx, "msg.branch", "sip:b")
    assert uris(ctx) == ["sip:a", "sip:b"] and words.get(ctx, "branch") == "sip:b"
    assert words.get(ctx, "branch", "uri") == "sip:a" and words.get(ctx, "branch", "uri", 1) == "sip:b"
    assert words.get(ctx, "branch", "uri", "*") == "sip:a, sip:b" and words.get(ctx, "branch", "uri", 2) is None
    assert words.set(ctx, "branch", "sip:hop", "duri", 1) and words.get(ctx, "branch", "duri", 1) == "sip:hop"
    assert words.set(ctx, "branch", 500, "q", 1) and words.get(ctx, "branch", "q", 1) == 500
    assert words.set(ctx, "branch", "F G", "flags", 1) and words.get(ctx, "branch", "flags", 1) == "F G"
    assert words.set(ctx, "branch", "tcp:10.0.0.1:5080", "socket", 1)
    assert words.get(ctx, "branch", "socket", 1) == "tcp:10.0.0.1:5080"
    assert not words.set(ctx, "branch", "udp:9.9.9.9:1", "socket", 1) and not words.set(ctx, "branch", "x", "uri", 5)
    with pytest.raises(ValueError):
        words.get(ctx, "branch", "nonsense")


def test_msg_branch_variables() -> None:
    words = Words()
    ctx = words.ctx()
    ctx.targets = [Target("sip:a", q=700, path="<sip:p>")]
    assert words.get(ctx, "msg.branch.last_idx") == 1
    assert words.get(ctx, "msg.branch.uri", index=0) == ctx.ruri and words.get(ctx, "msg.branch.uri") == "sip:a"
    assert words.get(ctx, "msg.branch.q") == "0.7" and words.get(ctx, "msg.branch.q", index=0) is None
    assert words.get(ctx, "msg.branch.path", index="*") == "<sip:p>"
    assert words.set(ctx, "msg.branch.q", "0.25", index=0) and ctx.target.q == 250
    assert words.set(ctx, "msg.branch.duri", "sip:d", index=0) and ctx.target.du == "sip:d"
    assert words.set(ctx, "msg.branch.duri", None, index=0) and ctx.target.du is None
    assert not words.set(ctx, "msg.branch.uri", "", index=0) and not words.set(ctx, "msg.branch.uri", "x", index=9)
    assert words.set(ctx, "msg.branch.attr", 5, "k", 1) and words.get(ctx, "msg.branch.attr", "k") == 5
    assert words.get(ctx, "msg.branch.attr", "k", 0) is None
    assert words.set(ctx, "msg.branch.attr", None, "k", 1) and words.get(ctx, "msg.branch.attr", "k") is None


def test_destination_set_and_path() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.get(ctx, "ds") is None and words.get(ctx, "path") is None
    ctx.target.uri, ctx.target.q, ctx.target.path = "sip:r", 1000, "<sip:p;lr>"
    ctx.targets = [Target("sip:a", q=500), Target("sip:b")]
    assert words.get(ctx, "ds") == "Contact: <sip:r>;q=1, <sip:a>;q=0.5, <sip:b>"
    assert words.get(ctx, "path") == "<sip:p;lr>"
