"""The stacks that a process writes on a signal: threads at once, tasks when the loop turns."""
from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
from collections.abc import Iterator

import pytest

from kit.peer import eventually
from osip.core.run import trap


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    faulthandler.unregister(trap.number())
    signal.signal(trap.number(), signal.SIG_IGN)
    for fd in trap.inherited():
        os.close(fd)


def text(fd: int) -> str:
    return os.pread(fd, 1 << 20, 0).decode()


def test_threads_without_a_loop() -> None:
    trap.set_up()
    trap.set_up()
    fd, = trap.inherited()
    os.kill(os.getpid(), trap.number())
    eventually(lambda: "test_threads_without_a_loop" in text(fd), "the stack")
    os.ftruncate(fd, 0)
    os.kill(os.getpid(), trap.number())
    eventually(lambda: "test_threads_without_a_loop" in text(fd), "the second one")
    assert not text(fd).startswith("\0"), "what was read can be cut off"


async def wait_deep(gate: asyncio.Event) -> None:
    await wait_deeper(gate)


async def wait_deeper(gate: asyncio.Event) -> None:
    await gate.wait()


async def test_tasks_follow() -> None:
    loop, gate = asyncio.get_running_loop(), asyncio.Event()
    trap.set_up(loop)
    tasks = [loop.create_task(wait_deep(gate)) for _ in range(3)]
    await asyncio.sleep(0)
    fd, = trap.inherited()
    os.kill(os.getpid(), trap.number())
    for _ in range(500):
        if trap.END in text(fd):
            break
        await asyncio.sleep(0.01)
    found = text(fd)
    assert "most recent call first" in found and "3 x\n" in found and "tasks: 4" in found
    at = [found.index(name) for name in ("in wait_deep\n", "in wait_deeper\n", "in Event.wait\n")]
    assert at == sorted(at)
    gate.set()
    await asyncio.gather(*tasks)
    loop.remove_signal_handler(trap.number())


async def test_many_different_stacks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trap, "MOST_STACKS", 1)
    loop, gate = asyncio.get_running_loop(), asyncio.Event()
    tasks = [loop.create_task(wait_deep(gate)), loop.create_task(wait_deeper(gate))]
    await asyncio.sleep(0)
    fd = os.memfd_create("test")
    trap.write_tasks(fd, loop)
    assert "and 2 other stacks" in text(fd)
    os.close(fd)
    gate.set()
    await asyncio.gather(*tasks)


def test_where_memory_files_are_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise OSError(1, "Operation not permitted")
    before = trap.inherited()                   # other tests of this process may have set it up
    monkeypatch.setattr(os, "memfd_create", refuse)
    monkeypatch.setattr(os, "listdir", refuse)
    trap.set_up()
    monkeypatch.undo()
    assert trap.inherited() == before and signal.getsignal(trap.number()) is signal.SIG_IGN
    os.kill(os.getpid(), trap.number())


def test_the_stack_of_something_strange() -> None:
    assert trap.stack_of(None) == ("  (not started)",) and trap.stack_of(object()) == ("  waits for object",)
