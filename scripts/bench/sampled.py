"""Run osip so that it can be watched from inside: a signal starts and ends it, what was found goes to a file.

    python -P sampled.py stacks|turns FOUND start -f my.cfg

*stacks*: a timer interrupts it 1000 times a second (one of CPU time would be as coarse as the kernel's tick); what runs
then is counted unless the process was at rest: one line `outer;inner;innermost count` for each stack. Time in a C
function counts for the Python function that called it.

*turns*: the CPU time from one look at a UDP socket to the next; one line `microseconds count` for each length. A message
that arrives waits for the turn that is under way, whatever that does: other messages, timers, the collector.

The file is written at the second signal, as FOUND.PID.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

TOGGLE = signal.SIGRTMIN + 5
INTERVAL = 0.001
DEPTH = 60


class Watcher:
    """Counts what is seen in this process while it is on, by its name in the file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: Counter[str] = Counter()
        self._on = False
        signal.signal(TOGGLE, self.toggle)

    def toggle(self, *_: object) -> None:
        """Start, or end and write."""
        self._on = not self._on
        self.turned()
        if not self._on:
            half = f"{self._path}.{os.getpid()}.part"
            with open(half, "w") as out:
                out.writelines(f"{name} {count}\n" for name, count in self._seen.items())
            os.replace(half, half.removesuffix(".part"))
            self._seen.clear()

    def turned(self) -> None:
        """Do what starting and ending need."""


class Sampler(Watcher):
    """Counts stacks."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._used = 0.0
        signal.signal(signal.SIGALRM, self.sample)

    def turned(self) -> None:
        """Start or stop the timer."""
        signal.setitimer(signal.ITIMER_REAL, INTERVAL if self._on else 0.0, INTERVAL if self._on else 0.0)

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
        self._seen[";".join(reversed(stack))] += 1


class Turns(Watcher):
    """Counts turns by their length."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._last = 0.0
        self._watch_sockets()

    def turned(self) -> None:
        """Forget the turn that is under way."""
        self._last = 0.0

    def mark(self) -> None:
        """A turn ends, and one begins."""
        if self._on:
            now = time.thread_time()
            if self._last:
                self._seen[str(int((now - self._last) * 1e6))] += 1
            self._last = now

    def _watch_sockets(self) -> None:
        from osip.core.net.udp import UdpTransport      # stacks do without it

        plain = UdpTransport.open

        def opened(transport: UdpTransport, local: Any, loop: Any, *rest: Any) -> None:
            plain(transport, local, Loop(loop, self), *rest)
        UdpTransport.open = opened                      # type: ignore[method-assign]


class Loop:
    """An event loop whose sockets mark the turns."""

    def __init__(self, loop: Any, turns: Turns) -> None:
        self._loop, self._turns = loop, turns

    def add_reader(self, fileno: int, read: Callable[[], None]) -> None:
        """Mark a turn before each call of `read`."""
        mark = self._turns.mark

        def marked() -> None:
            mark()
            read()
        self._loop.add_reader(fileno, marked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


def main() -> None:
    """Run osip with the rest of the command line."""
    {"stacks": Sampler, "turns": Turns}[sys.argv[1]](sys.argv[2])
    sys.argv = ["osip", *sys.argv[3:]]
    runpy.run_module("osip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
