"""Answer `osipctl trap`: on a signal write the stacks of all threads, and what the tasks of the loop wait for.

The stacks of threads are written by C code at once, even by a process that hangs; the tasks follow when the loop turns.
Both go into memory that has a name in /proc, where root and the server's own user can read it.
"""
from __future__ import annotations

import asyncio
import faulthandler
import fcntl
import os
import signal
from collections import Counter
from typing import Any

NAME = "osip-trap"
MASTER = NAME + "-master"
"""Its name in a process without a loop."""
MOST_STACKS = 200
"""Different stacks of tasks that are listed; tasks with the same stack are counted, not repeated."""
DEEPEST = 30
END = "-- end of tasks --"


def number() -> int:
    """Return the signal: one that nothing else uses."""
    return int(signal.SIGRTMIN)


def set_up(loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Be ready for the signal, in this process and its loop; where there are no memory files, only ignore it."""
    if not hasattr(os, "memfd_create"):
        return
    signal.signal(number(), signal.SIG_IGN)     # from the moment that the file can be seen nobody is killed by it
    faulthandler.unregister(number())
    for fd in inherited():
        os.close(fd)
    try:
        fd = os.memfd_create(MASTER if loop is None else NAME, os.MFD_CLOEXEC)
    except OSError:                             # a container may forbid it: a server runs without, too
        return
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)    # who reads it may truncate it
    if loop is not None:
        loop.add_signal_handler(number(), write_tasks, fd, loop)
    faulthandler.register(number(), file=fd, all_threads=True, chain=loop is not None)


def inherited() -> list[int]:
    """Return the memory files that this process has of an earlier set-up: after a fork, those of its parent."""
    found: list[int] = []
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:                             # no /proc in here
        return found
    for name in names:
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith(f"/memfd:{NAME}"):
                found.append(int(name))
        except OSError:
            continue
    return found


def write_tasks(fd: int, loop: asyncio.AbstractEventLoop) -> None:
    """Write where the tasks of a loop wait, the most frequent stacks first."""
    stacks = Counter(stack_of(task.get_coro()) for task in asyncio.all_tasks(loop))
    out = [f"\ntasks: {sum(stacks.values())}"]
    for stack, count in stacks.most_common(MOST_STACKS):
        out += ["", f"{count} x" if count > 1 else "1 task", *stack]
    if len(stacks) > MOST_STACKS:
        out += ["", f"and {len(stacks) - MOST_STACKS} other stacks"]
    os.write(fd, ("\n".join(out) + f"\n{END}\n").encode("utf-8", "replace"))


def stack_of(coro: Any) -> tuple[str, ...]:
    """Return the lines of a coroutine's stack, from its start to what it waits for."""
    lines: list[str] = []
    while coro is not None and len(lines) < DEEPEST:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None) or getattr(coro, "ag_frame", None)
        if frame is None:
            lines.append(f"  waits for {type(coro).__name__}")
            break
        code = frame.f_code
        lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_qualname}')
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None) or getattr(coro, "ag_await", None)
    return tuple(lines) or ("  (not started)",)
