#!/usr/bin/env python3
"""Measure what a SIP message costs osip: CPU, calls a second, response times, memory; beside Kamailio if asked.

scripts/bench.py call --peer kamailio        one workload, both servers, interleaved rounds
scripts/bench.py all --peer kamailio -o json every workload, for a machine to read
scripts/bench.py connections                 20,000 idle TCP connections: memory and CPU of each
scripts/bench.py script                      the language alone: a route's microseconds, a compilation's seconds

The server has one core, the load generator another; see docs/performance.md for how to read the table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from bench.generator import Generator
from bench.report import LEGEND, Row, add_ratios, as_table, machine, summarise
from bench.server import COMMANDS as SERVERS
from bench.server import BenchError, start_server
from bench.workload import COMMANDS, WORKLOADS, Sample, Wish, measure


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=[*COMMANDS, "script", "connections"],
                        help="the workload; register also measures refreshing; script is the language alone; connections "
                             "opens idle TCP connections")
    parser.add_argument("--peer", choices=[name for name in SERVERS if name != "osip"],
                        help="measure this server too, round by round beside osip")
    parser.add_argument("--only", choices=SERVERS, help="measure this server alone")
    parser.add_argument("--workers", type=int, default=1, metavar="N",
                        help="measure osip with N workers beside osip with one; all on the server's core")
    parser.add_argument("--spread", action="store_true",
                        help="let servers use every core, the generator's too: more workers then make more calls")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds, medians are shown (3)")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="load of one round (3)")
    parser.add_argument("--users", type=int, default=100_000, metavar="N", help="registered users (100000)")
    parser.add_argument("--connections", type=int, default=20_000, metavar="N",
                        help="TCP connections of the workload of that name (20000)")
    parser.add_argument("--window", type=int, metavar="N", help="operations under way at once (64)")
    parser.add_argument("--rate", type=float, default=0.0, metavar="R",
                        help="operations a second; 0 (the default) means as many as the window allows")
    parser.add_argument("--ring", type=float, default=0.0, metavar="S",
                        help="seconds that a call rings: RATE x S transactions are then in flight (0)")
    parser.add_argument("--cold", action="store_true", help="leave out the second, warm round of calls")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    asked = parser.parse_args()
    if asked.repeat < 1 or not 0.1 <= asked.seconds <= 3600 or not 1 <= asked.users <= 5_000_000:
        parser.error("--repeat must be 1 or more, --seconds 0.1 to 3600, --users 1 to 5000000")
    if not 1 <= asked.workers <= 64:
        parser.error("--workers must be 1 to 64")
    if not 0 <= asked.ring <= 100:
        parser.error("--ring must be 0 to 100")
    if asked.window is not None and not 1 <= asked.window <= 100_000:
        parser.error("--window must be 1 to 100000")
    return asked


def _cores() -> tuple[int, int]:
    """Choose the server's core and the generator's."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("needs two cores: one for the server, one for the load generator")
    return cores[0], cores[-1]


def _run(asked: argparse.Namespace) -> list[Row]:
    """Go through the rounds: each workload, each round, each server in turn, so that noise hits all alike."""
    server_core, load_core = _cores()
    servers = [asked.only] if asked.only else ["osip"] + ([asked.peer] if asked.peer else [])
    if asked.workers > 1:
        servers.insert(servers.index("osip") + 1, f"osip*{asked.workers}")
    cores = set(os.sched_getaffinity(0)) if asked.spread else {server_core}
    generator = Generator(load_core)
    os.sched_setaffinity(0, {load_core})
    wish = Wish(asked.seconds, asked.users, asked.window, asked.rate, not asked.cold, asked.ring)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="osip-bench-") as folder:
        for work in (WORKLOADS[name] for name in COMMANDS[asked.command]):
            samples: dict[tuple[str, bool], list[Sample]] = {}
            for number in range(1, asked.repeat + 1):
                for name in servers:
                    print(f"{work.name}: round {number} of {asked.repeat}, {name}", file=sys.stderr, flush=True)
                    server = start_server(name, work.script, Path(folder), cores)
                    try:
                        for sample in measure(work, server, generator, wish):
                            samples.setdefault((name, sample.steady), []).append(sample)
                    finally:
                        server.stop()
            keys = sorted(samples, key=lambda key: (key[1], servers.index(key[0])))
            rows += [summarise(work, name, steady, samples[name, steady]) for name, steady in keys]
    if asked.peer:
        add_ratios(rows, asked.peer)
    return rows


def _script(asked: argparse.Namespace) -> int:
    """Measure the language in this process, on one core."""
    from bench.script import as_script_table, measure_script  # it needs all of osip; the other commands run a server
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = measure_script(asked.repeat)
    if asked.output == "json":
        print(json.dumps({"machine": machine(), "rows": rows}, indent=1))
    else:
        print("   ".join(machine().values()))
        print(as_script_table(rows))
    return 0


def _connections(asked: argparse.Namespace) -> int:
    """Measure what idle stream connections cost."""
    from bench.connections import as_connections_table, measure_connections
    server_core, load_core = _cores()
    os.sched_setaffinity(0, {load_core})
    with tempfile.TemporaryDirectory(prefix="osip-bench-") as folder:
        row = measure_connections(Path(folder), {server_core}, asked.connections)
    if asked.output == "json":
        print(json.dumps({"machine": machine(), "rows": [row]}, indent=1))
    else:
        print("   ".join(machine().values()))
        print(as_connections_table(row))
    return 0


def main() -> int:
    """Run the benchmark that the command line asks for."""
    asked = _arguments()
    if asked.command == "script":
        return _script(asked)
    try:
        if asked.command == "connections":
            return _connections(asked)
        rows = _run(asked)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if asked.output == "json":
        print(json.dumps({"machine": machine(), "seconds": asked.seconds, "rows": rows}, indent=1))
    else:
        print("   ".join(machine().values()))
        print(as_table(rows))
        print(LEGEND)
    return 0


if __name__ == "__main__":
    sys.exit(main())
