"""Prove the benchmark: its generator must see what a server does wrong, and its figures must add up."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
from kit.peer import HOST, free_port
from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.generator import Generator, build_generator  # noqa: E402  (found through the line above)
from bench.profile import Turns  # noqa: E402
from bench.server import BenchError, start_server  # noqa: E402
from bench.usage import read_usage, tree  # noqa: E402
from bench.workload import WORKLOADS, Wish, measure, prepare, running  # noqa: E402

pytestmark = pytest.mark.peer("cc")

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


def load(mode: str, port: int, count: int, users: int = 50, transport: str = "udp") -> dict[str, float]:
    """Run the generator for a number of operations, eight at once."""
    words = [mode, HOST, port, free_port(), free_port(), 8, users, 1, 7, 5, count, 0, 0, transport, 0]
    done = subprocess.run([build_generator(), *map(str, words)], capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


CASES: dict[str, tuple[str, Answers, dict[str, int]]] = {
    "all right": ("options", lambda n, r: [answer(r)], {"completed": 200, "lost": 0, "bad": 0, "repeated": 0}),
    "registering": ("register", lambda n, r: [answer(r)], {"completed": 200, "lost": 0, "bad": 0, "repeated": 0}),
    "one in ten unanswered": (
        "options", lambda n, r: [answer(r)] if n % 10 else [], {"completed": 180, "lost": 20, "bad": 0}),
    # Not the tenth of each ten: the generator leaves with the last answer, and would not see a second one after it.
    "one in ten twice": (
        "options", lambda n, r: [answer(r)] * (2 if n % 10 == 5 else 1), {"completed": 200, "repeated": 20, "bad": 0}),
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


CHALLENGE = b'WWW-Authenticate: Digest realm="r", nonce="n%d", qop="auth", algorithm=MD5\r\n'


def ask(number: int, request: bytes, more: bytes = CHALLENGE) -> bytes:
    """Build a 401."""
    head = answer(request).replace(b"200 OK", b"401 Unauthorized").replace(b"Content-Length", more + b"Content-Length")
    return head.replace(b"n%d", b"n%d" % number)


def password_is_right(request: bytes) -> bool:
    """Check credentials as a registrar does, by hashlib."""
    given = {name: value for name, value in re.findall(r'(\w+)="?([^",\r]*)', request.decode().split("Digest ")[1])}
    ha1 = hashlib.md5(f"{given['username']}:{given['realm']}:secret".encode()).hexdigest()
    ha2 = hashlib.md5(f"REGISTER:{given['uri']}".encode()).hexdigest()
    text = ":".join((ha1, given["nonce"], given["nc"], given["cnonce"], given["qop"], ha2))
    return hashlib.md5(text.encode()).hexdigest() == given["response"]


def test_generator_answers_challenges() -> None:
    """Each REGISTER is asked for its password, and that is right, under a CSeq that grows."""
    seen: dict[bytes, list[int]] = {}

    def answers(number: int, request: bytes) -> list[bytes]:
        call, order = re.search(rb"Call-ID: (\S+)", request), re.search(rb"CSeq: (\d+)", request)
        assert call and order
        seen.setdefault(call[1], []).append(int(order[1]))
        if b"Authorization" not in request:
            return [ask(number, request)]
        return [answer(request) if password_is_right(request) else ask(number, request)]

    with responder(answers) as port:
        counts = load("auth", port, 150)
    assert {name: counts[name] for name in ("completed", "failed", "lost", "bad", "repeated")} == {
        "completed": 150, "failed": 0, "lost": 0, "bad": 0, "repeated": 0}
    assert (counts["sent"], counts["received"]) == (300, 300)
    assert all(orders == [1, 2, 3, 4, 5, 6] for orders in seen.values()) and len(seen) == 50


AUTH_CASES: dict[str, tuple[Answers, dict[str, int]]] = {
    "never asks": (lambda n, r: [answer(r)], {"bad": 8}),
    "asks for ever": (lambda n, r: [ask(n, r)], {"completed": 0, "failed": 8}),
    "asks twice the same": (
        lambda n, r: [answer(r)] if b"Authorization" in r else [ask(n, r)] * 2,
        {"completed": 8, "failed": 0, "bad": 0, "repeated": 8}),
    "a challenge without qop": (lambda n, r: [ask(n, r, b'WWW-Authenticate: Digest realm="r", nonce="n"\r\n')],
                                {"completed": 0, "bad": 8}),
    "no challenge": (lambda n, r: [ask(n, r, b"")], {"completed": 0, "bad": 8}),
}


@pytest.mark.parametrize("name", AUTH_CASES)
def test_generator_sees_a_registrar_that_asks_wrongly(name: str) -> None:
    answers, expected = AUTH_CASES[name]
    with responder(answers) as port:
        counts = load("auth", port, 8)
    assert {key: counts[key] for key in expected} == expected


def test_generator_reads_streams_in_any_pieces() -> None:
    """Answers come in pieces of seven bytes, or two at once, with keep-alives between them."""
    with socket.create_server((HOST, 0)) as listener:
        def run() -> None:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            text, number = b"", 0
            with sock:
                while more := sock.recv(65535):
                    text += more
                    *requests, text = text.split(b"\r\n\r\n")
                    reply = b"\r\n\r\n".join(answer(request + b"\r\n") for request in requests)
                    number += 1
                    for at in range(0, len(reply), 7 if number % 3 == 0 else 10_000):
                        sock.sendall(reply[at:at + (7 if number % 3 == 0 else 10_000)])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        counts = load("options", listener.getsockname()[1], 200, transport="tcp")
        thread.join(5)
    assert {name: counts[name] for name in ("completed", "lost", "bad", "sent", "received")} == {
        "completed": 200, "lost": 0, "bad": 0, "sent": 200, "received": 200}


def test_generator_sees_who_passes_over_the_failing_gateway(tmp_path: Path) -> None:
    """The set's order turned round: calls work, and the load refuses to call that the same."""
    generator, work, core = Generator(0), WORKLOADS["dispatcher"], {0}
    words = prepare(work, tmp_path, generator, 10)
    gateways = tmp_path / "gateways.list"
    gateways.write_text("".join(reversed(gateways.read_text().splitlines(keepends=True)))
                        .replace(" 0 10", " 0 1").replace(" 0 5", " 0 10"))
    server = start_server("osip", work.script, tmp_path, core, words)
    try:
        with pytest.raises(BenchError, match="had not got before"):
            measure(work, server, generator, Wish(0.3, 10, 4, 0.0, False))
    finally:
        server.stop()


@pytest.mark.parametrize("name", ["register-auth", "register-auth-db", "dispatcher", "dispatcher-silent",
                                  "residential", "tcp-call"])
def test_osip_does_each_operation(name: str, tmp_path: Path) -> None:
    """Every message right, none lost, and as many as an operation has."""
    generator, work, wish = Generator(0), WORKLOADS[name], Wish(0.5, 50, 20, 0.0, False)
    with running(work, name="osip", folder=tmp_path, cores={0}, generator=generator, wish=wish) as server:
        sample = measure(work, server, generator, wish)[0]
    assert sample.answer.completed > 10
    assert sample.answer.lost == sample.answer.repeated == 0
    each = (sample.answer.sent + sample.answer.received) / sample.answer.completed
    if name != "dispatcher-silent":                 # repeats depend on when its timers run
        assert each == work.messages_in + work.messages_out


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


@pytest.mark.peer("kamailio", "kamailio-sqlite")
@pytest.mark.parametrize("workload", ["options", "register", "call", "lookup", "forward", "register-auth",
                                      "residential", "tcp-call", "dispatcher"])
def test_figures_add_up(workload: str) -> None:
    """Run each workload on Kamailio for a moment: nothing lost, and the rates fit each other."""
    bench = [sys.executable, CHECKOUT / "scripts/bench.py", workload, "--only", "kamailio", "--repeat", "1",
             "--seconds", "0.5", "--users", "20000", "--cold", "-o", "json"]
    done = subprocess.run([str(word) for word in bench], capture_output=True, text=True, timeout=100)
    if workload == "tcp-call" and "477 " in done.stderr:        # Kamailio sometimes loses a connection that it makes
        done = subprocess.run([str(word) for word in bench], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    for row in json.loads(done.stdout)["rows"]:
        if row["workload"] == "dispatcher-silent":  # its calls take a second: see test_osip_does_each_operation
            continue
        assert row["lost"] == row["repeated"] == 0
        assert row["us_operation"] == pytest.approx(row["us_message"] * row["messages_per_operation"], rel=0.05)
        # one core: no more than a second of CPU a second
        assert 0 < row["us_operation"] * row["operations"] < 1.2e6
        assert 0 < row["p50_us"] <= row["p95_us"] <= row["p99_us"] < 2e6


@pytest.mark.parametrize("kind", ["python", pytest.param("perf", marks=pytest.mark.skipif(
    shutil.which("perf") is None, reason="perf is not there (it is optional)"))])
def test_profile_shows_where_the_time_goes(kind: str) -> None:
    """A flame graph of a loaded server: a valid picture, whose boxes are functions that a call runs through."""
    bench = [sys.executable, CHECKOUT / "scripts/bench.py", "call", "--profile", kind, "--seconds", "1"]
    done = subprocess.run([str(word) for word in bench], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.splitlines()[-1])
    names = [box.attrib["data-name"] for box in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}g")]
    # What is compiled shows in perf alone.
    wanted = ("route (osip-call",) if kind == "python" else ("_PyEval_EvalFrameDefault",)
    assert all(any(word in name for name in names) for word in wanted), names
    assert re.search(r"^ *[0-9.]+%  \S", done.stdout, re.MULTILINE)


def test_turns_are_those_of_the_last_load(tmp_path: Path) -> None:
    """The CPU time between two looks at the socket: as many as there were looks, the longest last."""
    generator, work, turns = Generator(0), WORKLOADS["options"], Turns(tmp_path)
    with running(work, "osip", tmp_path, {0}, generator, Wish(0.5, 50, 1, 0.0, False), turns) as server:
        for seconds in (0.5, 0.2):
            sample, = measure(work, server, generator, Wish(seconds, 50, 1, 0.0, False))
            seen = sum(count for _, count in turns.lengths)
            assert 0 < seen <= sample.answer.completed
    assert 0 < turns.quantile(0.5) <= turns.quantile(0.99) <= turns.quantile(1.0) == turns.lengths[-1][0]


@pytest.mark.parametrize("words", [
    "--store memory", "--store sqlite",
    pytest.param("--store sqlite --mode write-back --only kamailio",
                 marks=pytest.mark.peer("kamailio", "kamailio-sqlite")),
    pytest.param("--store redis", marks=pytest.mark.peer("redis")),
    pytest.param("--store postgresql", marks=pytest.mark.peer("postgresql")),
    pytest.param("--store mariadb --mode write-back", marks=pytest.mark.peer("mariadb"))])
def test_stores_keep_all_users(words: str) -> None:
    """Registered, written, loaded again: nobody is missing."""
    bench = [sys.executable, CHECKOUT / "scripts/bench.py", "register", *words.split(), "--users", "100", "-o", "json"]
    done = subprocess.run([str(word) for word in bench], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    row, = json.loads(done.stdout)["rows"]
    assert (row["users"], row["lost"], row.get("missing", 0)) == (100, 0, 0)
    assert ("missing" in row) == ("memory" not in words)


def test_counts_need_no_second_core() -> None:
    """`count --where` names functions of osip with their share."""
    done = subprocess.run([sys.executable, str(CHECKOUT / "scripts/bench.py"), "count", "--where", "options"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"options: [0-9.]+ instructions an operation\n +[0-9.]+ +[0-9.]+%  \S+ \(\w+\.\w+\)", done.stdout)


def test_bench_names_its_mistakes(tmp_path: Path) -> None:
    """A wrong word is a usage error; nothing is measured."""
    done = subprocess.run([sys.executable, str(CHECKOUT / "scripts/bench.py"), "options", "--repeat", "0"],
                          capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert done.returncode == 2
    assert "--repeat" in done.stderr


def test_a_round_that_fails_costs_no_other(tmp_path: Path) -> None:
    """A peer that is not there is told; what was measured is shown nevertheless."""
    bench = [sys.executable, str(CHECKOUT / "scripts/bench.py"), "options", "--peer", "kamailio", "--repeat", "1",
             "--seconds", "0.3", "-o", "json"]
    done = subprocess.run(bench, capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 1 and "kamailio is not installed" in done.stderr
    assert [row["server"] for row in json.loads(done.stdout)["rows"]] == ["osip"]
