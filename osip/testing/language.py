"""Read test files: `*.osiptest`, one statement a line (docs/testing.md).

Statements before the first `test` hold for every test of the file. The whole file is one test when it names none.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osip.core.errors import OsipError
from osip.testing.expect import Mismatch, is_like
from osip.testing.rows import answer, row
from osip.testing.stage import Stage
from osip.testing.words import FileFault, Word, split

Run = Callable[[Stage], Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """One line of a test: its place, its text, what it does."""
    line: int
    col: int
    text: str
    run: Run


@dataclass(slots=True)
class Case:
    """One test."""
    name: str
    line: int
    statements: list[Statement] = field(default_factory=list)


class Reader:
    """The words of one statement, taken from left to right."""

    def __init__(self, words: list[Word], path: str) -> None:
        self.words, self.path, self.place = words, path, 1

    def fault(self, reason: str, at: int | None = None) -> FileFault:
        """Return a complaint about a word, the next one unless it is named; behind the last word about the end."""
        place = self.place if at is None else at
        if place < len(self.words):
            return FileFault(self.path, self.words[place].line, self.words[place].col, reason)
        last = self.words[-1]
        return FileFault(self.path, last.line, last.col + len(last.text), reason)

    def take(self, what: str) -> str:
        """Return the next word; complain that `what` is missing when there is none."""
        if self.place >= len(self.words):
            raise self.fault(f"{what} is missing")
        self.place += 1
        return self.words[self.place - 1].text

    def number(self, what: str) -> float:
        """Return the next word as a number."""
        text = self.take(what)
        try:
            return float(text)
        except ValueError:
            raise self.fault(f'{what} must be a number, not "{text}"', self.place - 1) from None

    def pattern(self, what: str) -> str:
        """Return the next word, a text or `~regex`, which must compile."""
        text = self.take(what)
        if text.startswith("~"):
            try:
                re.compile(text[1:])
            except re.error as error:
                raise self.fault(f"bad regular expression: {error}", self.place - 1) from None
        return text

    def maybe(self, *but: str) -> bool:
        """Say whether a word follows that is none of these key words."""
        return self.place < len(self.words) and (self.words[self.place].quoted
                                                 or self.words[self.place].text not in but)

    def options(self, **kinds: str) -> dict[str, Any]:
        """Read `name value` pairs to the end; a kind is text, number or header (`"Name: value"`, repeatable)."""
        found: dict[str, Any] = {}
        while self.place < len(self.words):
            name = self.take("")
            if name not in kinds:
                raise self.fault(f'"{name}" is not known here; {", ".join(kinds)} may follow' if kinds else
                                 f'nothing may follow here, "{name}" does', self.place - 1)
            if kinds[name] == "number":
                found[name] = self.number(f"the value of {name}")
            elif kinds[name] == "header":
                key, colon, value = self.take('a header "Name: value"').partition(":")
                if not colon:
                    raise self.fault('a header is written "Name: value"', self.place - 1)
                found.setdefault("headers", {}).setdefault(key.strip(), []).append(value.strip())
            else:
                found[name] = self.take(f"the value of {name}")
        return found

    def end(self) -> None:
        """Complain about words that are left."""
        self.options()


def load(path: str | Path) -> list[Case]:
    """Read the tests of a file."""
    try:
        text = Path(path).read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise OsipError(f"cannot read {path}: {error.strerror}") from None
    return read(text, str(path))


def read(text: str, path: str) -> list[Case]:
    """Read the tests of a text; FileFault tells the first fault."""
    common = Case(Path(path).stem, 1)
    cases: list[Case] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = split(line.rstrip("\r"), number, path)
        if not words:
            continue
        reader = Reader(words, path)
        if words[0].text == "test":
            name = reader.take("the name of the test")
            reader.end()
            if any(case.name == name for case in cases):
                raise reader.fault(f'there is a test "{name}" already', 1)
            cases.append(Case(name, number, list(common.statements)))
            continue
        statement = Statement(number, words[0].col, line.strip(), _statement(reader))
        (cases[-1] if cases else common).statements.append(statement)
    return cases or ([common] if common.statements else [])


def _statement(reader: Reader) -> Run:
    first = reader.words[0].text
    build = STATEMENTS.get(first)
    if build is None:
        raise reader.fault(f'"{first}" is no statement; these are: test, {", ".join(STATEMENTS)}', 0)
    return build(reader)


# --- the world ------------------------------------------------------------------------------------------------------------

def _script(reader: Reader) -> Run:
    name = reader.take("the script's path")
    reader.end()
    path = Path(reader.path).parent / name
    return lambda stage: stage.set(path=str(path))


def _pair(option: str, what: str) -> Callable[[Reader], Run]:
    def build(reader: Reader) -> Run:
        name, value = reader.take(f"the name of the {what}"), reader.take(f"the value of the {what}")
        reader.end()
        return lambda stage: stage.put(option, name, value)
    return build


def _now(reader: Reader) -> Run:
    value = reader.take("the time")
    reader.end()
    return lambda stage: stage.set(now=value)


def _location(reader: Reader) -> Run:
    aor, contact = reader.take("the address of record"), reader.take("the contact")
    more = reader.options(q="number", expires="number", table="text", flags="text")
    more["expires"] = int(more.get("expires", 3600))
    return lambda stage: stage.bench.location.add(aor, contact, **more)


def _dns(reader: Reader) -> Run:
    first = reader.take("a name")
    if first == "fail":
        name = reader.take("a name")
        reader.end()
        return lambda stage: stage.bench.dns.fail(name)
    if first == "srv":
        name, target, port = reader.take("a name"), reader.take("a target"), int(reader.number("a port"))
        more = {key: int(value) for key, value in reader.options(priority="number", weight="number").items()}
        return lambda stage: stage.bench.dns.srv(name, target, port, **more)
    addresses = [reader.take("an address")]
    while reader.maybe():
        addresses.append(reader.take(""))
    return lambda stage: stage.bench.dns.add(first, *addresses)


def _http(reader: Reader) -> Run:
    method = reader.take("a method, or any").upper()
    pattern = reader.pattern("the pattern of URLs").removeprefix("~")
    more: dict[str, Any] = {"method": "" if method == "ANY" else method}
    if reader.maybe("error"):
        more["status"] = int(reader.number("the status code"))
    more |= reader.options(body="text", type="text", header="header", error="text", after="number")
    more["headers"] = {name: ", ".join(values) for name, values in more.pop("headers", {}).items()}
    if "type" in more:
        more["headers"]["Content-Type"] = more.pop("type")
    return lambda stage: stage.bench.http.on(pattern, **more)


def _cache(reader: Reader) -> Run:
    id, key, value = reader.take("a cache"), reader.take("a key"), reader.take("a value")
    reader.end()
    return lambda stage: stage.bench.cache.set(id, key, value)


def _down(reader: Reader) -> Run:
    where = reader.take("host or host:port")
    reader.end()
    return lambda stage: stage.bench.network.down.add(where)


# --- messages -------------------------------------------------------------------------------------------------------------

def _send(reader: Reader) -> Run:
    start = f"{reader.take('a method')} {reader.take('a URI')}"
    more = reader.options(**{"from": "text", "to": "text", "source": "text", "socket": "text", "header": "header",
                             "body": "text", "hops": "number", "call": "text", "totag": "text"})
    for name, new in (("from", "from_"), ("hops", "max_forwards"), ("call", "call_id"), ("totag", "to_tag")):
        if name in more:
            more[new] = int(more.pop(name)) if name == "hops" else more.pop(name)
    return lambda stage: stage.take(stage.bench.send(start, **more))


def _message(reader: Reader) -> Run:
    path = Path(reader.path).parent / reader.take("the path of a message")
    more = reader.options(source="text", socket="text")

    def run(stage: Stage) -> None:
        from osip.testing.message import read_message
        raw = read_message(path)
        if raw.startswith(b"SIP/2.0 ") and stage.has_call:
            stage.call.feed(raw)
        else:
            stage.take(stage.bench.message(raw, **more))
    return run


def _plain(name: str) -> Callable[[Reader], Run]:
    def build(reader: Reader) -> Run:
        more = reader.options(header="header") if name != "again" else reader.options()
        return lambda stage: getattr(stage.call, name)(**more)
    return build


def _request(reader: Reader) -> Run:
    method = reader.take("a method")
    more = reader.options(by="text", header="header", body="text", uri="text", route="text")
    if more.get("by", "caller") not in ("caller", "callee"):
        raise reader.fault("by is caller or callee", reader.place - 1)
    if "uri" in more:
        more["ruri"] = more.pop("uri")
    if "route" in more:
        route = more.pop("route")
        more["routes"] = [] if route == "none" else [route]
    return lambda stage: stage.call.request_within(method.upper(), **more)


def _answer(reader: Reader) -> Run:
    status = int(reader.number("a status code"))
    words = ("to", "method", "header", "body", "contact", "tag")
    reason = reader.take("") if reader.maybe(*words) else ""
    more = reader.options(to="text", method="text", header="header", body="text", contact="text", tag="text")
    return lambda stage: stage.call.answer(status, reason, **more)


def _advance(reader: Reader) -> Run:
    seconds = reader.number("the seconds")
    reader.end()
    return lambda stage: stage.bench.advance(seconds)


# --- expectations ---------------------------------------------------------------------------------------------------------

def _expect(reader: Reader) -> Run:
    what = reader.take("what is expected")
    no = what == "no"
    if no:
        what = reader.take("what is not expected")
    build = EXPECTATIONS.get(what)
    if build is None or (no and what not in ("header", "log", "body")):
        known = "header, body, log" if no else ", ".join([*EXPECTATIONS, "no header", "no log", "no body"])
        raise reader.fault(f'"{what}" cannot be expected here; these can: {known}', reader.place - 1)
    return build(reader, no)


def _relay(reader: Reader, no: bool) -> Run:
    uri: Any = reader.pattern("") if reader.maybe("to", "method") else ...
    more = reader.options(to="text", method="text")
    return lambda stage: stage.call.expect_relay(uri, **more)


def _reply(reader: Reader, no: bool) -> Run:
    status = reader.take("a status code")
    if not re.fullmatch(r"[1-6](\d\d|xx)", status):
        raise reader.fault(f'"{status}" is no status: write 404 or 4xx', reader.place - 1)
    reason: Any = reader.pattern("") if reader.maybe("to") else ...
    more = reader.options(to="text")
    return lambda stage: stage.call.expect_reply(status, reason, **more)


def _header(reader: Reader, no: bool) -> Run:
    name = reader.take("the name of a header")
    value: Any = None if no else reader.pattern("") if reader.maybe() else ...
    reader.end()
    return lambda stage: stage.call.expect_header(name, value)


def _body(reader: Reader, no: bool) -> Run:
    value = None if no else reader.pattern("the body")
    reader.end()
    return lambda stage: stage.call.expect_body(value)


def _log(reader: Reader, no: bool) -> Run:
    pattern = reader.pattern("") if no and reader.maybe() else "~" if no else reader.pattern("the log line")
    reader.end()
    return lambda stage: stage.bench.expect_no_log(pattern) if no else stage.bench.expect_log(pattern)


def _route(reader: Reader, no: bool) -> Run:
    name = reader.take("the name of a route")
    reader.end()
    return lambda stage: stage.bench.expect_route(name)


def _variable(reader: Reader, no: bool) -> Run:
    name, value = reader.take("the name of a variable"), reader.pattern("its value")
    reader.end()

    def run(stage: Stage) -> None:
        found = stage.bench.var(name)
        if not is_like(None if value == "null" else value, None if found is None else str(found)):
            raise Mismatch(f"expected $var({name}) to be {value}", [str(found)], "is")
    return run


def _asked_http(reader: Reader, no: bool) -> Run:
    method, url = reader.take("a method").upper(), reader.pattern("a URL")
    more = reader.options(body="text")

    def run(stage: Stage) -> None:
        asked = stage.bench.http.asked
        if not any(one.method == method and is_like(url, one.url) and is_like(more.get("body", ...), one.body)
                   for one in asked):
            raise Mismatch(f"expected an HTTP request {method} {url}",
                           [f"{one.title} {one.body}".rstrip() for one in asked], "asked")
    return run


def _asked_sql(reader: Reader, no: bool) -> Run:
    pattern = reader.pattern("the statement")
    reader.end()

    def run(stage: Stage) -> None:
        if not any(is_like(pattern, one) for one in stage.bench.sql.statements):
            raise Mismatch(f"expected an SQL statement {pattern}", stage.bench.sql.statements, "asked")
    return run


def _nothing(reader: Reader, no: bool) -> Run:
    reader.end()
    return lambda stage: stage.bench.expect_nothing()


EXPECTATIONS: dict[str, Callable[[Reader, bool], Run]] = {
    "relay": _relay, "reply": _reply, "header": _header, "body": _body, "log": _log, "route": _route,
    "variable": _variable, "http": _asked_http, "sql": _asked_sql, "nothing": _nothing}
STATEMENTS: dict[str, Callable[[Reader], Run]] = {
    "script": _script, "define": _pair("defines", "word"), "argv": _pair("argv", "argument"),
    "address": _pair("addresses", "interface"), "now": _now, "location": _location, "dns": _dns, "sql": answer,
    "row": row, "cache": _cache, "http": _http, "down": _down, "send": _send, "message": _message, "again": _plain("again"),
    "ack": _plain("ack"), "cancel": _plain("cancel"), "request": _request, "answer": _answer, "advance": _advance,
    "expect": _expect}
