"""Run osip so that it can be sampled: a signal starts and ends it, the stacks go to a file for each process.

    python -P sampled.py STACKS start -f my.cfg

While it samples, a timer interrupts it 1000 times a second (one of CPU time would be as coarse as the kernel's tick);
what runs then is counted unless the process was at rest: one line `outer;inner;innermost count` for each stack. Time
in a C function counts for the Python function that called it. The file is written at the second signal, as STACKS.PID.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
from collections import Counter
from types import FrameType

TOGGLE = signal.SIGRTMIN + 5
INTERVAL = 0.001
DEPTH = 60


class Sampler:
    """Counts the stacks of this process while it is on."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: Counter[tuple[str, ...]] = Counter()
        self._on = False
        self._used = 0.0

    def toggle(self, *_: object) -> None:
        """Start, or end and write."""
        self._on = not self._on
        signal.setitimer(signal.ITIMER_REAL, INTERVAL if self._on else 0.0, INTERVAL if self._on else 0.0)
        if not self._on:
            half = f"{self._path}.{os.getpid()}.part"
            with open(half, "w") as out:
                out.writelines(f"{';'.join(stack)} {count}\n" for stack, count in self._seen.items())
            os.replace(half, half.removesuffix(".part"))
            self._seen.clear()

    def sample(self, _: int, frame: FrameType | None) -> None:
        """Count what runs; a process that has hardly run since the last time was at rest."""
        used, before = time.thread_time(), self._used
        self._used = used
        if used - before < INTERVAL / 2:
            return
        stack = []
        while frame is not None and len(stack) < DEPTH:
            code = frame.f_code
            stack.append(f"{code.co_qualname} ({os.path.basename(code.co_filename)})".replace(";", ","))
            frame = frame.f_back
        self._seen[tuple(reversed(stack))] += 1


def main() -> None:
    """Run osip with the rest of the command line."""
    sampler = Sampler(sys.argv[1])
    signal.signal(TOGGLE, sampler.toggle)
    signal.signal(signal.SIGALRM, sampler.sample)
    sys.argv = ["osip", *sys.argv[2:]]
    runpy.run_module("osip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
