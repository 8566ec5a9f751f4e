"""Count the machine instructions that an operation costs a server in user space, with valgrind's callgrind.

No clock is read, so a busy machine does not matter: repeated counts differ by a hundredth or so. What the kernel does
for a server is not in them. A server runs some fifty times slower meanwhile, so the load is a few operations at a time.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.generator import Answer, Generator, Load
from bench.server import BenchError, start_server
from bench.usage import tree
from bench.workload import CALLS, Workload, prepare

WINDOW, WARM_UP, MANY = 8, 50, 1000
PATIENCE = 240.0
LINGER = 7.0
"""Seconds after calls in which their transactions come to an end (timer wt, J, K: 5 s): that is part of their cost."""

_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.M)
_LINE = re.compile(r"^ *([\d,]+) \( *[\d.]+%\)\s+(?:\S*/)?(.*?)(?: \[(?:.*/)?(.*)\])?$")


class _Callgrind:
    """Starts a server under callgrind."""

    def __init__(self, folder: Path, words: tuple[str, ...]) -> None:
        self._folder, self._words = folder, words

    def command(self, usual: list[str]) -> list[str]:
        return ["valgrind", "--tool=callgrind", *self._words, f"--callgrind-out-file={self._folder}/cg.%p", *usual]

    def begin(self, pids: list[int]) -> None:
        """The server counts when it is told."""

    end = begin


def count_instructions(work: Workload, name: str, folder: Path, cores: set[int], generator: Generator, lines: int = 0,
                       operations: int = MANY) -> dict[str, Any]:
    """Return a row: instructions of an operation of a workload, and of the functions that execute most."""
    for program in ("valgrind", "callgrind_control", "callgrind_annotate"):
        if not shutil.which(program):
            raise BenchError(f"{program} is not installed: apt-get install valgrind")
    if name == "osip":
        return _toggled(work, name, folder, cores, generator, lines, operations)
    few, first = _whole(work, name, folder, cores, generator, operations // 5)
    many, second = _whole(work, name, folder, cores, generator, operations)
    return _row(work, name, many - few, second.completed - first.completed, first.lost + second.lost)


def _row(work: Workload, name: str, total: int, done: int, lost: int) -> dict[str, Any]:
    if done <= 0:
        raise BenchError(f"{name}, {work.name}: no operation completed under callgrind")
    return {"workload": work.name, "server": name, "instructions": total // done,
            "per_message": total // done // (work.messages_in + work.messages_out), "operations": done, "lost": lost}


def _loads(work: Workload, users: int, count: int) -> tuple[Load | None, Load]:
    """Return the load that comes before and the one that is counted."""
    load = Load(work.mode, WINDOW, users, PATIENCE, count=count, transport=work.transport)
    return replace(load, mode="register", count=users, transport="udp") if work.fill else None, load


def _whole(work: Workload, name: str, folder: Path, cores: set[int], generator: Generator,
           count: int) -> tuple[int, Answer]:
    """Count a server from its start to its end: its children cannot be told when to begin."""
    users = count if work.measure_fill else 300
    profiler = _Callgrind(folder, ())
    server = start_server(name, work.script, folder, cores, prepare(work, folder, generator, users),
                          profiler=profiler, patience=PATIENCE)
    try:
        before, load = _loads(work, users, count)
        if before is not None:
            generator.run(before, server)
        answer = generator.run(load, server)
        if work.mode in CALLS:
            time.sleep(LINGER)
    finally:
        server.stop()
    return _collect(folder), answer


def _toggled(work: Workload, name: str, folder: Path, cores: set[int], generator: Generator, lines: int,
             count: int) -> dict[str, Any]:
    users = count if work.measure_fill else 300
    server = start_server(name, work.script, folder, cores, prepare(work, folder, generator, users),
                          profiler=_Callgrind(folder, ("--instr-atstart=no",)), patience=PATIENCE)
    try:
        before, load = _loads(work, users, count)
        if before is not None:
            generator.run(before, server)
        elif not work.measure_fill:
            generator.run(replace(load, count=WARM_UP), server)    # what is done once is no cost of an operation
        pids = tree(server.child.pid)
        _tell(pids, "--instr=on")
        answer = generator.run(load, server)
        if work.mode in CALLS:
            time.sleep(LINGER)
        _tell(pids, "--instr=off")
        _tell(pids, "--dump")
        row = _row(work, name, _collect(folder, keep=bool(lines)), answer.completed, answer.lost)
        if lines:
            row["functions"] = _functions(folder, answer.completed, lines)
        return row
    finally:
        server.stop()


def _tell(pids: list[int], word: str) -> None:
    for pid in pids:
        done = subprocess.run(["callgrind_control", word, str(pid)], capture_output=True, text=True, timeout=60,
                              check=False)
        if done.returncode:
            raise BenchError(f"callgrind_control {word} {pid}: {done.stderr.strip() or done.stdout.strip()}")


def _collect(folder: Path, keep: bool = False) -> int:
    """Return the instructions of all dumps, which are then taken away."""
    found = 0
    for path in folder.glob("cg.*"):
        found += total_of(path.read_text(errors="replace"))
        if not keep:
            path.unlink()
    return found


def total_of(text: str) -> int:
    """Return the instructions that a dump of callgrind tells of."""
    return max(map(int, _TOTAL.findall(text)), default=0)


def _functions(folder: Path, operations: int, lines: int) -> dict[str, int]:
    """Return instructions by function, the costliest first, and take the dumps away."""
    paths = sorted(folder.glob("cg.*"), key=lambda path: path.stat().st_size)
    shown = subprocess.run(["callgrind_annotate", "--threshold=99", paths[-1]], capture_output=True, text=True,
                           timeout=120, check=False).stdout
    for path in paths:
        path.unlink()
    return dict(list(read_functions(shown, operations).items())[:lines])


def read_functions(text: str, operations: int) -> Mapping[str, int]:
    """Read what callgrind_annotate prints: "function (library)" -> instructions an operation."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and "PROGRAM TOTALS" not in line:
            name = f"{match[2].rpartition(':')[2]} ({match[3]})" if match[3] else match[2].rpartition(":")[2]
            found[name] = found.get(name, 0) + int(match[1].replace(",", "")) // operations
    return found


def as_instructions_table(rows: list[dict[str, Any]]) -> str:
    """Lay the rows out, with the ratio of the first server to the second where there are two."""
    other = {row["workload"]: row for row in rows if row["server"] != "osip"}
    lines = ["| workload | server | instructions/op | a message | operations | lost | ratio |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for row in rows:
        peer = other.get(row["workload"])
        ratio = f"{row['instructions'] / peer['instructions']:.2f}" if peer and row["server"] == "osip" else ""
        lines.append(f"| {row['workload']} | {row['server']} | {row['instructions']:,} | {row['per_message']:,} | "
                     f"{row['operations']:,} | {row['lost']} | {ratio} |")
    for row in rows:
        lines += [f"{count:9,}  {name}" for name, count in row.get("functions", {}).items()]
    return "\n".join(lines)
