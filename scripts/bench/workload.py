"""Name the workloads: what is run, on which script, how many messages an operation has, what is filled in before."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from bench.generator import Answer, Generator, Load
from bench.server import BenchError, Server


@dataclass(frozen=True)
class Workload:
    """Describe one kind of operation."""

    name: str
    mode: str                   # of the generator
    script: str                 # scripts/bench/SERVER-<script>.cfg
    messages_in: int            # that the server receives for one operation
    messages_out: int           # that it sends
    window: int
    fill: bool = False          # register all users first
    measure_fill: bool = False  # and measure that, instead of seconds of load afterwards


WORKLOADS = {
    work.name: work
    for work in (
        Workload("options", "options", "options", 1, 1, 64),
        Workload("register", "register", "register", 1, 1, 64, measure_fill=True),
        Workload("refresh", "register", "register", 1, 1, 64, fill=True),
        Workload("call", "call", "call", 6, 7, 64),
        Workload("lookup", "lookup", "call", 6, 7, 64, fill=True),
        Workload("forward", "forward", "forward", 2, 2, 64),
    )
}
COMMANDS = {
    "options": ("options",), "register": ("register", "refresh"), "call": ("call",), "lookup": ("lookup",),
    "forward": ("forward",), "all": tuple(WORKLOADS),
}


@dataclass(frozen=True)
class Sample:
    """Hold what one run of one workload on one server gave."""

    us_operation: float
    us_received: float
    us_message: float
    system_share: float
    operations: float
    messages: float
    resident: int
    start_seconds: float
    steady: bool
    answer: Answer


@dataclass(frozen=True)
class Wish:
    """Hold what the command line asked for."""

    seconds: float
    users: int
    window: int | None
    rate: float
    warm: bool
    ring: float = 0.0


SETTLE = 6.0
"""Seconds until the transactions of a warming run are gone (timer wt / J, K: 5 s)."""


def measure(work: Workload, server: Server, generator: Generator, wish: Wish) -> list[Sample]:
    """Run a workload on a fresh server; the second sample, when asked for, is of a server that is warm."""
    load = Load(work.mode, wish.window or work.window, wish.users, wish.seconds, rate=wish.rate,
                hold=wish.ring if work.mode in ("call", "lookup") else 0.0)
    fill = replace(load, mode="register", seconds=60.0 + wish.users / 1000, count=wish.users, rate=0.0, hold=0.0,
                   window=WORKLOADS["register"].window)
    if work.measure_fill:
        return [_sample(work, server, generator, fill, steady=False)]
    if work.fill:
        filled = generator.run(fill, server)
        if filled.completed < wish.users:
            raise BenchError(f"{server.name}: {wish.users - filled.completed} of {wish.users} users not registered")
    samples = [_sample(work, server, generator, load, steady=False)]
    if wish.warm and work.mode in ("call", "lookup"):
        time.sleep(SETTLE)
        samples.append(_sample(work, server, generator, load, steady=True))
    return samples


def _sample(work: Workload, server: Server, generator: Generator, load: Load, *, steady: bool) -> Sample:
    before = server.usage()
    answer = generator.run(load, server)
    after = server.usage()
    if not answer.completed:
        raise BenchError(f"{server.name}, {work.name}: no operation completed\n{server.last_words()}")
    cpu = (after.cpu - before.cpu) * 1e6
    return Sample(
        us_operation=cpu / answer.completed,
        us_received=cpu / answer.sent,
        us_message=cpu / (answer.sent + answer.received),
        system_share=(after.system - before.system) * 1e6 / cpu if cpu else 0.0,
        operations=answer.completed / answer.seconds,
        messages=(answer.sent + answer.received) / answer.seconds,
        resident=after.resident,
        start_seconds=server.start_seconds,
        steady=steady,
        answer=answer,
    )
