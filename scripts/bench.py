#!/usr/bin/env python3
"""Measure what a SIP message costs osip: CPU, calls a second, response times, memory; beside Kamailio if asked.

scripts/bench.py call --peer kamailio        one workload, both servers, interleaved rounds
scripts/bench.py all --peer kamailio -o json every workload, for a machine to read
scripts/bench.py connections                 20,000 idle TCP connections: memory and CPU of each
scripts/bench.py script                      the language alone: a route's microseconds, a compilation's seconds
scripts/bench.py call --profile              one round of osip, and a flame graph of it in bench-out/
scripts/bench.py register --store sqlite     registering with a store, and loading what it has
scripts/bench.py growth --users 1000000      the cost of a message by users, calls in flight, lines of script; memory
scripts/bench.py auth --peer kamailio        the check of a password, by algorithm; REGISTERs with one, both servers
scripts/bench.py call --instructions 30      machine instructions of an operation, and of its costliest functions
scripts/bench.py count                       instructions and calls of an operation beside the recorded ones; no clock

The server has one core, the load generator another; see docs/performance.md for how to read the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.callgrind import as_instructions_table, count_instructions
from bench.count import WORK, as_count_table, compare, count_all, read_baseline, record, run_places
from bench.generator import CACHE, Generator
from bench.growth import PARTS, as_growth_table
from bench.profile import Perf, Sampled, write_profile
from bench.report import LEGEND, Row, add_ratios, as_table, machine, summarise
from bench.server import COMMANDS as SERVERS
from bench.server import BenchError
from bench.store import KAMAILIO, MODES, STORES, as_store_table, measure_store
from bench.workload import COMMANDS, WORKLOADS, Sample, Wish, measure, running


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=[*COMMANDS, *OTHERS],
                        help="the workload; register also measures refreshing; script is the language alone; "
                             "connections opens idle TCP connections; count counts what osip executes; growth measures "
                             "what must not grow; auth checks passwords")
    parser.add_argument("--peer", choices=[name for name in SERVERS if name != "osip"],
                        help="measure this server too, round by round beside osip")
    parser.add_argument("--only", choices=SERVERS, help="measure this server alone")
    parser.add_argument("--workers", type=int, default=1, metavar="N",
                        help="measure osip with N workers beside osip with one; all on the server's core")
    parser.add_argument("--spread", action="store_true",
                        help="let servers use every core, the generator's too: more workers then make more calls")
    parser.add_argument("--quota", type=float, default=0.0, metavar="PERCENT",
                        help="let each process of a server have this much of a core, one core after the other: room for "
                             "several workers beside the generator (needs root)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds, medians are shown (3)")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="load of one round (3)")
    parser.add_argument("--users", type=int, default=100_000, metavar="N", help="registered users (100000)")
    parser.add_argument("--connections", type=int, default=20_000, metavar="N",
                        help="TCP connections of the workload of that name (20000)")
    parser.add_argument("--window", type=int, metavar="N", help="operations under way at once, for each worker (64)")
    parser.add_argument("--rate", type=float, default=0.0, metavar="R",
                        help="operations a second; 0 (the default) means as many as the window allows")
    parser.add_argument("--ring", type=float, default=0.0, metavar="S",
                        help="seconds that a call rings: RATE x S transactions are then in flight (0)")
    parser.add_argument("--cold", action="store_true", help="leave out the second, warm round of calls")
    parser.add_argument("--profile", nargs="?", const="python", choices=("python", "perf"),
                        help="one round of osip alone (or of --only) and a flame graph bench-out/WORKLOAD.svg: Python "
                             "functions, or with perf machine code and the kernel")
    parser.add_argument("--instructions", nargs="?", type=int, const=0, metavar="N",
                        help="count machine instructions in user space instead of CPU time (callgrind; slow, but a busy "
                             "machine does not matter), and show the N functions with most")
    parser.add_argument("--store", choices=[*STORES, "all"],
                        help="register: with this place for contacts, and a restart on what it keeps")
    parser.add_argument("--mode", choices=MODES, default="write-through", help="register: when SQL is written")
    parser.add_argument("--part", choices=PARTS, help="growth: this part alone")
    parser.add_argument("--where", choices=WORK, help="count: which functions execute the instructions of a workload "
                                                      "(OSIP_PURE=1 asks the pure Python)")
    parser.add_argument("--record", action="store_true", help="count: keep the counts in tests/bench/baseline.json")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    asked = parser.parse_args()
    if asked.repeat < 1 or not 0.1 <= asked.seconds <= 3600 or not 1 <= asked.users <= 5_000_000:
        parser.error("--repeat must be 1 or more, --seconds 0.1 to 3600, --users 1 to 5000000")
    if not 1 <= asked.workers <= 64:
        parser.error("--workers must be 1 to 64")
    if asked.workers > 1 and asked.only not in (None, "osip"):
        parser.error(f"--workers is for osip: leave out --only {asked.only}")
    if asked.command == "auth" and asked.only not in (None, "osip"):
        parser.error(f"auth checks passwords in osip: --peer {asked.only} measures that one beside it, with REGISTERs")
    if asked.quota and not 20 <= asked.quota <= 100:
        parser.error("--quota must be 20 to 100")
    if not 0 <= asked.ring <= 100:
        parser.error("--ring must be 0 to 100")
    if asked.store and asked.command != "register":
        parser.error("--store belongs to the command register")
    if asked.profile == "python" and asked.only not in (None, "osip"):
        parser.error(f"--profile python is for osip: for {asked.only} write --profile perf")
    if asked.window is not None and not 1 <= asked.window <= 100_000:
        parser.error("--window must be 1 to 100000")
    return asked


def _cores() -> tuple[int, int]:
    """Choose the server's core and the generator's."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("needs two cores: one for the server, one for the load generator")
    return cores[0], cores[-1]


def _servers(asked: argparse.Namespace) -> list[str]:
    """Name what is measured."""
    return [asked.only] if asked.only else ["osip"] + ([asked.peer] if asked.peer else [])


def _sizes(asked: argparse.Namespace) -> list[str]:
    """Name what is measured, with several workers too: `osip*2` is osip with two."""
    servers = _servers(asked)
    if asked.workers > 1:
        servers.insert(servers.index("osip") + 1, f"osip*{asked.workers}")
    return servers


def _run(asked: argparse.Namespace) -> tuple[list[Row], int]:
    """Go through the rounds: each workload, each round, each server in turn, so that noise hits all alike.

    Return the rows, and how many rounds failed: one that does costs none of the others.
    """
    server_core, load_core = _cores()
    servers = _sizes(asked)
    cores = set(os.sched_getaffinity(0)) if asked.spread else {server_core}
    generator = Generator(load_core)
    os.sched_setaffinity(0, {load_core})
    wish = Wish(asked.seconds, asked.users, asked.window, asked.rate, not asked.cold, asked.ring, asked.quota)
    rows: list[Row] = []
    failed = 0
    with tempfile.TemporaryDirectory(prefix="osip-bench-") as folder:
        for work in (WORKLOADS[name] for name in COMMANDS[asked.command]):
            samples: dict[tuple[str, bool], list[Sample]] = {}
            for number in range(1, asked.repeat + 1):
                for name in servers:
                    print(f"{work.name}: round {number} of {asked.repeat}, {name}", file=sys.stderr, flush=True)
                    try:
                        with running(work, name, Path(folder), cores, generator, wish) as server:
                            for sample in measure(work, server, generator, wish):
                                samples.setdefault((name, sample.steady), []).append(sample)
                    except BenchError as error:
                        print(f"bench: {error}", file=sys.stderr)
                        failed += 1
            keys = sorted(samples, key=lambda key: (key[1], servers.index(key[0])))
            rows += [summarise(work, name, steady, samples[name, steady]) for name, steady in keys]
    if asked.peer:
        add_ratios(rows, asked.peer)
    return rows, failed


def _profile(asked: argparse.Namespace) -> int:
    """Run each workload once under a profiler, and draw a flame graph of it."""
    server_core, load_core = _cores()
    generator = Generator(load_core)
    os.sched_setaffinity(0, {load_core})
    wish = Wish(asked.seconds, asked.users, asked.window, asked.rate, False, asked.ring)
    name = asked.only or "osip"
    for work in (WORKLOADS[one] for one in COMMANDS[asked.command]):
        with tempfile.TemporaryDirectory(prefix="osip-bench-") as folder:
            profiler = (Perf if asked.profile == "perf" else Sampled)(Path(folder))
            with running(work, name, Path(folder), {server_core}, generator, wish, profiler) as server:
                sample = measure(work, server, generator, wish)[0]
        title = f"{name}, {work.name}, {sample.us_operation:.0f} us an operation"
        path = CACHE / f"{work.name}-{name}-{asked.profile}.svg"
        print(f"{title}\n{write_profile(profiler.stacks, title, path)}\n{path}")
    return 0


def _instructions(asked: argparse.Namespace) -> int:
    """Count machine instructions of osip, and of the peer."""
    server_core, load_core = _cores()
    generator = Generator(load_core)
    rows: list[Row] = []
    for work in (WORKLOADS[one] for one in COMMANDS[asked.command]):
        for name in _sizes(asked):
            print(f"{work.name}: {name}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="osip-bench-") as folder:
                rows.append(count_instructions(work, name, Path(folder), {server_core}, generator, asked.instructions))
    _show(asked, rows, as_instructions_table(rows))
    return 0


def _count(asked: argparse.Namespace) -> int:
    """Count what osip executes; a process of its own each for pure Python and the compiled leaves."""
    if asked.where:
        print(run_places(asked.where))
        return 0
    version, counts = count_all()
    baseline = read_baseline(version)
    if asked.output == "json":
        print(json.dumps({"python": version, "counts": counts, "recorded": baseline}, indent=1))
    else:
        print(as_count_table(counts, baseline))
    if asked.record:
        record(version, counts)
        return 0
    grown = compare(counts, baseline)
    print("\n".join(grown), file=sys.stderr, end="\n" if grown else "")
    return 1 if grown else 0


def _script(asked: argparse.Namespace) -> int:
    """Measure the language in this process, on one core."""
    from bench.script import as_script_table, measure_script  # it needs all of osip; the other commands run a server
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = measure_script(asked.repeat)
    _show(asked, rows, as_script_table(rows))
    return 0


def _connections(asked: argparse.Namespace) -> int:
    """Measure what idle stream connections cost."""
    from bench.connections import as_connections_table, measure_connections
    server_core, load_core = _cores()
    os.sched_setaffinity(0, {load_core})
    with tempfile.TemporaryDirectory(prefix="osip-bench-") as folder:
        row = measure_connections(Path(folder), {server_core}, asked.connections)
    _show(asked, [row], as_connections_table(row))
    return 0


def _growth(asked: argparse.Namespace) -> int:
    """Measure what must not grow."""
    server_core, load_core = _cores()
    generator = Generator(load_core)
    os.sched_setaffinity(0, {load_core})
    wish = Wish(asked.seconds, asked.users, None, 0.0, False, peer=asked.peer or "")
    rows: list[Row] = []
    for part in [asked.part] if asked.part else PARTS:
        with tempfile.TemporaryDirectory(prefix="osip-bench-") as folder:
            rows += PARTS[part](Path(folder), {server_core}, generator, wish)
    _show(asked, rows, as_growth_table(rows))
    return 0


def _store(asked: argparse.Namespace) -> int:
    """Measure registering with a store."""
    server_core, load_core = _cores()
    generator = Generator(load_core)
    os.sched_setaffinity(0, {load_core})
    rows: list[Row] = []
    failed = 0
    for store in STORES if asked.store == "all" else [asked.store]:
        for name in _servers(asked):
            if asked.store == "all" and name == "kamailio" and store not in ("memory", *KAMAILIO):
                continue
            with tempfile.TemporaryDirectory(prefix="osip-bench-") as folder:
                try:
                    row = measure_store(name, store, asked.mode, asked.users, Path(folder), {server_core}, generator)
                except (BenchError, AssertionError, OSError, subprocess.SubprocessError) as error:
                    print(f"bench: {name}, {store}: {error}", file=sys.stderr, flush=True)
                    failed = 1
                    continue
            rows.append(row)
            print(as_store_table([row]), file=sys.stderr, flush=True)       # should this run be ended before its end
    if rows:
        _show(asked, rows, as_store_table(rows))
    return failed


def _auth(asked: argparse.Namespace) -> int:
    """Measure the check of a password, in this process; beside a peer whole REGISTERs with one."""
    from bench.auth import as_auth_table, measure_auth      # it needs all of osip
    cores = os.sched_getaffinity(0)
    beside: list[Row] = []
    failed = 0
    if asked.peer:
        asked.command = "register-auth"
        beside, failed = _run(asked)
    os.sched_setaffinity(0, {min(cores)})
    rows = measure_auth(asked.repeat)
    table = as_auth_table(rows)
    _show(asked, [*rows, *beside], f"{table}\n\n{as_table(beside)}\n{LEGEND}" if beside else table)
    return 1 if failed else 0


def _show(asked: argparse.Namespace, rows: list[Row], table: str) -> None:
    if asked.output == "json":
        print(json.dumps({"machine": machine(), "seconds": asked.seconds, "rows": rows}, indent=1))
    else:
        print("   ".join(machine().values()))
        print(table)


OTHERS: dict[str, Callable[[argparse.Namespace], int]] = {
    "script": _script, "connections": _connections, "count": _count, "growth": _growth, "auth": _auth,
}
"""Commands that are no workload of the load generator."""


def main() -> int:
    """Run the benchmark that the command line asks for."""
    asked = _arguments()
    try:
        if asked.command in OTHERS:
            return OTHERS[asked.command](asked)
        if asked.store:
            return _store(asked)
        if asked.instructions is not None:
            return _instructions(asked)
        if asked.profile:
            return _profile(asked)
        rows, failed = _run(asked)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:                     # who reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if rows:
        _show(asked, rows, f"{as_table(rows)}\n{LEGEND}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
