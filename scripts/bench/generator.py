"""Build the load generator (C) when its source has changed, and run it on its own core."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.server import CHECKOUT, HERE, BenchError, Server, free_port

SOURCES = ("load.c", "agent.h", "digest.h", "message.h", "wire.h")
CACHE = CHECKOUT / "bench-out"


@dataclass(frozen=True)
class Load:
    """Say what the generator does in one go; see load.c for the words."""

    mode: str
    window: int
    users: int
    seconds: float
    count: int = 0
    rate: float = 0.0
    hold: float = 0.0
    transport: str = "udp"


@dataclass(frozen=True)
class Answer:
    """Hold what the generator counted."""

    started: int
    completed: int
    failed: int
    lost: int
    bad: int
    repeated: int
    sent: int
    received: int
    refused: int
    seconds: float
    idle: float
    p50_us: int
    p95_us: int
    p99_us: int


def build_generator() -> Path:
    """Compile the generator into the cache folder unless it is there already."""
    text = b"".join((HERE / name).read_bytes() for name in SOURCES)
    program = CACHE / f"load-{hashlib.sha256(text).hexdigest()[:12]}"
    if program.exists():
        return program
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if compiler is None:
        raise BenchError("no C compiler: run scripts/install_peers, or install gcc and libc6-dev")
    CACHE.mkdir(exist_ok=True)
    half_built = program.with_suffix(f".{os.getpid()}")
    built = subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", half_built, HERE / "load.c", "-lm"],
                           capture_output=True, text=True, check=False)
    if built.returncode:
        raise BenchError(f"the load generator does not compile:\n{built.stderr}")
    half_built.rename(program)      # whole or not at all, should two benchmarks start at once
    return program


class Generator:
    """Run loads from one core, on ports of its own, with numbers that never repeat."""

    def __init__(self, core: int) -> None:
        self._program = build_generator()
        self._core = core
        self._uac_port, self.uas_port, self.gateway_port = free_port(), free_port(), free_port()
        # CSeq and run numbers only ever grow: a registrar refuses a REGISTER with an old CSeq, and rightly.
        self._cseq = 1
        self._run = time.monotonic_ns() & 0x7fff_0000

    def run(self, load: Load, server: Server, *, forgive: bool = False) -> Answer:
        """Run one load against a server to its end; what was refused is an error unless it is forgiven."""
        self._cseq += 1_000_000
        self._run += 1
        dropped = _dropped()
        words = [load.mode, "127.0.0.1", server.port, self._uac_port, self.uas_port, load.window, load.users,
                 self._cseq, self._run, load.seconds, load.count, load.rate, load.hold, load.transport,
                 self.gateway_port if load.mode in ("dispatch", "silent") else 0]
        done = subprocess.run([self._program, *map(str, words)], capture_output=True, text=True,
                              errors="replace", check=False, timeout=load.seconds + load.hold + 60,
                              stdin=subprocess.DEVNULL,
                              preexec_fn=lambda: os.sched_setaffinity(0, {self._core}))
        if done.returncode:
            raise BenchError(f"the load generator ended with {done.returncode}: {done.stderr.strip()}\n"
                             f"{server.last_words()}")
        answer = Answer(**json.loads(done.stdout))
        if answer.bad or answer.failed and not forgive:
            hint = f"; {more} datagrams found a full receive buffer" if (more := _dropped() - dropped) else ""
            raise BenchError(f"{server.name}, {load.mode}: {answer.failed} failed, {answer.bad} wrong messages{hint}\n"
                             f"{done.stderr.strip()}\n{server.last_words()}")
        return answer


def _dropped() -> int:
    """Count the IPv4 datagrams on this machine that found no room at their socket."""
    names, figures = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line[:4] == "Udp:")
    return int(dict(zip(names, figures, strict=True))["RcvbufErrors"])
