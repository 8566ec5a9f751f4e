"""The process around a worker: signals, pid file, user."""
from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from kit.playbook import make_worker
from osip.core.errors import OsipError
from osip.core.run.master import Master, drop_privileges


class Held:
    """A worker that only waits."""

    def __init__(self) -> None:
        self.env = make_worker(())[0].env
        self.stops: list[tuple[bool, float]] = []
        self.ended = asyncio.Event()

    async def run(self, ready: Any) -> None:
        ready()
        await self.ended.wait()

    def stop(self, drain: bool = False, grace: float = 10.0) -> None:
        self.stops.append((drain, grace))
        self.ended.set()


async def run(master: Master, worker: Held, *signals: int) -> None:
    async with asyncio.timeout(5):
        task = asyncio.create_task(master._main())
        while not worker.stops and not task.done():
            await asyncio.sleep(0)
            for one in signals:
                os.kill(os.getpid(), one)
                await asyncio.sleep(0.01)       # a signal becomes a callback of the loop: nothing tells when
        await task


@pytest.mark.parametrize(("signals", "stops"), [
    ((signal.SIGTERM,), (True, 7.0)), ((signal.SIGINT,), (False, 10.0))])
async def test_stopping(signals: tuple[int, ...], stops: tuple[bool, float]) -> None:
    worker = Held()
    await run(Master(worker, lambda: None, grace=7.0), worker, *signals)       # type: ignore[arg-type]
    assert worker.stops[0] == stops


async def test_reload_and_dump(caplog: pytest.LogCaptureFixture) -> None:
    worker, reloads = Held(), []
    worker.env.dispatch.rcv_requests = 7

    def reload() -> None:
        reloads.append(1)
        if len(reloads) == 1:
            raise RuntimeError("a reload that fails stops nobody")
    await run(Master(worker, reload), worker, signal.SIGHUP, signal.SIGHUP, signal.SIGUSR1,
        signal.SIGINT)  # type: ignore
    assert len(reloads) >= 2 and "statistic core:rcv_requests=7" in caplog.text


async def test_shutdown_by_management() -> None:
    worker = Held()
    master = Master(worker, lambda: None, grace=3.0)                           # type: ignore[arg-type]
    task = asyncio.create_task(master._main())
    await asyncio.sleep(0)
    worker.env.shutdown(True)
    await task
    assert worker.stops == [(True, 3.0)]


async def test_pid_file(tmp_path: Path) -> None:
    worker, path, seen = Held(), tmp_path / "pid", []
    master = Master(worker, lambda: None, pid_file=str(path),
        ready=lambda: seen.append(path.read_text()))  # type: ignore
    await run(master, worker, signal.SIGINT)
    assert seen == [f"{os.getpid()}\n"] and not path.exists()


async def test_a_pid_file_that_cannot_be_written(tmp_path: Path) -> None:
    worker = Held()
    with pytest.raises(OsipError, match="cannot write the pid file"):
        await Master(worker, lambda: None,
            pid_file=str(tmp_path / "no" / "pid"))._main()        # type: ignore[arg-type]


@pytest.mark.parametrize(("user", "group"), [("no-such-user", ""), ("", "no-such-group"), ("no-such-user",
    "no-such-group")])
def test_unknown_users(user: str, group: str) -> None:
    with pytest.raises(OsipError, match="no-such"):
        drop_privileges(user, group)


def test_nothing_asked_nothing_done() -> None:
    before = os.getuid(), os.getgid()
    drop_privileges("", "")
    assert (os.getuid(), os.getgid()) == before
