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
from osip.core.run import master as master_module
from osip.core.run.master import Master, drop_privileges, limit_dumps, limit_files


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
    heard: list[int] = []
    worker.env.on_hang_up.append(lambda: heard.append(len(reloads)))

    def reload() -> None:
        reloads.append(1)
        if len(reloads) == 1:
            raise RuntimeError("a reload that fails stops nobody")
    await run(Master(worker, reload), worker, signal.SIGHUP, signal.SIGHUP, signal.SIGUSR1,
        signal.SIGINT)  # type: ignore
    assert heard and len(reloads) >= 2 and "statistic core:rcv_requests=7" in caplog.text


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


class Limits:
    """Limits of a process, as `resource` has them."""
    RLIMIT_NOFILE, RLIMIT_CORE, RLIM_INFINITY = "files", "core", -1

    def __init__(self, hard: int) -> None:
        self.hard = hard
        self.set: list[Any] = []

    def getrlimit(self, what: str) -> tuple[int, int]:
        return 1024, self.hard

    def setrlimit(self, what: str, limits: tuple[int, int]) -> None:
        if self.hard != -1 and limits[1] > self.hard:
            raise ValueError("not allowed to raise maximum limit")
        self.set.append((what, limits))


@pytest.mark.parametrize(("number", "hard", "expected"), [
    (-1, 4096, []), (2048, 4096, [("files", (2048, 4096))]), (4096, 4096, [("files", (4096, 4096))]),
    (8192, -1, [("files", (8192, 8192))])])
def test_open_files_limit(number: int, hard: int, expected: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(hard)
    monkeypatch.setattr(master_module, "resource", limits)
    limit_files(number)
    assert limits.set == expected


def test_open_files_limit_that_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_module, "resource", Limits(4096))
    with pytest.raises(OsipError, match="open_files_limit to 9000: .* at most 4096"):
        limit_files(9000)


@pytest.mark.parametrize(("are_off", "expected"), [(0, []), (1, [("core", (0, 4096))])])
def test_disable_core_dump(are_off: int, expected: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(4096)
    monkeypatch.setattr(master_module, "resource", limits)
    limit_dumps(are_off)
    assert limits.set == expected
