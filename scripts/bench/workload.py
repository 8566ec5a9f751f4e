"""Name the workloads: what is run, on which script, how many messages an operation has, what is filled in before."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from bench.generator import Answer, Generator, Load
from bench.quota import quota
from bench.server import BenchError, Profiler, Server, start_server, workers
from bench.usage import tree


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
    transport: str = "udp"


WORKLOADS = {
    work.name: work
    for work in (
        Workload("options", "options", "options", 1, 1, 64),
        Workload("register", "register", "register", 1, 1, 64, measure_fill=True),
        Workload("refresh", "register", "register", 1, 1, 64, fill=True),
        Workload("call", "call", "call", 6, 7, 64),
        Workload("lookup", "lookup", "call", 6, 7, 64, fill=True),
        Workload("forward", "forward", "forward", 2, 2, 64),
        Workload("register-auth", "auth", "auth", 2, 2, 64),
        Workload("register-auth-db", "auth", "auth_db", 2, 2, 64),
        Workload("dispatcher", "dispatch", "dispatcher", 7, 9, 64),
        Workload("dispatcher-silent", "silent", "dispatcher", 6, 9, 64),
        Workload("residential", "lookup", "residential", 6, 7, 64, fill=True),
        Workload("tcp-call", "call", "tcp", 6, 7, 64, transport="tcp"),
    )
}
COMMANDS = {
    "options": ("options",), "register": ("register", "refresh"), "call": ("call",), "lookup": ("lookup",),
    "forward": ("forward",), "register-auth": ("register-auth", "register-auth-db"), "residential": ("residential",),
    "dispatcher": ("dispatcher", "dispatcher-silent"), "tcp-call": ("tcp-call",), "all": tuple(WORKLOADS),
}
CALLS = ("call", "lookup", "dispatch", "silent")
"""Modes whose operation is a call."""


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
    quota: float = 0.0
    peer: str = ""


def prepare(work: Workload, folder: Path, generator: Generator, users: int) -> dict[str, str]:
    """Write what the scripts of a workload read, and return the words that stand for it there."""
    if work.script == "dispatcher":
        lines = [f"1 sip:127.0.0.1:{port} 0 {priority}\n"
                 for port, priority in ((generator.gateway_port, 10), (generator.uas_port, 5))]
        (folder / "gateways.list").write_text("".join(lines))
    if work.script == "auth_db":
        write_subscribers(folder / "subscribers.db", users)
    return {"FOLDER": str(folder)}


def write_subscribers(path: Path, users: int) -> None:
    """Make an SQLite table of users that both servers read; their password is the generator's."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as base:
        base.execute("create table version (table_name varchar(32) not null, table_version integer not null)")
        base.execute("insert into version values ('subscriber', 8)")      # osip's; Kamailio's script checks none
        base.execute("create table subscriber (id integer primary key, username varchar(64), domain varchar(64), "
                     "password varchar(64) default '', ha1 varchar(64), ha1_sha256 varchar(64) default '', "
                     "ha1_sha512t256 varchar(64) default '', unique (username, domain))")
        names = (f"u{number:07d}" for number in range(users))
        base.executemany("insert into subscriber (username, domain, ha1) values (?, 'bench', ?)",
                         ((name, hashlib.md5(f"{name}:bench:secret".encode()).hexdigest()) for name in names))
        base.commit()


@contextmanager
def running(work: Workload, name: str, folder: Path, cores: set[int], generator: Generator, wish: Wish,
            profiler: Profiler | None = None) -> Iterator[Server]:
    """Start a server for a workload and stop it in the end."""
    words = prepare(work, folder, generator, wish.users)
    server = start_server(name, work.script, folder, cores, words, profiler=profiler)
    try:
        with quota(tree(server.child.pid), wish.quota) if wish.quota else nullcontext():
            try:
                yield server
            finally:
                server.stop()           # before its groups are taken away
    finally:
        server.stop()


SETTLE = 6.0
"""Seconds until the transactions of a warming run are gone (timer wt / J, K: 5 s)."""


def measure(work: Workload, server: Server, generator: Generator, wish: Wish) -> list[Sample]:
    """Run a workload on a fresh server; the second sample, when asked for, is of a server that is warm."""
    window = (wish.window or work.window) * workers(server.name)    # or each worker would be less busy than the one
    load = Load(work.mode, window, wish.users, wish.seconds, rate=wish.rate,
                hold=wish.ring if work.mode in CALLS else 0.0, transport=work.transport)
    fill = replace(load, mode="register", seconds=60.0 + wish.users / 1000, count=wish.users, rate=0.0, hold=0.0,
                   window=WORKLOADS["register"].window)
    if work.measure_fill:
        return [take(work, server, generator, fill, steady=False)]
    if work.fill:
        filled = generator.run(fill, server)
        if filled.completed < wish.users:
            raise BenchError(f"{server.name}: {wish.users - filled.completed} of {wish.users} users not registered")
    samples = [take(work, server, generator, load, steady=False)]
    if wish.warm and work.mode in ("call", "lookup", "dispatch"):
        time.sleep(SETTLE)
        samples.append(take(work, server, generator, load, steady=True))
    return samples


def take(work: Workload, server: Server, generator: Generator, load: Load, *, steady: bool = False) -> Sample:
    """Run one load and divide what it cost by what it did."""
    before = server.usage()
    server.begin_profile()
    answer = generator.run(load, server)
    server.end_profile()
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
