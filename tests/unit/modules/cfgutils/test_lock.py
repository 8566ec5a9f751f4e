"""Locks, here and in other processes."""
from __future__ import annotations

import asyncio
import os

from osip.modules.cfgutils.lock import Locks


async def test_one_at_a_time() -> None:
    locks, seen = Locks(), []

    async def work(name: str) -> None:
        assert await locks.acquire(5, 5)
        seen.append(name)
        await asyncio.sleep(0)
        seen.append(name)
        locks.release(5)
    await asyncio.gather(work("a"), work("b"))
    assert seen in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
    locks.close()


async def test_others_do_not_wait_and_the_same_waits_in_vain() -> None:
    locks = Locks()
    assert await locks.acquire(1, 1) and await locks.acquire(2, 1)
    assert not await locks.acquire(1, 0.01)
    assert locks.release(1) and not locks.release(1) and not locks.release(7)
    locks.close()


async def test_between_processes() -> None:
    locks = Locks()
    held, done = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:                     # another worker: takes the lock, tells, waits to be told
        import fcntl

        fcntl.lockf(locks._file, fcntl.LOCK_EX, 1, 9)
        os.write(held[1], b"x")
        os.read(done[0], 1)
        os._exit(0)
    os.read(held[0], 1)
    assert not await locks.acquire(9, 0.02)
    waiting = asyncio.ensure_future(locks.acquire(9, 30))
    os.write(done[1], b"x")
    assert await waiting
    os.waitpid(pid, 0)
    for end in (*held, *done):
        os.close(end)
    locks.close()
