"""Run messages through a script and tell what happens, statement by statement; compare two scripts."""
from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osip.core.errors import OsipError
from osip.testing import message
from osip.testing.bench import Bench
from osip.testing.call import Call
from osip.testing.coverage import shown
from osip.testing.feed import Input, Reply, inputs_of, replies
from osip.testing.journal import Entered, Noted, Received, Said, Step
from osip.testing.network import Sent
from osip.testing.rows import fill

_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?\n", re.IGNORECASE)
_OWN_BRANCH = re.compile(r"z9hG4bK\.[\w.-]+")


@dataclass(slots=True)
class Setup:
    """What a run is given besides script and messages. `fixtures` are `kind=...` words (see `fix`), `answers` those of
    peers (see `replies`), `own` is a host that counts as the server's."""
    source: str = message.SOURCE
    socket: str = ""
    fixtures: Sequence[str] = ()
    advance: float = 0.0
    answers: Sequence[str] = ()
    own: str = ""
    bench: dict[str, Any] = field(default_factory=dict)


def simulate(path: str, messages: Sequence[str | Input], setup: Setup) -> Bench:
    """Run messages (files or inputs) through a script, in order; the journal of the bench that is returned tells what
    happened."""
    inputs, waiting = inputs_of(messages), replies(setup.answers)
    bench = Bench(path, watch=True, **setup.bench)
    try:
        for text in setup.fixtures:
            fix(bench, text)
        if setup.own:
            bench.config.aliases.append((None, setup.own, None, False))     # type: ignore[attr-defined]
        bench.start()
        calls: dict[str, Call] = {}
        call: Call | None = None
        for one in inputs:
            if one.wait:
                bench.advance(one.wait)
            call = _hand_in(bench, one, setup, calls, call)
            _answer(bench, call, waiting)
        if setup.advance:
            bench.advance(setup.advance)
        if waiting:
            bench.journal.add(Noted(f"{len(waiting)} of the answers were not asked for"))
    finally:
        bench.close()
    return bench


def _hand_in(bench: Bench, one: Input, setup: Setup, calls: dict[str, Call], last: Call | None) -> Call:
    """Hand a message to the server, as one of the call that it belongs to."""
    found = _CALL_ID.search(one.data)
    name = found.group(1).decode("utf-8", "surrogateescape") if found is not None else ""
    call = calls.get(name)
    if one.data.startswith(b"SIP/2.0 "):
        call = call or last
        if call is None:
            raise OsipError(f"{one.origin} begins with an answer, and nothing was asked before it")
        return call.feed(one.data, one.source)
    source = one.source or setup.source
    if call is not None:
        return call.feed(one.data, source, setup.socket)
    call = calls[name] = bench.message(one.data, source, setup.socket)
    return call


def _answer(bench: Bench, call: Call, waiting: list[Reply]) -> None:
    """Let the peers answer as long as something is open."""
    while waiting and call.is_open(waiting[0].to):
        one = waiting.pop(0)
        if one.status:
            call.answer(one.status, one.reason, to=one.to)
        else:
            bench.advance(one.wait)


def fix(bench: Bench, text: str) -> None:
    """Set up the world by a word: location=AOR=CONTACT, dns=NAME=ADDRESS[,ADDRESS], cache=ID=KEY=VALUE, down=HOST[:PORT],
    http=REGEX=BODY, var=NAME=VALUE, row=TABLE=NAME=VALUE,NAME=VALUE or row=TABLE=@FILE.csv."""
    kind, _, rest = text.partition("=")
    parts = rest.split("=", 2 if kind == "cache" else 1)
    if kind == "location" and len(parts) == 2:
        bench.location.add(*parts)
    elif kind == "dns" and len(parts) == 2:
        bench.dns.add(parts[0], *parts[1].split(","))
    elif kind == "cache" and len(parts) == 3:
        bench.cache.set(*parts)
    elif kind == "http" and len(parts) == 2:
        bench.http.on(parts[0], parts[1])
    elif kind == "var" and len(parts) == 2:
        bench.env.vars[parts[0]] = int(parts[1]) if re.fullmatch(r"-?\d+", parts[1]) else parts[1]
    elif kind == "row" and len(parts) == 2:
        fill(bench.sql, *parts)
    elif kind == "down" and rest:
        bench.network.down.add(rest)
    else:
        raise OsipError(f'"{text}" is none of location=AOR=CONTACT, dns=NAME=ADDRESS, cache=ID=KEY=VALUE, '
                        "http=REGEX=BODY, var=NAME=VALUE, row=TABLE=NAME=VALUE,NAME=VALUE, row=TABLE=@FILE.csv, down=HOST")


# --- telling ------------------------------------------------------------------------------------------------------------

def as_text(bench: Bench, full: bool = True) -> str:
    """Return the run as text; without `full` only the first lines of messages that left."""
    return "\n".join(line for event in bench.journal.events for line in _lines(event, full, bench.path))


def _lines(event: Any, full: bool, script: str = "") -> Iterator[str]:
    match event:
        case Received():
            yield f"<<< {_first(event.data)} from {event.source}"
        case Entered():
            yield f"{'  ' * event.depth}{event.route}"
        case Step():
            indent = "  " * event.depth
            place = f"{event.line:5}" if event.file == script or not script else f"{shown(event.file)}:{event.line}"
            yield f"{indent}{place}  {event.text}"
            yield from (f"{indent}         * {change}" for change in event.changes)
        case Said():
            yield f"  log {event.level}: {event.text}"
        case Noted():
            yield f"note: {event.text}"
        case Sent():
            yield f">>> to {event.where}{' (repeat)' if event.repeat else ''}"
            rows = _decoded(event.data).replace("\r\n", "\n").rstrip("\n").split("\n")
            yield from (f"    {row}".rstrip() for row in (rows if full and not event.repeat else rows[:1]))


def as_json(bench: Bench) -> dict[str, Any]:
    """Return the run as JSON-ready data: the events in order."""
    return {"script": shown(bench.path), "events": [_plain(event) for event in bench.journal.events],
            "variables": dict(bench.env.vars)}


def _plain(event: Any) -> dict[str, Any]:
    match event:
        case Received():
            return {"event": "received", "from": event.source, "message": _decoded(event.data)}
        case Entered():
            return {"event": "route", "route": event.route, "depth": event.depth}
        case Step():
            return {"event": "step", "file": shown(event.file), "line": event.line, "column": event.col,
                    "route": event.route, "depth": event.depth, "text": event.text, "changes": event.changes}
        case Said():
            return {"event": "log", "level": event.level, "logger": event.logger, "text": event.text}
        case Noted():
            return {"event": "note", "text": event.text}
    return {"event": "sent", "to": event.where, "repeat": event.repeat, "message": _decoded(event.data)}


def _first(data: bytes) -> str:
    return _decoded(data).partition("\r\n")[0].removesuffix(" SIP/2.0")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


# --- comparing ----------------------------------------------------------------------------------------------------------

def outcome(bench: Bench) -> list[str]:
    """Return what the outside sees of a run, free of what differs by chance: messages, logs, variables at the end."""
    lines: list[str] = []
    for event in bench.journal.events:
        if isinstance(event, Said | Sent | Received):
            lines += [_OWN_BRANCH.sub("z9hG4bK.*", line) for line in _lines(event, True)]
    return lines + [f"$var({name}) = {value!r}" for name, value in sorted(bench.env.vars.items())]


def difference(old: Bench, new: Bench) -> list[str]:
    """Return what differs between two runs of the same messages, as a unified diff; empty when nothing does."""
    return list(difflib.unified_diff(outcome(old), outcome(new), shown(str(Path(old.path))), shown(str(Path(new.path))),
                                     lineterm="", n=4))
