"""Prove the benchmark: its generator must see what a server does wrong, and its figures must add up."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kit.peer import HOST, free_port
from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.generator import build_generator  # noqa: E402  (found through the line above)
from bench.usage import read_usage, tree  # noqa: E402

pytestmark = [pytest.mark.peer("cc"), pytest.mark.xdist_group("e2e")]

Answers = Callable[[int, bytes], list[bytes]]


def answer(request: bytes) -> bytes:
    """Build a right 200 to a REGISTER or OPTIONS."""
    lines = [line for line in request.split(b"\r\n") if re.match(rb"(Via|From|To|Call-ID|CSeq|Contact):", line)]
    lines = [line + b";tag=x" if line.startswith(b"To:") else line for line in lines]
    return b"\r\n".join([b"SIP/2.0 200 OK", *lines, b"Content-Length: 0", b"", b""])


@contextmanager
def responder(answers: Answers) -> Iterator[int]:
    """Answer each request with what `answers(number, request)` gives, on a port of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        port = sock.getsockname()[1]

        def run() -> None:
            number = 0
            while True:
                request, peer = sock.recvfrom(65535)
                if request == b"stop":
                    return
                number += 1
                for reply in answers(number, request):
                    sock.sendto(reply, peer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            sock.sendto(b"stop", (HOST, port))
            thread.join(5)


def load(mode: str, port: int, count: int, users: int = 50) -> dict[str, float]:
    """Run the generator for a number of operations, eight at once."""
    words = [mode, HOST, port, free_port(), free_port(), 8, users, 1, 7, 5, count, 0, 0]
    done = subprocess.run([build_generator(), *map(str, words)], capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


CASES: dict[str, tuple[str, Answers, dict[str, int]]] = {
    "all right": ("options", lambda n, r: [answer(r)], {"completed": 200, "lost": 0, "bad": 0, "repeated": 0}),
    "registering": ("register", lambda n, r: [answer(r)], {"completed": 200, "lost": 0, "bad": 0, "repeated": 0}),
    "one in ten unanswered": (
        "options", lambda n, r: [answer(r)] if n % 10 else [], {"completed": 180, "lost": 20, "bad": 0}),
    "one in ten twice": (
        "options", lambda n, r: [answer(r)] * (2 if n % 10 == 0 else 1), {"completed": 200, "repeated": 20, "bad": 0}),
    "refused": ("options", lambda n, r: [answer(r).replace(b"200 OK", b"503 Busy")],
                {"completed": 0, "failed": 200, "lost": 0}),
    "another branch": ("options", lambda n, r: [answer(r).replace(b"z9hG4bK", b"z9hG4bL")],
                       {"completed": 0, "bad": 8}),
    "another CSeq": ("options", lambda n, r: [re.sub(rb"CSeq: ", b"CSeq: 9", answer(r))], {"completed": 0, "bad": 8}),
    "another call": ("options", lambda n, r: [re.sub(rb"Call-ID: 0", b"Call-ID: 9", answer(r))],
                     {"completed": 0, "bad": 8}),
    "two Vias": ("options", lambda n, r: [answer(r).replace(b"Via:", b"Via: SIP/2.0/UDP a;branch=b\r\nVia:")],
                 {"completed": 0, "bad": 8}),
    "a lying Content-Length": ("options", lambda n, r: [answer(r).replace(b"Length: 0", b"Length: 9")],
                               {"completed": 0, "bad": 8}),
    "no contact": ("register", lambda n, r: [re.sub(rb"Contact: .*\r\n", b"", answer(r))], {"bad": 8}),
    "noise": ("options", lambda n, r: [b"\xff" * 500, b"", answer(r)], {"completed": 200, "bad": 400}),
}


@pytest.mark.parametrize("name", CASES)
def test_generator_sees_what_is_wrong(name: str) -> None:
    mode, answers, expected = CASES[name]
    # Where nothing right comes back, each operation waits its two seconds: one windowful is enough.
    count = 8 if expected.get("bad") == 8 else 200
    with responder(answers) as port:
        counts = load(mode, port, count)
    assert {key: counts[key] for key in expected} == expected
    assert counts["started"] == count
    assert counts["completed"] + counts["failed"] + counts["lost"] == count


def test_register_numbers_grow() -> None:
    """A user keeps its Call-ID and counts CSeq up, so that a registrar takes each refresh for new."""
    seen: dict[bytes, list[int]] = {}

    def answers(number: int, request: bytes) -> list[bytes]:
        call = re.search(rb"Call-ID: (\S+)", request)
        order = re.search(rb"CSeq: (\d+) REGISTER", request)
        assert call and order
        seen.setdefault(call[1], []).append(int(order[1]))
        return [answer(request)]

    with responder(answers) as port:
        assert load("register", port, 150, users=50)["completed"] == 150
    assert len(seen) == 50
    assert all(orders == [1, 2, 3] for orders in seen.values())


def test_usage_sums_the_tree() -> None:
    """CPU of a grandchild counts, both while it runs and after it was reaped."""
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    script = ("import subprocess, sys\n"
              f"subprocess.run([sys.executable, '-c', {burn!r}])\n"
              "print('done', flush=True)\ninput()")
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdin is not None
        child.stdout.readline()
        usage = read_usage(child.pid)
        assert tree(child.pid) == [child.pid]
        child.stdin.write(b"\n")
        child.stdin.close()
    assert 0.29 <= usage.cpu < 2.0
    assert usage.resident > 1_000_000


@pytest.mark.peer("kamailio")
@pytest.mark.parametrize("workload", ["options", "register", "call", "lookup", "forward"])
def test_figures_add_up(workload: str) -> None:
    """Run each workload on Kamailio for a moment: nothing lost, and the rates fit each other."""
    bench = [sys.executable, CHECKOUT / "scripts/bench.py", workload, "--only", "kamailio", "--repeat", "1",
             "--seconds", "0.5", "--users", "20000", "--cold", "-o", "json"]
    done = subprocess.run([str(word) for word in bench], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    for row in json.loads(done.stdout)["rows"]:
        assert row["lost"] == row["repeated"] == 0
        assert row["us_operation"] == pytest.approx(row["us_message"] * row["messages_per_operation"], rel=0.05)
        # one core: no more than a second of CPU a second
        assert 0 < row["us_operation"] * row["operations"] < 1.2e6
        assert 0 < row["p50_us"] <= row["p95_us"] <= row["p99_us"] < 2e6


def test_bench_names_its_mistakes(tmp_path: Path) -> None:
    """A wrong word is a usage error; nothing is measured."""
    done = subprocess.run([sys.executable, str(CHECKOUT / "scripts/bench.py"), "options", "--repeat", "0"],
                          capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert done.returncode == 2
    assert "--repeat" in done.stderr
