"""Check what a script knows about itself."""
from __future__ import annotations

import logging
import os
from types import SimpleNamespace

import pytest
from kit.builtin import Words

from osip.api import Route


def test_stack() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.get(ctx, "route") == "route" and words.get(ctx, "route.name") is None
    ctx.stack = ["route", "route[A]", "route[B]"]
    assert [words.get(ctx, "route", index=at) for at in (None, 0, 1, -1, 5)] == ["route[B]", "route[B]", "route[A]",
                                                                               "route", None]
    assert words.get(ctx, "route", index="*") == "route > route[A] > route[B]"
    assert words.get(ctx, "route.name") == "B" and words.get(ctx, "route.name", index=-1) is None
    assert words.get(ctx, "route.type", index=1) == "route"
    assert words.get(words.ctx(kind=Route.FAILURE), "route.type") == "failure_route"


def test_position_and_process() -> None:
    words = Words()
    ctx = words.ctx()
    ctx.line = 12
    words.env.program = SimpleNamespace(path="edge.cfg")    # type: ignore[assignment]
    assert words.get(ctx, "cfg_line") == 12 and words.get(ctx, "cfg_file") == "edge.cfg"
    assert words.get(ctx, "pp") == os.getpid() and str(words.get(ctx, "version")).startswith("osip ")


def test_error() -> None:
    words = Words()
    ctx = words.ctx()
    names = ("err.class", "err.level", "err.info", "err.rcode", "err.rreason")
    assert [words.get(ctx, name) for name in names] == [0, 0, "", 0, ""]
    ctx.error = (1, 3, "bad header", 400, "bad header")
    assert [words.get(ctx, name) for name in names] == [1, 3, "bad header", 400, "bad header"]


def test_trace(caplog: pytest.LogCaptureFixture) -> None:
    words = Words()
    ctx = words.ctx()
    words.env.program = SimpleNamespace(path="edge.cfg")    # type: ignore[assignment]
    step = words.registry.instances["core_script"].trace_step       # type: ignore[attr-defined]
    with caplog.at_level(logging.DEBUG, "osip"):
        step(ctx, 1, "core", "xlog", "none")
        words.call(ctx, "script_trace", 1, "$rm", "me")
        step(ctx, "edge.cfg:7", "core", "xlog", "INVITE")
        words.call(ctx, "script_trace")
        step(ctx, 8, "core", "xlog", "none")
    assert caplog.messages == ["[Script Trace][edge.cfg:7][me][core xlog] -> (INVITE)"]


def test_setdebug() -> None:
    words = Words()
    ctx = words.ctx()
    old = words.env.config.log_level
    assert words.call(ctx, "setdebug", 4) == 1 and words.get(ctx, "log_level") == 4
    assert words.call(ctx, "setdebug") == 1 and words.get(ctx, "log_level") == old
