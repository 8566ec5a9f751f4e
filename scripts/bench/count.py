"""Count what a message makes osip execute: Python instructions and calls, on a virtual network and clock.

No clock is read, so the counts are the same on every machine with the same minor version of Python: what grew between
two of them has grown in the code. Only osip's own code and the script's count: neither the bench around it nor what
the standard library does inside one call. The sockets themselves are not there, see `scripts/bench.py options` for
those.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from bench.server import CHECKOUT, HERE, BenchError, python

Counts = dict[str, dict[str, dict[str, float]]]
"""What is compiled ("pure", "leaves"), workload, kind of count."""

BASELINE = CHECKOUT / "tests/bench/baseline.json"
TOLERANCE = 1.1
"""How much more than the recorded count is still no growth."""

SOURCES = "import sys; from osip._compiled import SourceFinder; sys.meta_path.insert(0, SourceFinder)\n"
"""Let modules that mypyc compiled run from their source: only that can be counted."""

OPERATIONS, WARM_UP = 10, 5
LINGER = 40.0
"""Seconds after which nothing is left of a transaction that has ended: timers H, J, K and L are over."""

UAC, UAS = "udp:127.0.0.1:5062", "udp:127.0.0.1:5064"
SERVER = "127.0.0.1:5070"
COPIED = re.compile(rb"(?im)^(?:Via|Record-Route|From|Call-ID|CSeq):[^\n]*\n")
SDP = ("v=0\r\no=load 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0\r\n"
       "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n")
MEDIA = f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
EMPTY = "Content-Length: 0\r\n\r\n"


class Counter:
    """Counts the instructions and the calls of osip's own code and of scripts while it is at work."""

    def __init__(self) -> None:
        self.instructions = self.calls = 0
        self.places: Tally[CodeType] = Tally()          # instructions by function
        self._ours: dict[CodeType, bool] = {}

    def _is_ours(self, code: CodeType) -> bool:
        known = self._ours.get(code)
        if known is None:
            name = code.co_filename
            known = name.endswith(".cfg") or "/osip/" in name and "/osip/testing/" not in name
            self._ours[code] = known
        return known

    def _step(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "opcode":
            self.instructions += 1
            self.places[frame.f_code] += 1
        return self._step

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not self._is_ours(frame.f_code):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _call(self, frame: FrameType, event: str, arg: Any) -> None:
        if event in ("call", "c_call") and self._is_ours(frame.f_code):
            self.calls += 1

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count in the block."""
        sys.setprofile(self._call)
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(None)
            sys.setprofile(None)


class Stage:
    """One script on the bench, a caller and a callee."""

    def __init__(self, script: Path, folder: Path) -> None:
        from osip.core.errors import ScriptError
        from osip.testing.bench import Bench        # it needs all of osip; most of scripts/bench does not
        (folder / "gateways.list").write_text("1 sip:127.0.0.1:5066 0 10\n1 sip:127.0.0.1:5064 0 5\n")
        text = script.read_text().replace("127.0.0.1:5060", SERVER).replace("@FOLDER@", str(folder))
        try:
            self.bench = Bench(text=text, trace=False, log_level=1)
        except ScriptError as error:
            raise SystemExit(f"{script.name}: {error}: {error.diagnostics[0].message}") from error
        self.number = 0
        self._seen = 0

    def request(self, method: str, uri: str, user: str, rest: str, *, kind: str = "i", cseq: int = 1,
                to: str = "") -> None:
        """Send a request of the current operation."""
        to = to or f"<sip:{user}@{SERVER}>"
        self.bench.receive(
            (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK{self.number:08x}{kind}\r\n"
             f"Max-Forwards: 70\r\nFrom: \"Load\" <sip:{user}@{SERVER}>;tag=f{self.number:08x}\r\nTo: {to}\r\n"
             f"Call-ID: {user}-{self.number:08x}@load\r\nCSeq: {cseq} {method}\r\nUser-Agent: osip-load\r\n{rest}"
             ).encode(), UAC)

    def sent(self, *titles: str) -> list[bytes]:
        """Return what was sent since the last time; it must be these methods and statuses, in this order."""
        fresh = self.bench.sent[self._seen:]
        self._seen += len(fresh)
        words = [sent.data.split(b" ", 2) for sent in fresh]
        seen = tuple((word[1] if word[0] == b"SIP/2.0" else word[0]).decode() for word in words)
        if seen != titles:
            raise AssertionError(f"the server sent {seen}, expected {titles}")
        return [sent.data for sent in fresh]

    def answer(self, request: bytes, status: str, rest: str, source: str = UAS) -> None:
        """Let the callee (or a gateway) answer a request that it got."""
        to = re.search(rb"(?im)^To: *([^\r\n]*)", request)
        assert to
        tag = b"" if b";tag=" in to[1] else b";tag=s1"
        kept = b"".join(COPIED.findall(request))
        self.bench.receive(
            f"SIP/2.0 {status}\r\n".encode() + kept + b"To: " + to[1] + tag + b"\r\n" + rest.encode(), source)

    def forget(self) -> None:
        """Give up what was sent: a test keeps it, a server does not."""
        self.bench.network.sent.clear()
        self._seen = 0


def do_options(stage: Stage) -> None:
    """Ask the server itself."""
    stage.request("OPTIONS", f"sip:{SERVER}", "load", "Accept: application/sdp\r\n" + EMPTY)
    stage.sent("200")


def do_register(stage: Stage) -> None:
    """Register a user who was not there."""
    user = f"u{stage.number:07d}"
    stage.request("REGISTER", f"sip:{SERVER}", user,
                  f"Contact: <sip:{user}@127.0.0.1:5064>\r\nExpires: 3600\r\n{EMPTY}")
    stage.sent("200")


def do_register_auth(stage: Stage) -> None:
    """Register with a password that the server asks for."""
    from osip.core.sip.digest import digest_ha1, digest_response
    user, uri = f"u{stage.number:07d}", f"sip:{SERVER}"
    rest = f"Contact: <sip:{user}@127.0.0.1:5064>\r\nExpires: 3600\r\n{EMPTY}"
    stage.request("REGISTER", uri, user, rest)
    asked, = stage.sent("401")
    found = re.search(rb'nonce="([^"]+)"', asked)
    assert found
    nonce = found[1].decode()
    ha1 = digest_ha1(user, "bench", "secret")
    response = digest_response(ha1, "REGISTER", uri, nonce, "MD5", "auth", "00000001", "c")
    stage.request("REGISTER", uri, user,
                  f'Authorization: Digest username="{user}", realm="bench", nonce="{nonce}", uri="{uri}", '
                  f'response="{response}", algorithm=MD5, cnonce="c", qop=auth, nc=00000001\r\n{rest}',
                  kind="d", cseq=2)
    stage.sent("200")


def do_forward(stage: Stage) -> None:
    """Send a request through, and its answer back."""
    stage.request("OPTIONS", "sip:bob@127.0.0.1:5064", "bob", EMPTY)
    request, = stage.sent("OPTIONS")
    stage.answer(request, "200 OK", EMPTY)
    stage.sent("200")


def do_call(stage: Stage, uri: str = "sip:bob@127.0.0.1:5064") -> None:
    """Call, ring, answer, hang up."""
    stage.request("INVITE", uri, "bob", "Contact: <sip:load@127.0.0.1:5062>\r\n" + MEDIA)
    answer_call(stage, stage.sent("100", "INVITE")[1])


def do_dispatch(stage: Stage) -> None:
    """Call through a gateway that refuses, and the next one."""
    stage.request("INVITE", f"sip:bob@{SERVER}", "bob", "Contact: <sip:load@127.0.0.1:5062>\r\n" + MEDIA)
    refused = stage.sent("100", "INVITE")[1]
    stage.answer(refused, "503 Service Unavailable", EMPTY, "udp:127.0.0.1:5066")
    answer_call(stage, stage.sent("ACK", "INVITE")[1])


def answer_call(stage: Stage, invite: bytes) -> None:
    """Let the callee answer an INVITE and the caller end the call."""
    stage.answer(invite, "180 Ringing", EMPTY)
    stage.sent("180")
    stage.answer(invite, "200 OK", "Contact: <sip:s@127.0.0.1:5064>\r\n" + MEDIA)
    ok, = stage.sent("200")
    routes = [line[len("Record-Route: "):] for line in ok.decode().split("\r\n") if line.startswith("Record-Route: ")]
    rest = "".join(f"Route: {route}\r\n" for route in reversed(routes)) + EMPTY
    to = f"<sip:bob@{SERVER}>;tag=s1"
    stage.request("ACK", "sip:s@127.0.0.1:5064", "bob", rest, kind="a", to=to)
    stage.sent("ACK")
    stage.request("BYE", "sip:s@127.0.0.1:5064", "bob", rest, kind="b", cseq=2, to=to)
    bye, = stage.sent("BYE")
    stage.answer(bye, "200 OK", EMPTY)
    stage.sent("200")


def do_lookup(stage: Stage) -> None:
    """Call a registered user by name."""
    do_call(stage, f"sip:bob@{SERVER}")


def register_bob(stage: Stage) -> None:
    """Let the callee be known."""
    stage.request("REGISTER", f"sip:{SERVER}", "bob", f"Contact: <sip:bob@127.0.0.1:5064>\r\nExpires: 7000\r\n{EMPTY}")
    stage.sent("200")


Run = Callable[[Stage], None]
WORK: dict[str, tuple[Path, Run | None, Run]] = {
    # name: script, what comes before, one operation
    "options": (HERE / "osip-options.cfg", None, do_options),
    "register": (HERE / "osip-register.cfg", None, do_register),
    "register-auth": (HERE / "osip-auth.cfg", None, do_register_auth),
    "dispatcher": (HERE / "osip-dispatcher.cfg", None, do_dispatch),
    "forward": (HERE / "osip-forward.cfg", None, do_forward),
    "call": (HERE / "osip-call.cfg", None, do_call),
    "lookup": (HERE / "osip-call.cfg", register_bob, do_lookup),
    "residential": (CHECKOUT / "cfg/residential.cfg", register_bob, do_lookup),
}


def count(name: str, show: Tally[str] | None = None) -> dict[str, float]:
    """Return what one operation of a workload costs, from the first byte to the end of its last timer.

    `show` gets the instructions of each function.
    """
    script, before, run = WORK[name]
    with tempfile.TemporaryDirectory(prefix="osip-bench-") as folder, (stage := Stage(script, Path(folder))).bench:
        if before is not None:
            before(stage)

        def operations(number: int) -> Counter:
            counter = Counter()
            for _ in range(number):
                stage.number += 1
                with counter.counting():
                    run(stage)
            with counter.counting():
                stage.bench.advance(LINGER)
            stage.forget()
            return counter
        operations(WARM_UP)
        idle, busy = operations(0), operations(OPERATIONS)
    places = Tally({code: number - idle.places[code] for code, number in busy.places.items()})
    if show is not None:
        show.update({f"{code.co_qualname} ({os.path.basename(code.co_filename)})": number / OPERATIONS
                     for code, number in places.items()})
    return {"instructions": (busy.instructions - idle.instructions) / OPERATIONS,
            "calls": (busy.calls - idle.calls) / OPERATIONS}


def places(name: str, most: int = 40) -> str:
    """Tell which functions execute the instructions of a workload, in this process."""
    show: Tally[str] = Tally()
    total = count(name, show)["instructions"]
    lines = [f"{number:9.1f} {number / total:6.1%}  {place}" for place, number in show.most_common(most)]
    return "\n".join([f"{name}: {total:.1f} instructions an operation", *lines])


def run_places(name: str) -> str:
    """Ask `places` in a fresh process, of the Python that has osip."""
    return _fresh(f"from bench.count import places; print(places({name!r}))", {}).rstrip()


def _fresh(code: str, env: dict[str, str]) -> str:
    done = subprocess.run([python(), "-c", SOURCES + code], capture_output=True, text=True, cwd=CHECKOUT, timeout=300,
                          check=False,
                          env={**os.environ, **env, "PYTHONHASHSEED": "0", "PYTHONPATH": str(HERE.parent)})
    if done.returncode:
        raise BenchError(f"count: {done.stderr.strip()}")
    return done.stdout


def count_here() -> dict[str, dict[str, float]]:
    """Count all workloads in this process, which either has the compiled leaves or not."""
    return {name: count(name) for name in WORK}


def count_all() -> tuple[str, Counts]:
    """Count in a fresh process each: in pure Python, and with the compiled leaves where they were built.

    Returns the version of Python too, for to that the instructions belong.
    """
    code = ("import json, platform; from osip.core.accel import LEAF; from bench.count import count_here; "
            "print(json.dumps([platform.python_version(), 'leaves' if LEAF else 'pure', count_here()]))")
    version = ""
    counts: Counts = {}
    for pure in ("1", "0"):
        version, leaf, found = json.loads(_fresh(code, {"OSIP_PURE": pure}))
        counts[leaf] = found
    return version.rpartition(".")[0], counts


def read_baseline(version: str, path: Path = BASELINE) -> Counts:
    """Return the counts recorded for a version of Python; empty when nobody recorded any."""
    return json.loads(path.read_text()).get(version, {}) if path.exists() else {}


def record(version: str, counts: Counts, path: Path = BASELINE) -> None:
    """Keep the counts as what later ones are held against; what was not counted now stays as it was."""
    known = json.loads(path.read_text()) if path.exists() else {}
    known[version] = {**known.get(version, {}), **counts}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def compare(counts: Counts, baseline: Counts) -> list[str]:
    """Say what has grown beyond the tolerance, and what nobody recorded."""
    grown = []
    for leaf, works in counts.items():
        for work, kinds in works.items():
            for kind, value in kinds.items():
                known = baseline.get(leaf, {}).get(work, {}).get(kind)
                if known is None:
                    grown.append(f"{work} ({leaf}): {kind} were never recorded; run scripts/bench.py count --record")
                elif value > known * TOLERANCE:
                    grown.append(f"{work} ({leaf}): {value:.0f} {kind} an operation, {value / known - 1:+.0%} on the "
                                 f"{known:.0f} recorded; make it cheaper, or scripts/bench.py count --record")
    return grown


def as_count_table(counts: Counts, baseline: Counts) -> str:
    """Show the counts beside the recorded ones."""
    lines = [f"{'workload':<14} {'leaves':<8} {'instructions':>12} {'recorded':>9} {'calls':>8} {'recorded':>9}"]
    for leaf, works in counts.items():
        for work, kinds in works.items():
            known = baseline.get(leaf, {}).get(work, {})
            lines.append(f"{work:<14} {leaf:<8} {kinds['instructions']:12.1f} {known.get('instructions', 0):9.1f} "
                         f"{kinds['calls']:8.1f} {known.get('calls', 0):9.1f}")
    return "\n".join(lines)
