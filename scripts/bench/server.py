"""Start the servers under measurement: osip from this checkout, Kamailio from Debian; one core, one UDP worker."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Protocol

from bench.usage import Usage, read_usage, tree

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
CFG_SOCKET = "127.0.0.1:5070"
"""The socket that every benchmark script names; it is replaced by a free one."""

PROBE = (
    "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {1};branch=z9hG4bKprobe{2};rport\r\nMax-Forwards: 0\r\n"
    "From: <sip:probe@{1}>;tag=p\r\nTo: <sip:{0}>\r\nCall-ID: probe-{2}@{1}\r\nCSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)


class BenchError(Exception):
    """Say why a benchmark cannot go on."""


PORTS = range(7000, 10_000)
"""Below those that the system gives to whoever connects: a server that starts again finds its port free."""


@cache
def _ports() -> Iterator[int]:
    """Go round the ports in an order that differs from run to run."""
    return cycle(random.SystemRandom().sample(PORTS, len(PORTS)))


def free_port() -> int:
    """Find a port on 127.0.0.1 that nobody has, neither on UDP nor on TCP.

    Nobody has bound yet what was given before, so a port comes again only after all the others.
    """
    for port in islice(_ports(), len(PORTS)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, socket.socket() as stream:
            try:
                sock.bind(("127.0.0.1", port))
                stream.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BenchError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")


def python() -> str:
    """Name the interpreter that has osip."""
    own = CHECKOUT / ".venv/bin/python"
    return str(own if own.exists() else sys.executable)


def _osip_command(cfg: Path) -> list[str]:
    return [python(), "-m", "osip", "start", "-f", str(cfg)]


def _kamailio_command(cfg: Path) -> list[str]:
    # Its fastest allocator; the default one needs about three times the CPU.  The pid file keeps two runs apart.
    return ["kamailio", "-f", str(cfg), "-DD", "-E", "-m", "4096", "-M", "64", "-x", "tlsf", "-X", "tlsf",
            "-P", str(cfg.with_suffix(".pid")), "-Y", str(cfg.parent)]


COMMANDS = {"osip": _osip_command, "kamailio": _kamailio_command}


class Profiler(Protocol):
    """Watches a server's processes while a load runs."""

    def command(self, usual: list[str]) -> list[str]:
        """Return the command that starts the server so that it can be watched."""

    def begin(self, pids: list[int]) -> None:
        """Begin to watch."""

    def end(self, pids: list[int]) -> None:
        """Stop watching."""


@dataclass
class Server:
    """One running server: its address, its log, the time until its first answer."""

    name: str
    port: int
    child: subprocess.Popen[bytes]
    log: Path
    start_seconds: float
    profiler: Profiler | None = None

    def begin_profile(self) -> None:
        """Let the profiler look at the load that comes, if there is one."""
        if self.profiler is not None:
            self.profiler.begin(tree(self.child.pid))

    def end_profile(self) -> None:
        """Let the profiler rest."""
        if self.profiler is not None:
            self.profiler.end(tree(self.child.pid))

    def usage(self) -> Usage:
        """Read CPU and memory of the process tree; a server that died is an error with its last words."""
        if self.child.poll() is not None:
            raise BenchError(f"{self.name} ended with {self.child.returncode}\n{self.last_words()}")
        return read_usage(self.child.pid)

    def last_words(self) -> str:
        """Give the end of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def stop(self) -> None:
        """End the server and everything that it started."""
        for sign, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.child.pid, sign)
                self.child.wait(patience)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue


def workers(name: str) -> int:
    """Return the number of workers of a server as it is named: `osip*2` has two."""
    return int(name.partition("*")[2] or 1)


def script_text(name: str, script: str) -> str:
    """Return a server's script for a workload; `residential` of osip is the one that it ships."""
    if (name, script) != ("osip", "residential"):
        return (HERE / f"{name}-{script}.cfg").read_text()
    port = CFG_SOCKET.rpartition(":")[2]
    text = (CHECKOUT / "cfg/residential.cfg").read_text()
    text = text.replace("127.0.0.1:5060", CFG_SOCKET).replace("localhost:5060", f"localhost:{port}")
    return text.replace('loadmodule "mi_http.so"',
                        f'loadmodule "mi_http.so"\nmodparam("httpd", "port", {free_port()})\n#')


def start_server(name: str, script: str, folder: Path, cores: set[int], words: Mapping[str, str] | None = None, *,
                 profiler: Profiler | None = None, patience: float = 15.0, text: str = "") -> Server:
    """Start a server on a script, pinned to cores, and wait for its first answer.

    `osip*2` is osip with two workers; `words` stand in the script as `@WORD@`; `text` is a script of its own.
    """
    label, count = name, workers(name)
    name = name.partition("*")[0]
    if name == "kamailio" and not shutil.which("kamailio"):
        raise BenchError("kamailio is not installed: run scripts/install_peers")
    port = free_port()
    cfg = folder / f"{name}-{script}-{port}.cfg"
    text = text or script_text(name, script)
    for word, value in (words or {}).items():
        text = text.replace(f"@{word}@", value)
    text = text.replace(CFG_SOCKET, f"127.0.0.1:{port}").replace(f"localhost:{CFG_SOCKET[-4:]}", f"localhost:{port}")
    cfg.write_text(text.replace("udp_workers=1", f"udp_workers={count}"))
    log = cfg.with_suffix(".log")
    began = time.monotonic()
    command = COMMANDS[name](cfg)
    with log.open("wb") as sink:
        child = subprocess.Popen(
            profiler.command(command) if profiler else command, stdout=sink, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, cwd=folder, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))
    server = Server(label, port, child, log, 0.0, profiler)
    try:
        _wait_for_answer(server, began + patience)
    except BaseException:
        server.stop()
        raise
    server.start_seconds = time.monotonic() - began
    return server


def _wait_for_answer(server: Server, deadline: float) -> None:
    """Send OPTIONS until anything comes back; Max-Forwards 0 lets a proxy answer as well."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(("127.0.0.1", server.port))
        sock.settimeout(0.02)
        here, there = "%s:%d" % sock.getsockname(), f"127.0.0.1:{server.port}"
        attempt = 0
        while time.monotonic() < deadline:
            if server.child.poll() is not None:
                break
            attempt += 1
            try:
                sock.send(PROBE.format(there, here, attempt).encode())
                sock.recv(65535)
                return
            except ConnectionRefusedError:
                time.sleep(0.002)   # nothing to wait on while nobody listens; bounded by the deadline
            except TimeoutError:
                continue
    raise BenchError(f"{server.name} gave no answer on UDP port {server.port}\n{server.last_words()}")
