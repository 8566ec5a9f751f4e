"""Measure the language by itself: microseconds of a route for each message, seconds to check and compile a script.

Nothing is sent or received. The functions of modules are stubs that answer at once, so that what is measured is the
script: its statements, conditions, variables, texts and calls, and the language's own words. The goal is for that. One
more row, which has no goal, stubs every word and variable: what is left is what the emitted statements cost.
"""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from osip.core.net.endpoint import LocalSocket, Source
from osip.core.run.config import Config
from osip.core.run.ctx import Ctx
from osip.core.run.env import Env
from osip.core.run.worker import Worker
from osip.core.sip.message import parse
from osip.main import new_registry
from osip.script.boot import compile_script
from osip.script.emit import emit
from osip.script.source import Source as Text

SCRIPT = Path(__file__).parent / "residential.cfg"
BATCH = 2000
LINES = 5000
GOAL_MICROSECONDS, GOAL_SECONDS = 2.0, 1.0

INVITE = (
    b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK776asdhds;rport\r\n"
    b"Max-Forwards: 70\r\nTo: Bob <sip:bob@example.com>\r\nFrom: Alice <sip:alice@example.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710@pc33.example.com\r\nCSeq: 314159 INVITE\r\nContact: <sip:alice@127.0.0.1:5062>\r\n"
    b"User-Agent: phone/1.0\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nContent-Type: application/sdp\r\n"
    b"Content-Length: 0\r\n\r\n")

ANSWERS = {"has_totag": False, "loose_route": -1, "t_check_trans": -1, "isbflagset": False}
"""What stubs give when it is not simply yes."""


class Ground:
    """A compiled script over stubs, and contexts to run it on."""

    def __init__(self, text: str, only_statements: bool = False) -> None:
        registry, config = new_registry(), Config()
        result = compile_script(Text.from_text(text, SCRIPT.name), registry, config)
        if not result.ok:
            raise SystemExit(f"{SCRIPT.name}: {result.errors[0].message}")
        registry.create()
        self.env = Env(config, registry)
        self.socket = LocalSocket("udp", "127.0.0.1", 5060)
        self.worker = Worker(self.env, registry, [self.socket])
        self.worker.init_modules()
        for instance in registry.instances.values():
            if only_statements or not instance.name.startswith("core"):
                for spec in instance.spec.functions:
                    setattr(instance, spec.attr, _stub(spec))
            if only_statements:
                self._replay(instance)
        self.program = emit(result.script, registry, self.env)
        self.env.program = self.program
        self.source = Source(self.socket, "127.0.0.1", 5062)

    def _replay(self, instance: Any) -> None:
        """Let plain variables give at once what they are on the measured message: the path must stay the same."""
        ctx = Ctx(self.env, parse(INVITE), Source(self.socket, "127.0.0.1", 5062))
        for variable in instance.spec.pvars:
            if not variable.key and not variable.index:
                value = getattr(instance, variable.getter)(ctx)
                setattr(instance, variable.getter, lambda ctx, value=value: value)
            if variable.setter:
                setattr(instance, variable.setter, lambda ctx, *values: True)

    def contexts(self, message: Any = None) -> list[Ctx]:
        """Return fresh contexts; over one message that was looked at before, or each over a new one."""
        return [Ctx(self.env, message or parse(INVITE), self.source) for _ in range(BATCH)]

    def microseconds(self, contexts: list[Ctx], run: Callable[[Ctx], Any]) -> float:
        """Return what one run costs."""
        gc.collect()
        gc.disable()
        started = time.perf_counter()
        for ctx in contexts:
            run(ctx)
        took = time.perf_counter() - started
        gc.enable()
        return took / len(contexts) * 1e6


def _stub(spec: Any) -> Callable[..., Any]:
    answer = ANSWERS.get(spec.name, {"bool": True, "none": None}.get(spec.returns, 1))

    names = ", ".join(f"a{at}=None" for at in range(len(spec.args)))     # as a real one has them: any number would cost more
    space: dict[str, Any] = {"answer": answer}
    exec(f"def stub(ctx, {names}): return answer", space)               # noqa: S102  our own text
    return space["stub"]        # type: ignore[no-any-return]


def path(only_statements: bool = False) -> list[str]:
    """Return the places of the actions that the measured path executes, as `script_trace` tells them."""
    text = SCRIPT.read_text().replace("route {\n", 'route {\n\tscript_trace(1, "");\n', 1)
    ground = Ground(text, only_statements)
    seen: list[str] = []
    words = ground.env.modules["core_script"]
    ctx = ground.contexts()[0]
    ctx[words.trace] = (1, "", "")                      # its own word may be a stub
    words.trace_step = lambda ctx, place, kind, action, text: seen.append(f"{place} {action}")
    ground.program.request(ctx)                         # type: ignore[misc]
    return [step for step in seen if not step.endswith(" script_trace")]


def measure_run(repeat: int) -> list[dict[str, Any]]:
    """Measure the route; medians of some rounds."""
    ground = Ground(SCRIPT.read_text())
    run = ground.program.request
    assert run is not None
    known = parse(INVITE)
    run(Ctx(ground.env, known, ground.source))
    empty = median(ground.microseconds(ground.contexts(known), lambda ctx: 0) for _ in range(repeat))
    rounds = {"headers read before": known, "fresh message": None}
    rows = []
    for what, message in rounds.items():
        took = [ground.microseconds(ground.contexts(message), run) - empty for _ in range(max(repeat, 3))]
        rows.append({"what": f"route, {what}", "value": median(took), "unit": "us/message", "rounds": took,
                     "goal": GOAL_MICROSECONDS})
    return rows


def big_script() -> str:
    """Return a script of 5,000 lines: the residential one's routes over and over, by other names."""
    text = SCRIPT.read_text()
    head, body = text.split("route {\n", 1)
    body = "route {\n" + body
    out, number = [text], 0
    while sum(part.count("\n") for part in out) < LINES:
        number += 1
        part = re.sub(r'(?<=route\[)\w+|(?<=\broute\()\w+|(?<=t_on_failure\(")\w+|(?<=t_on_reply\(")\w+'
                      r'|(?<=t_on_branch\(")\w+', lambda match: f"{match[0]}_{number}", body)
        out.append(part.replace("route {\n", f"route[main_{number}] {{\n", 1))
    calls = "".join(f"\troute(main_{at});\n" for at in range(1, number + 1))
    return "".join(out).replace("route {\n", "route {\n" + calls, 1)


def measure_compile(repeat: int) -> list[dict[str, Any]]:
    """Measure check and compilation of 5,000 lines."""
    text = big_script()
    checks, emits = [], []
    for _ in range(repeat):
        registry, config = new_registry(), Config()
        started = time.perf_counter()
        result = compile_script(Text.from_text(text, "big.cfg"), registry, config)
        checks.append(time.perf_counter() - started)
        if not result.ok:
            raise SystemExit(f"big.cfg:{result.errors[0].span.line}: {result.errors[0].message}")
        registry.create()
        env = Env(config, registry)
        started = time.perf_counter()
        emit(result.script, registry, env)
        emits.append(time.perf_counter() - started)
    both = [check + made for check, made in zip(checks, emits, strict=True)]
    lines = text.count("\n")
    return [{"what": f"check {lines} lines", "value": median(checks), "unit": "s", "rounds": checks},
            {"what": f"compile {lines} lines", "value": median(emits), "unit": "s", "rounds": emits},
            {"what": "check and compile", "value": median(both), "unit": "s", "rounds": both, "goal": GOAL_SECONDS}]


def measure_statements(repeat: int) -> dict[str, Any]:
    """Measure the route with every word and variable a stub."""
    ground = Ground(SCRIPT.read_text(), only_statements=True)
    run = ground.program.request
    assert run is not None
    known = parse(INVITE)
    empty = median(ground.microseconds(ground.contexts(known), lambda ctx: 0) for _ in range(max(repeat, 3)))
    took = [ground.microseconds(ground.contexts(known), run) - empty for _ in range(max(repeat, 3))]
    return {"what": "route, its statements alone", "value": median(took), "unit": "us/message", "rounds": took}


def measure_script(repeat: int) -> list[dict[str, Any]]:
    """Measure both; one row for each figure."""
    steps = path()
    if path(only_statements=True) != steps:
        raise SystemExit("the stubs changed the path: the figures would not belong to one script")
    actions, lines = len(steps), len({step.split()[0] for step in steps})
    rows = [*measure_run(repeat), measure_statements(repeat), *measure_compile(repeat)]
    return [{**row, "actions": actions, "lines": lines} for row in rows]


def as_script_table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as text."""
    out = [f"path: {rows[0]['actions']} actions on {rows[0]['lines']} lines",
           f"{'what':<44} {'median':>8} {'best':>8} {'worst':>8}  unit        goal"]
    for row in rows:
        low, high = min(row["rounds"]), max(row["rounds"])
        goal = f"under {row['goal']:g}" if "goal" in row else ""
        out.append(f"{row['what']:<44} {row['value']:8.2f} {low:8.2f} {high:8.2f}  {row['unit']:<11} {goal}")
    return "\n".join(out)
