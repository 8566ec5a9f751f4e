"""Routes: collection, nesting, the call stack, waiting, positions in tracebacks (dsl.md section 5)."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from typing import Any

import pytest
from kit.words import Stage, run

ALL = """
route { ok(); }
route[A] { mark("A"); }
onreply_route { ok(); }
onreply_route[R] { ok(); }
failure_route[F] { ok(); }
branch_route[B] { ok(); }
error_route { ok(); }
local_route { ok(); }
startup_route { ok(); }
timer_route[T, 30] { mark("T1"); }
timer_route[T, 60] { mark("T2"); }
event_route[E_X] { ok(); }
event_route[E_X, async] { fail(); }
"""


def test_collection() -> None:
    program = Stage(ALL).program
    assert program.route_count() == 13
    for attr in ("request", "reply", "error", "local", "startup"):
        assert getattr(program, attr) is not None, attr
    assert [(timer.name, timer.interval) for timer in program.timers] == [("T", 30), ("T", 60)]
    assert timer_marks() == ["T1", "T2"]
    assert [len(routes) for routes in program.events.values()] == [2]
    assert program.named("failure_route", "F") is not None
    assert program.named("failure_route", "A") is None
    assert program.named("route", "0") is program.request
    assert program.names("onreply_route") == ["R"]


def timer_marks() -> list[Any]:
    """Run the timer routes."""
    stage = Stage(ALL)
    for timer in stage.program.timers:
        timer.run(stage.ctx())
    return stage.seen


def test_unnamed_and_zero_are_one() -> None:
    assert Stage("route[0] { ok(); }").run() == 1
    assert Stage("onreply_route[0] { ok(); }").program.reply is not None


def test_nesting_limit(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage("route { route(A); } route[A] { $var(n) += 1; route(A); }")
    stage.env.vars["n"] = 0
    stage.run()
    assert stage.env.vars["n"] == 100
    assert "nested more than 100" in caplog.text


def test_call_stack_is_kept_when_read() -> None:
    stage = Stage('route { route(A); mark("$route"); } route[A] { stack(); }')
    ctx = stage.ctx()
    seen: list[list[str]] = []
    stage.words.seen = Recorder(seen, ctx)
    stage.program.space["_unknown"] = lambda what: seen.append(list(ctx.stack or ())) or 1
    stage.run(ctx)
    assert ["route", "route[A]"] in seen
    assert ctx.stack == []


class Recorder(list):
    """Remember the stack at each mark."""

    def __init__(self, seen: list[list[str]], ctx: Any) -> None:
        super().__init__()
        self._seen, self._ctx = seen, ctx

    def append(self, item: Any) -> None:
        """Remember the stack."""
        self._seen.append(list(self._ctx.stack or ()))


def frames(stage: Stage) -> list[tuple[str, int, str, str]]:
    """Run a route that raises; return its frames in the script."""
    with pytest.raises(RuntimeError) as caught:
        stage.run()
    return [(frame.filename, frame.lineno or 0, frame.name, frame.line or "")
            for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename.endswith(".cfg")]


def test_tracebacks_name_the_script() -> None:
    text = "route {\n    ok();\n    if (ok() &&\n        !crash()) fail();\n}\n"
    assert frames(Stage(text, path="edge.cfg")) == [("edge.cfg", 4, "route", "!crash()) fail();")]
    text = "route {\n    route(A);\n}\nroute[A] {\n\n  crash();\n}"
    assert frames(Stage(text, path="edge.cfg")) == [("edge.cfg", 2, "route", "route(A);"),
                                                    ("edge.cfg", 6, "route[A]", "crash();")]
    text = "route {\n  if (0) { ok(); }\n  else if (0)\n    ok();\n  else if (crash()) ok();\n}"
    assert frames(Stage(text, path="edge.cfg"))[0][1] == 5


def test_routes_that_do_not_wait_are_plain() -> None:
    stage = Stage("route { async(slow(1), R); } route[R] { launch(slow(1), R); } route[W] { slow(1); } "
                  "route[X] { route(W); } route[Y] { if (ok() || !slow(2)) ok(); }")
    colours = {name: inspect.iscoroutinefunction(stage.program.named("route", name)) for name in "RWXY"}
    assert colours == {"R": False, "W": True, "X": True, "Y": True}
    assert not inspect.iscoroutinefunction(stage.program.request)


async def finish(stage: Stage) -> list[Any]:
    """Let everything that was started come to an end."""
    while stage.env._tasks:
        await asyncio.gather(*list(stage.env._tasks))
    return stage.seen


WAITING: list[tuple[str, int, list[Any]]] = [
    ('slow(1); mark("on");', 1, ["wait", "slow 1", "on"]),
    ('at_once(1); mark("on");', 1, ["at_once 1", "on"]),
    ('slow(0); mark("no");', 0, ["wait", "slow 0"]),
    ('if (!slow(-2)) mark("y");', 1, ["wait", "slow -2", "y"]),
    ('if (slow(0) || ok()) mark("y"); else mark("n");', 0, ["wait", "slow 0"]),
    ('$var(x) = slow(5); tell($var(x));', 1, ["wait", "slow 5", 5]),
    ('route(W); mark("on");', 1, ["wait", "slow 3", "on"]),
    ('$var(r) = "W"; route($var(r)); route("P"); mark("on");', 1, ["wait", "slow 3", "P", "on"]),
    ('route(V, "p"); tell($param(1)); mark("on");', 1, ["wait", "slow 3", "p", "on"]),
    ('while (slow(-1)) ok(); mark("on");', 1, ["wait", "slow -1", "on"]),
    ('number($var(none)); slow($var(none)); mark("on");', 1, ["on"]),
    ("if ({ slow(1); ok(); }) fail();", -1, ["wait", "slow 1", "ok", "fail"]),
]
WAITING_ROUTES = 'route[W] { slow(3); } route[P] { mark("P"); } route[V] { slow(3); tell($param(1)); }'


@pytest.mark.parametrize(("body", "code", "seen"), WAITING, ids=[case[0] for case in WAITING])
async def test_waiting(body: str, code: int, seen: list[Any]) -> None:
    stage = Stage(f"route {{ {body} }} {WAITING_ROUTES}")
    found = stage.run()
    assert (await found, stage.seen) == (code, seen)


async def test_a_hook_may_take_the_message() -> None:
    stage = Stage('route { slow(1); mark("no"); }')
    stage.words.hook_result = 0
    assert (await stage.run(), stage.seen) == (0, ["wait"])


ASYNC: list[tuple[str, list[Any]]] = [
    ('async(slow(5), R); mark("no");', ["wait", "slow 5", 5, "R"]),
    ('async(give(6), R); mark("no");', [6, "R"]),
    ('async(slow(0), "R");', ["wait", "slow 0", 0, "R"]),
    ('async(nope(), R);', ["nope", -1, "R"]),
    ('async(slow($var(none)), R);', [-1, "R"]),
    ('async(crash(), R);', []),
    ('async(slow(5), W); mark("no");', ["wait", "slow 5", "slow 7", "R2"]),
    ('launch(slow(5), R, "n $rU"); mark("on");', ["on", "slow 5", 5, "R", "n bob"]),
    ('launch(slow(5)); mark("on");', ["on", "slow 5"]),
    ('launch(give(4), R); mark("on");', [4, "R", "on"]),
    ('route(S); mark("no");', ["wait", "slow 2", 2, "R"]),
]
ASYNC_ROUTES = ('route[R] { tell($rc); mark("R"); tell($param(1)); } route[W] { slow(7); mark("R2"); } '
                "route[S] { async(slow(2), R); }")


@pytest.mark.parametrize(("body", "seen"), ASYNC, ids=[case[0] for case in ASYNC])
async def test_async_and_launch(body: str, seen: list[Any]) -> None:
    stage = Stage(f"route {{ {body} }} {ASYNC_ROUTES}")
    try:
        assert stage.run() in (0, 1)
    except RuntimeError:
        assert "crash" in body
    found = [item for item in await finish(stage) if item != "wait" or "async" in body or "route(S)" in body]
    if body.startswith("async(slow(5), W)"):        # the resume route waits on its own
        found = [item for place, item in enumerate(found) if item != "wait" or place == 0]
    assert found == seen


async def test_async_timeout() -> None:
    stage = Stage("route { async(never(), R, 1); } route[R] { tell($rc); }")
    asyncio.get_running_loop().call_soon(lambda: None)
    assert stage.run() == 0
    assert (await finish(stage))[-1] == -2


def test_texts_made_at_run_time() -> None:
    stage = Stage("route { }")
    ctx = stage.ctx()
    assert stage.program.expand(ctx, "to $rU $$ $avp(x)") == "to bob $ <null>"
    variable = stage.program.variable("$avp(x)")
    assert variable.set(ctx, "v") is True
    assert (variable.get(ctx), variable.name) == ("v", "$avp(x)")
    with pytest.raises(ValueError):
        stage.program.variable("avp(x)")


def test_included_lines_do_not_break_positions(tmp_path: Any) -> None:
    inner = tmp_path / "inner.cfg"
    inner.write_text("\n\n\n\n\n\n\n\n\nok();\n")
    stage = Stage(f'route {{\nmark("a");\ninclude_file "{inner}"\ncrash();\n}}', path=str(tmp_path / "main.cfg"))
    assert frames(stage)[0][1] == 4


def test_nothing_is_looked_up_by_name_at_run_time() -> None:
    stage = Stage('route { number(1); xlog("x"); route(A); } route[A] { $var(x) = $rU; }')
    stage.registry._functions.clear()
    stage.registry._pvars.clear()
    assert stage.run() == 1


def test_run_is_repeatable() -> None:
    assert run("ok();") == run("ok();") == (1, ["ok"])
