"""Run outside programs from tests: free ports, child processes whose output can be waited for, SIPp.

Everything listens on 127.0.0.1 and is stopped by the pid that was started here.
"""

from __future__ import annotations

import csv
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

HOST = "127.0.0.1"

PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "sipp": ("sipp",),
    "baresip": ("baresip",),
    "kamailio": ("kamailio",),
    "kamailio-sqlite": ("/usr/lib/*/kamailio/modules/db_sqlite.so",),
    "redis": ("redis-server",),
    "rabbitmq": ("rabbitmq-server",),
    "memcached": ("memcached",),
    "openssl": ("openssl",),
    "chromium": ("chromium",),
    "node": ("node",),
    "postgresql": ("pg_ctl", "/usr/lib/postgresql/*/bin/pg_ctl"),
    "mariadb": ("mariadbd", "/usr/sbin/mariadbd"),
    "tshark": ("tshark",),
    "sngrep": ("sngrep",),
    "cc": ("cc", "gcc", "clang"),
    "zsh": ("zsh",),
    "fish": ("fish",),
    "opensips-cli": (f"{Path(__file__).resolve().parents[2]}/.peers/opensips-cli/bin/opensips-cli", "opensips-cli"),
}
"""What a peer's name means: any of these programs, by name or by pattern of its path."""


class PeerError(AssertionError):
    """Say that an outside program did not do what the test rests on, with its last words."""


def program(name: str) -> str | None:
    """Find a peer's program; None when it is not installed."""
    for candidate in PROGRAMS[name]:
        if "/" not in candidate:
            found = shutil.which(candidate)
        else:
            paths = sorted(Path("/").glob(candidate.lstrip("/")))
            found = str(paths[-1]) if paths else None
        if found:
            return found
    return None


def missing_peer(name: str) -> str | None:
    """Say what is missing for a peer, and how to get it; None when it is there."""
    if name not in PROGRAMS:
        raise ValueError(f'no such peer: "{name}"; kit/peer.py knows {", ".join(PROGRAMS)}')
    return None if program(name) else f"{name} is not installed: scripts/install_peers"


# ---- ports and waiting -----------------------------------------------------------------------------------------

def _port_range() -> range:
    """Give this pytest process its own ports, all of five digits and below the kernel's ephemeral ones."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0) % 8
    return range(20_000 + worker * 1_500, 21_500 + worker * 1_500)


@cache
def _untried_ports() -> Iterator[int]:
    """Go through this process's ports once, in an order that differs from run to run."""
    ports = list(_port_range())
    random.SystemRandom().shuffle(ports)
    return iter(ports)


@cache
def _port_locks() -> int:
    """Open the file whose bytes stand for ports: a locked one belongs to a test process, as long as that lives."""
    return os.open(Path(tempfile.gettempdir()) / f"osip-test-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600)


def free_port() -> int:
    """Find a port that is free for UDP and TCP on 127.0.0.1, and that was not given to anybody before.

    Test runs beside each other share the machine, so a port is locked before it is tried.
    """
    for port in _untried_ports():
        try:
            fcntl.lockf(_port_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            with (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
                  socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp):
                udp.bind((HOST, port))
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)   # as every server does
                tcp.bind((HOST, port))
                return port
        except OSError:
            continue
    raise PeerError("no free port left")


@cache
def _media_ports() -> Iterator[int]:
    """Go round this process's media ports, apart from those of `free_port`: SIPp binds the one it is given, that and
    two more, or the next that are free, so four belong together."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0) % 8
    ports = list(range(10_000 + worker * 1_200, 11_200 + worker * 1_200, 4))
    random.SystemRandom().shuffle(ports)
    return cycle(ports)


def _free_media_port() -> int:
    """Find the first of four media ports that nobody has: another test run on this machine goes through the same ones."""
    ports = _media_ports()
    return next(port for port in ports if not any(is_bound(port + more) for more in range(4)))


def eventually(check: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    """Wait for something that has no event to wait on; `what` completes the sentence "gave up waiting for"."""
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            raise PeerError(f"gave up waiting for {what}")
        time.sleep(0.01)


def is_bound(port: int, host: str = HOST) -> bool:
    """Tell whether somebody has bound a UDP port, or listens on a TCP port, of 127.0.0.1 or another address.

    It reads the system's tables: to bind the port for a try would take it from a peer that starts at that moment.
    """
    six = ":" in host
    packed = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, host)
    words = [packed[at:at + 4] for at in range(0, len(packed), 4)]
    wanted = ("".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words), "0" * len(packed) * 2)
    for table, state in (("udp", ""), ("tcp", "0A")):
        for line in Path(f"/proc/net/{table}{'6' if six else ''}").read_text().splitlines()[1:]:
            _, local, _, found, *_ = line.split()
            address, _, number = local.partition(":")
            if int(number, 16) == port and address in wanted and state in ("", found):
                return True
    return False


# ---- child processes -------------------------------------------------------------------------------------------

class Child:
    """A running program: its output line by line, waited for without polling."""

    __slots__ = ("_news", "_reader", "lines", "name", "popen")

    def __init__(self, name: str, argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.lines: list[str] = []
        self._news = threading.Condition()
        self.popen = subprocess.Popen(
            [str(word) for word in argv], cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def pid(self) -> int:
        """Give the process id."""
        return self.popen.pid

    @property
    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self.popen.poll() is None

    def text(self) -> str:
        """Give all output so far."""
        return "\n".join(self.lines)

    def last_words(self, count: int = 30) -> str:
        """Give the end of the output, headed by the program's name and state."""
        state = "running" if self.alive else f"exit {self.popen.returncode}"
        return "\n".join([f"--- {self.name} ({state}) ---", *self.lines[-count:]])

    def wait_for(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Wait until a line matches, whether it came already or is still to come."""
        wanted, seen, deadline = re.compile(pattern), 0, time.monotonic() + timeout
        with self._news:
            while True:
                for line in self.lines[seen:]:
                    if found := wanted.search(line):
                        return found
                seen = len(self.lines)
                left = deadline - time.monotonic()
                over = not self._reader.is_alive()
                if left <= 0 or over:
                    raise PeerError(f'{self.name} never said "{pattern}"\n{self.last_words()}')
                self._news.wait(min(left, 0.5))

    def wait(self, timeout: float) -> int:
        """Wait for its end and give the exit code."""
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise PeerError(f"{self.name} did not end in {timeout} s\n{self.last_words()}") from None
        self._reader.join(2.0)
        return code

    def send_signal(self, sign: int) -> None:
        """Send a signal to the program."""
        self.popen.send_signal(sign)

    def stop(self, patience: float = 5.0) -> None:
        """End the program and all it started: first politely, then not."""
        for sign, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
            try:
                os.killpg(self.pid, sign)
                self.popen.wait(wait)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                self.popen.wait(wait)
            break
        try:
            os.killpg(self.pid, signal.SIGKILL)     # what outlived its parent
        except (ProcessLookupError, PermissionError):
            pass
        self._reader.join(2.0)


@contextmanager
def child(name: str, argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Run a program for the length of a block; its last words go to pytest's captured output."""
    running = Child(name, argv, cwd, env)
    try:
        yield running
    finally:
        running.stop()
        print(running.last_words())


# ---- SIPp ------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class SippCounts:
    """Hold what SIPp counted, from the last line of its statistics."""

    created: int
    successful: int
    failed: int
    retransmissions: int
    exit_code: int
    errors: str


class Sipp:
    """One SIPp process and the files that it writes."""

    __slots__ = ("_errors", "_stat", "child")

    def __init__(self, running: Child, stat: Path, errors: Path) -> None:
        self.child, self._stat, self._errors = running, stat, errors

    def finish(self, timeout: float) -> SippCounts:
        """Wait until it has made (or answered) all its calls, and read what it counted."""
        return self._counts(self.child.wait(timeout))

    def quit(self, timeout: float = 15.0) -> SippCounts:
        """Let it end the calls it has and no more, then read what it counted."""
        self.child.send_signal(signal.SIGUSR1)
        return self.finish(timeout)

    def _counts(self, exit_code: int) -> SippCounts:
        errors = self._errors.read_text(errors="replace") if self._errors.exists() else ""
        rows = list(csv.DictReader(self._stat.open(), delimiter=";")) if self._stat.exists() else []
        if not rows:
            raise PeerError(f"SIPp left no statistics (exit {exit_code})\n{self.child.last_words()}\n{errors[-2000:]}")
        last = rows[-1]
        return SippCounts(int(last["TotalCallCreated"]), int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]),
                          int(last["Retransmissions(C)"]), exit_code, errors)


@contextmanager
def sipp(folder: Path, *args: str | int | Path, name: str = "sipp", port: int | None = None,
         host: str = HOST) -> Iterator[Sipp]:
    """Run SIPp for the length of a block, as in `sipp(tmp_path, "-sn", "uas", port=p)`; its files are in `folder`."""
    found = program("sipp")
    if found is None:
        raise PeerError(missing_peer("sipp"))
    stat, errors = folder / f"{name}.csv", folder / f"{name}.errors"
    port = port or free_port()
    argv = [found, *args, "-i", host, "-p", port, "-mp", _free_media_port(), "-cp", free_port(), "-nostdin",
            "-trace_stat", "-stf", stat, "-fd", "1", "-trace_err", "-error_file", errors]
    with child(name, [str(word) for word in argv], folder, {"TERM": "dumb"}) as running:
        eventually(lambda: is_bound(port, host) or not running.alive, f"SIPp on port {port}")
        yield Sipp(running, stat, errors)
