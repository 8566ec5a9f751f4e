"""The context of one run, and the targets in it."""
from __future__ import annotations

from typing import Any

import pytest

from kit.message import request, response
from kit.playbook import make_worker
from kit.source import source_of
from osip.api import slot
from osip.core.run.ctx import Ctx, Target
from osip.core.sip.message import parse


def context(raw: bytes | None = None, **config: Any) -> Ctx:
    worker, _, _ = make_worker((), **config)
    return Ctx(worker.env, parse(raw or request()), None)


def test_the_request_uri_of_now() -> None:
    ctx = context()
    assert ctx.ruri == "sip:bob@10.0.0.2"
    ctx.target.uri = "sip:new@h"
    assert ctx.ruri == "sip:new@h"
    assert context(response(request(), 200)).ruri is None


@pytest.mark.parametrize(("most", "fit"), [(1, 0), (3, 2), (12, 11)])
def test_targets_are_bounded(most: int, fit: int) -> None:
    ctx = context(max_branches=most)
    results = [ctx.add_target(Target(f"sip:{number}@h")) for number in range(fit + 2)]
    assert results == [True] * fit + [False, False] and len(ctx.targets or []) == fit


def test_a_copy_of_a_target_is_its_own() -> None:
    first = Target("sip:a@h", "sip:d@h", "<sip:p>", 500, None, 3)
    first.attrs = {"a": 1}
    second = first.copy()
    second.uri, second.attrs["b"] = "sip:b@h", 2       # type: ignore[index]
    assert (first.uri, first.attrs) == ("sip:a@h", {"a": 1})
    assert (second.du, second.path, second.q, second.bflags) == ("sip:d@h", "<sip:p>", 500, 3)


def test_slots() -> None:
    one, two, ctx = slot(), slot(), context()
    assert ctx[one] is None
    ctx[one] = 1
    assert (ctx[one], ctx[two], context()[one]) == (1, None, None)


def test_avps_and_edits_are_made_on_first_use() -> None:
    ctx = context()
    assert ctx.avps is None and ctx.edits is None
    ctx.avp("a").append(1)
    assert ctx.avp("a") == [1] and ctx.avp("b") == []
    ctx.edit.append_hf("X: 1")
    assert ctx.edits is ctx.edit and len(ctx.edits) == 1


def test_no_attribute_can_be_sneaked_on() -> None:
    with pytest.raises(AttributeError):
        context().secret = 1        # type: ignore[attr-defined]


def test_a_copy_has_everything() -> None:
    names = [name for name in source_of("osip.core.run.ctx").Ctx.__slots__ if name not in ("target", "edits")]
    ctx = context()
    plain = [name for name in names if isinstance(getattr(ctx, name), (int, str)) and name not in ("kind", "dropped")]
    for at, name in enumerate(plain):
        setattr(ctx, name, type(getattr(ctx, name))(at + 2))
    ctx.dropped, ctx.avps, ctx.slots, ctx.blacklists, ctx.stack = True, {"a": [1]}, {1: 2}, {"b"}, ["c"]
    ctx.event, ctx.reply_edits, ctx.targets, ctx.error = {"d": 1}, [b"x"], [Target("e")], (1, 2, "f", 3, "g")
    ctx.edit.set_max_forwards(5)
    other = ctx.copy()
    assert [getattr(other, name) for name in names] == [getattr(ctx, name) for name in names]
    assert other.target is not ctx.target and other.edits is not ctx.edits and other.edit.items == ctx.edit.items
