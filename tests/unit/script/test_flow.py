"""What routes need to run: results, levels, waiting, sub-routes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.words import Stage

from osip.core.run.log import ALERT
from osip.script import flow
from osip.testing.bench import Bench


@pytest.mark.parametrize(("value", "code"), [(5, 5), (0, 0), (True, 1), (False, -1), (None, 1)])
def test_results(value: Any, code: int) -> None:
    assert flow.result(value) == code


@pytest.mark.parametrize(("name", "level"), [("L_ALERT", -3), ("L_CRIT", -2), ("L_ERR", -1), ("L_WARN", 1), ("x_n", 2),
                                             ("L_INFO", 3), ("L_DBG", 4), ("?", 4)])
def test_levels(name: str, level: int) -> None:
    assert flow.level_named(name) == level
    assert flow.level_of(name) == level


def test_level_numbers() -> None:
    assert (flow.level_of(-2), flow.level_of(None)) == (-2, 4)


def made() -> tuple[Stage, flow.Flow]:
    """Return a stage and its flow."""
    stage = Stage("route { } route[A] { return(7); }")
    return stage, stage.program._unit.flow


def test_routes_by_computed_name(caplog: pytest.LogCaptureFixture) -> None:
    stage, found = made()
    assert found.find("A")(stage.ctx()) == 7
    assert found.find("none")(stage.ctx()) == -1
    assert caplog.records[-1].levelno == ALERT
    assert found.find(None)(stage.ctx()) == -1
    assert "no such route" in caplog.text


def test_params_are_restored_after_a_crash() -> None:
    stage, found = made()
    ctx = stage.ctx()
    ctx.params = ("outer",)

    def crash(ctx: Any) -> int:
        raise RuntimeError(ctx.params)
    with pytest.raises(RuntimeError, match="inner"):
        found.params(ctx, crash, "inner")
    assert ctx.params == ("outer",)


async def test_waiting_passes_errors_and_cancels() -> None:
    stage, found = made()
    gone: list[str] = []

    async def broken() -> int:
        await asyncio.sleep(0)
        raise KeyError("late")

    async def endless() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            gone.append("closed")
        return 1

    async def run(work: Any) -> int:
        return await found.wait(stage.ctx(), work)
    with pytest.raises(KeyError):
        await run(broken())
    task = asyncio.create_task(run(endless()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone == ["closed"]
    assert await run(3) == 3


async def test_a_failing_async_function_resumes_with_minus_one(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage("route { } route[R] { tell($rc); }")
    found = stage.program._unit.flow

    async def broken() -> int:
        await asyncio.sleep(0)
        raise KeyError("late")
    resume = stage.program.named("route", "R")
    assert resume is not None
    assert found.begin(stage.ctx(), broken, resume) == 0
    await asyncio.gather(*stage.env._tasks)
    assert stage.seen == ["wait", -1]
    assert "late" in caplog.text


@pytest.mark.parametrize("work", ["sleep(1)", "usleep(10)"])
def test_the_report_of_a_launch_has_no_message(work: str) -> None:
    text = ('loadmodule "proto_udp.so"\nloadmodule "sl.so"\nloadmodule "cfgutils.so"\n'
            f'route {{ $avp(q) = 1; launch({work}, done, "of $ci"); $avp(q) = 2; exit; }}\n'
            'route[done] { xlog("$rm $(hdr(X)) $si $avp(q) $param(1)"); $avp(q) = 3; sl_send_reply(404, "x"); }\n')
    with Bench(text=text) as bench:
        bench.send("INVITE sip:bob@10.0.0.9", call_id="c1", headers={"X": "y"})
        bench.advance(2).expect_log("~^DUMMY <null> <null> .*of c1$").expect_nothing()


@pytest.mark.parametrize(("text", "most"), [
    ("slow(1); slow(2);", 1), ("async(slow(1), R);", 1), ("at_once(1);", 0),
    ("async(at_once(1), R);", 0)])
async def test_each_wait_has_its_end(text: str, most: int) -> None:
    stage = Stage("route { " + text + " } route[R] { slow(3); }")
    words: Any = stage.registry.instances["words"]
    run = stage.program.request(stage.ctx())            # type: ignore[misc]
    task = asyncio.ensure_future(run) if asyncio.iscoroutine(run) else None
    await asyncio.sleep(0)
    assert words.waits == most
    if task is not None:
        await task
    while stage.env._tasks:
        await asyncio.gather(*stage.env._tasks)
    assert words.waits == 0


async def test_a_wait_that_a_hook_refused_has_no_end() -> None:
    stage, found = made()
    words: Any = stage.registry.instances["words"]
    words.hook_result = 0

    async def work() -> int:
        await asyncio.sleep(0)
        return 1
    assert found.begin(stage.ctx(), work, found.find("A")) == 0
    assert words.waits == 0 and not stage.env._tasks
