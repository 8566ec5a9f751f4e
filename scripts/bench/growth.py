"""Measure what must not grow: the cost of a message with the users, the calls in flight and the script; memory.

Each part starts servers of its own. A figure that grows is a fault wherever the work for one message is the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.generator import Generator, Load
from bench.server import Server, script_text, start_server
from bench.workload import WORKLOADS, Wish, take

Rows = list[dict[str, Any]]

SIZES = (1_000, 10_000, 100_000, 1_000_000)
FLIGHTS = ((1, 0.0, 0.0), (100, 0.25, 400.0), (10_000, 25.0, 400.0))
"""Calls in flight; seconds that each rings; calls a second (0: flat out)."""
LINES = 500
LOADS, RESTS = 4, (10, 55)
"""Loads, and seconds after each: transactions have ended (5 s); nothing of them is left at all (48 s)."""


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
        server = start_server("osip", "call", folder, cores)
        try:
            before = server.usage().resident
            fill(server, generator, users)
            stored = server.usage().resident - before
            refresh = take(WORKLOADS["refresh"], server, generator, Load("register", 64, users, wish.seconds))
            load = Load("lookup", 64, users, wish.seconds)
            call = take(WORKLOADS["lookup"], server, generator, load)
            half = take(WORKLOADS["lookup"], server, generator,
                        replace(load, rate=call.operations / 2, window=1000, seconds=max(wish.seconds, 5.0)))
        finally:
            server.stop()
        rows.append({"part": "users", "size": users, "us_register": refresh.us_message, "us_call": call.us_message,
                     "p99_half_us": half.answer.p99_us, "bytes_contact": stored / users,
                     "lost": refresh.answer.lost + call.answer.lost + half.answer.lost})
    return rows


def in_flight(folder: Path, cores: set[int], generator: Generator, wish: Wish) -> Rows:
    """From one call at a time to 10,000 that ring."""
    rows = []
    for calls, ring, rate in FLIGHTS:
        _say(f"{calls} calls in flight")
        server = start_server("osip", "call", folder, cores)
        try:
            load = Load("call", calls, 1000, max(wish.seconds, 1.6 * ring), rate=rate, hold=ring)
            call = take(WORKLOADS["call"], server, generator, load)
        finally:
            server.stop()
        rows.append({"part": "flight", "size": calls, "us_call": call.us_message, "p99_us": call.answer.p99_us,
                     "lost": call.answer.lost, "resident_mb": call.resident / 1e6})
    return rows


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
    for number in range(3):
        for size, script in scripts.items():
            _say(f"round {number + 1} of 3, script of {size} lines")
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
            load = Load("call", 64, 1000, max(wish.seconds, 5.0))
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
PARTS: dict[str, Part] = {"users": with_users, "flight": in_flight, "script": with_script, "memory": memory_returns}
WORDS = {
    "users": "users in memory: us a message for registering and for calls to users, both flat out; p99 of the time to "
             "answer at half that load",
    "flight": "calls in flight: us a message (fewer a second cost more each: a server at rest wakes up for every one)",
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
