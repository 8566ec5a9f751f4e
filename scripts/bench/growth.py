"""Measure what must not grow: the cost of a message with the users, the calls in flight and the script; memory.

Each part starts servers of its own. A figure that grows is a fault wherever the work for one message is the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.generator import Generator, Load
from bench.profile import Turns
from bench.server import Server, script_text, start_server
from bench.workload import WORKLOADS, Sample, Wish, take

Rows = list[dict[str, Any]]

SIZES = (1_000, 10_000, 100_000, 1_000_000)
FLIGHTS, FLIGHT_RATE = (1, 100, 10_000), 1000.0
"""Calls in flight, and calls a second: always the same, since a server that is busier wakes up less often."""
ROUNDS = 3
ROOM = "maxbuffer = 4194304\n"
"""Room for what comes while a shared machine lets nobody run: nothing repeats a datagram in this load."""
LINES = 500
HELD, RATE, RING, GONE = 10_000, 1000.0, 16.0, 6.0
"""Calls whose memory is read; a second; seconds that they ring; seconds after which ended transactions are gone."""
LOADS, LOAD_RATE, RESTS = 4, 3000.0, (10, 55)
"""Loads, calls a second of each, and seconds after it: transactions have ended (5 s); nothing of them is left at all (48 s)."""


def _say(text: str) -> None:
    print(f"growth: {text}", file=sys.stderr, flush=True)


def fill(server: Server, generator: Generator, users: int) -> None:
    """Register users."""
    load = Load("register", 64, users, 60.0 + users / 500, count=users)
    answer = generator.run(load, server)
    if answer.completed < users:
        _say(f"{users - answer.completed} of {users} users not registered")


def with_users(folder: Path, cores: set[int], generator: Generator, wish: Wish) -> Rows:
    """From a thousand users to as many as wished: CPU of a REGISTER and of a call, p99 at half load, bytes."""
    rows = []
    for users in sorted({min(size, wish.users) for size in SIZES}):
        _say(f"{users} users")
        turns = Turns(folder)
        server = start_server("osip", "call", folder, cores, text=ROOM + script_text("osip", "call"), profiler=turns)
        try:
            before = server.usage().resident
            fill(server, generator, users)
            stored = server.usage().resident - before
            refresh = take(WORKLOADS["refresh"], server, generator, Load("register", 64, users, wish.seconds))
            load = Load("lookup", 64, users, wish.seconds)
            call = take(WORKLOADS["lookup"], server, generator, load)
            half = replace(load, rate=call.operations / 2, window=1000, seconds=max(wish.seconds, 5.0))
            halves = [take(WORKLOADS["lookup"], server, generator, half) for _ in range(ROUNDS)]
        finally:
            server.stop()
        row = {"part": "users", "size": users, "us_register": refresh.us_message, "us_call": call.us_message,
               "p50_half_us": _middle(halves, "p50_us"), "p99_half_us": _middle(halves, "p99_us"),
               "turn_p99_us": turns.quantile(0.99), "turn_p999_us": turns.quantile(0.999),
               "turn_longest_us": turns.quantile(1.0), "bytes_contact": stored / users,
               "lost": refresh.answer.lost + call.answer.lost + sum(one.answer.lost for one in halves)}
        if wish.peer:
            row["p99_peer_us"] = _of_peer(folder, cores, generator, wish.peer, half)
        rows.append(row)
    return rows


def _middle(samples: list[Sample], name: str) -> int:
    return int(median(getattr(sample.answer, name) for sample in samples))


def _of_peer(folder: Path, cores: set[int], generator: Generator, peer: str, load: Load) -> int:
    """Return p99 of the same calls a second through a peer that has a thousand users: what the machine allows."""
    _say(f"the same calls a second through {peer}")
    server = start_server(peer, "call", folder, cores, text=ROOM + script_text(peer, "call"))
    try:
        fill(server, generator, SIZES[0])
        load = replace(load, users=SIZES[0])
        return _middle([take(WORKLOADS["lookup"], server, generator, load) for _ in range(ROUNDS)], "p99_us")
    finally:
        server.stop()


def in_flight(folder: Path, cores: set[int], generator: Generator, wish: Wish) -> Rows:
    """From one call that rings to 10,000; rounds in turn."""
    found: dict[int, list[Sample]] = {calls: [] for calls in FLIGHTS}
    for number in range(ROUNDS):
        for calls in FLIGHTS:
            _say(f"round {number + 1} of {ROUNDS}, {calls} calls in flight")
            ring = calls / FLIGHT_RATE
            server = start_server("osip", "call", folder, cores)
            try:
                load = Load("call", 2 * calls + 100, 1000, max(wish.seconds, 2.0 * ring), rate=FLIGHT_RATE, hold=ring)
                found[calls].append(take(WORKLOADS["call"], server, generator, load))
            finally:
                server.stop()
    return [{"part": "flight", "size": calls, "us_call": median(sample.us_message for sample in samples),
             "p99_us": _middle(samples, "p99_us"), "lost": sum(sample.answer.lost for sample in samples),
             "resident_mb": median(sample.resident for sample in samples) / 1e6} for calls, samples in found.items()]


def transactions(folder: Path, cores: set[int], generator: Generator, wish: Wish) -> Rows:
    """Read the memory of transactions: of INVITEs that ring, and of those that ended less than five seconds ago."""
    row: dict[str, Any] = {"part": "transactions", "size": HELD}
    for what, hold, each in (("in_flight", RING, 1), ("lingering", 0.0, 2)):        # a call has an INVITE and a BYE
        _say(f"{HELD} calls, transactions {what.replace('_', ' ')}")
        server = start_server("osip", "call", folder, cores)
        try:
            generator.run(Load("call", 1, 1000, wish.seconds, count=50), server)    # what is made once
            time.sleep(GONE)
            before = server.usage().resident
            load = (Load("call", HELD, 1000, 60.0, count=HELD, rate=RATE, hold=hold) if hold else
                    Load("call", 64, 1000, 60.0, count=HELD))
            with ThreadPoolExecutor(1) as pool:
                running = pool.submit(generator.run, load, server)
                if hold:
                    time.sleep((HELD / RATE + hold) / 2)    # all of them ring from HELD / RATE to `hold` on
                else:
                    running.result()
                row[f"bytes_{what}"] = (server.usage().resident - before) / (each * HELD)
                row["lost"] = row.get("lost", 0) + running.result().lost
        finally:
            server.stop()
    return [row]


def padded(text: str, lines: int) -> str:
    """Make a script so long by routes that nothing on the measured path runs."""
    routes = []
    number = 0
    while text.count("\n") + sum(route.count("\n") for route in routes) < lines:
        number += 1
        routes.append(f'route[spare_{number}] {{\n    if ($rU =~ "^{number}") {{\n        $avp(spare) = "{number}";\n'
                      f'        sl_send_reply(404, "Not {number}");\n        exit;\n    }}\n'
                      f"    $var(spare) = {number};\n}}\n")
    return text + "".join(routes)


def with_script(folder: Path, cores: set[int], generator: Generator, wish: Wish) -> Rows:
    """A short script and one of 500 lines whose path executes the same statements; three rounds in turn."""
    text = script_text("osip", "options")
    scripts = {text.count("\n"): text, LINES: padded(text, LINES)}
    found: dict[int, list[float]] = {size: [] for size in scripts}
    for number in range(ROUNDS):
        for size, script in scripts.items():
            _say(f"round {number + 1} of {ROUNDS}, script of {size} lines")
            server = start_server("osip", "options", folder, cores, text=script)
            try:
                load = Load("options", 64, 1000, wish.seconds)
                found[size].append(take(WORKLOADS["options"], server, generator, load).us_message)
            finally:
                server.stop()
    return [{"part": "script", "size": size, "us_options": median(costs)} for size, costs in found.items()]


def memory_returns(folder: Path, cores: set[int], generator: Generator, wish: Wish) -> Rows:
    """Load and rest, several times: what stays after the last must be what stayed after the second."""
    rows = []
    server = start_server("osip", "call", folder, cores)
    try:
        idle = server.usage().resident
        for number in range(1, LOADS + 1):
            _say(f"load {number} of {LOADS}, then a minute of rest")
            load = Load("call", 64, 1000, max(wish.seconds, 5.0), rate=LOAD_RATE)
            full = take(WORKLOADS["call"], server, generator, load)
            row = {"part": "memory", "size": number, "idle_mb": idle / 1e6, "resident_mb": full.resident / 1e6}
            rested = 0
            for rest in RESTS:
                time.sleep(rest - rested)
                rested = rest
                row[f"after_{rest}s_mb"] = server.usage().resident / 1e6
            rows.append(row)
    finally:
        server.stop()
    return rows


Part = Callable[[Path, set[int], Generator, Wish], Rows]
PARTS: dict[str, Part] = {"users": with_users, "flight": in_flight, "transactions": transactions, "script": with_script,
                          "memory": memory_returns}
WORDS = {
    "users": "users in memory: us a message for registering and for calls to users, both flat out; time to answer "
             "at half that load (medians of three rounds; --peer: the same calls a second through that server), and "
             "CPU of the server from one look at its socket to the next meanwhile",
    "flight": "calls that ring, with as many new ones a second: us a message, median of three rounds",
    "transactions": "memory of a transaction: of an INVITE that rings, of one that has ended and lingers for 5 seconds",
    "script": "lines of the script, the same statements executed: us a message, median of three rounds",
    "memory": "memory of the server: before, after each load, and after resting",
}


def as_growth_table(rows: Rows) -> str:
    """Show each part with its own columns; `growth` sets each row's CPU against the part's first."""
    out = []
    for part, words in WORDS.items():
        mine = [row for row in rows if row["part"] == part]
        if not mine:
            continue
        costs = [key for key in mine[0] if key.startswith("us_")]
        keys = [key for key in mine[0] if key != "part"]
        out.append(f"{part}: {words}")
        out.append("  ".join(f"{key:>14}" for key in [*keys, *(f"growth {cost[3:]}" for cost in costs)]))
        for row in mine:
            grown = [f"{row[cost] / mine[0][cost] - 1:+14.0%}" for cost in costs]
            out.append("  ".join([*(_cell(row[key]) for key in keys), *grown]))
    return "\n".join(out)


def _cell(value: float) -> str:
    return f"{value:>14,}" if isinstance(value, int) else f"{value:>14,.1f}"
