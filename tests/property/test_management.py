"""Whatever arrives as a management request is answered by valid JSON-RPC (or XML-RPC), and no command breaks."""

from __future__ import annotations

import asyncio
import json
import math
import xmlrpc.client
from functools import cache
from typing import Any
from xml.parsers.expat import ExpatError

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.playbook import FakeProgram, make_worker

from osip.api import Caller, Role, rpc
from osip.core.exports import loader
from osip.core.run.management import CoreCommands
from osip.core.run.upkeep import CoreUpkeep
from osip.modules.mi_fifo import take
from osip.modules.mi_xmlrpc import MiXmlrpc
from osip.script.builtins import BUILTINS

MODULES = (
    "benchmark",
    "cfgutils",
    "config",
    "gflags",
    "nathelper",
    "pike",
    "ratelimit",
    "regex",
    "registrar",
    "signaling",
    "sl",
    "statistics",
    "tm",
    "usrloc",
)
LEFT_OUT = {"core:profiling_proc", "mem:pkg_dump", "mem:shm_dump"}  # they work for long, and have tests of their own


@cache
def env() -> Any:
    """Return a server with many commands; what it has of the outside world are fakes."""
    classes = tuple(loader.load(name, [])[0] for name in MODULES)
    worker, _, _ = make_worker((CoreCommands, CoreUpkeep, *BUILTINS, *classes))
    worker.set_program(FakeProgram())
    worker.env.shutdown = lambda drain: None

    async def reload(dry_run: bool = False) -> list[Any]:
        return []

    worker.env.reload = reload
    worker.env.log.disabled = True
    return worker.env


def names() -> list[str]:
    return [name for name in env().mi.spellings() if env().mi.find(name).canonical not in LEFT_OUT]


texts = st.text(max_size=30) | st.sampled_from(
    (
        "",
        "0",
        "-1",
        "99999999999999999999",
        "location",
        "bob@example.com",
        "sip:bob@192.0.2.1:5060",
        "all",
        "core:",
        "udp",
        "*",
        "%s",
        "../../etc/passwd",
        "' OR 1=1 --",
        "E_CORE_LOG",
        "(((((",
        "a" * 500,
        "\x00",
        "[::1]:5060",
        "192.0.2.0/24",
        "1e309",
    )
)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """A request for a command that is there, its parameters nearly right."""
    name = draw(st.sampled_from(names()))
    recipe = draw(st.sampled_from(env().mi.find(name).recipes or ((),)))
    given = {param: draw(scalars | values) for param in recipe}
    params: Any = given if draw(st.booleans()) else list(given.values())
    request = {"jsonrpc": "2.0", "method": name, "params": params, "id": draw(st.integers() | texts | st.none())}
    for key in draw(st.sets(st.sampled_from((*request, "x")), max_size=1)):
        if draw(st.booleans()):
            request.pop(key, None)
        else:
            request[key] = draw(values)
    return request


requests = calls() | values | st.lists(calls(), max_size=4)


def check(answer: Any, request: Any) -> None:
    """Look whether an answer to one request is JSON-RPC 2.0, and whether it answers that request."""
    assert isinstance(answer, dict) and answer["jsonrpc"] == "2.0"
    assert set(answer) in ({"jsonrpc", "result", "id"}, {"jsonrpc", "error", "id"})
    error = answer.get("error")
    if error is not None:
        assert (
            isinstance(error["code"], int)
            and isinstance(error["message"], str)
            and set(error) <= {"code", "message", "data"}
        )
        assert error.get("data") != "see the log", f"{request}: the command broke"
    ident = request.get("id") if isinstance(request, dict) and (error is None or error["code"] != -32700) else None
    if ident is not None and isinstance(ident, (int, str)) and not isinstance(ident, bool):
        assert answer["id"] == (ident if not isinstance(ident, int) or abs(ident) < 2**63 else answer["id"])


def ask(body: bytes, caller: Caller) -> bytes | None:
    return asyncio.run(asyncio.wait_for(rpc.answer(env().mi, body, caller=caller), 10))


callers = st.sampled_from(
    (
        Caller(),
        Caller("r", Role.READ),
        Caller("o", Role.OPERATE),
        Caller("t", Role.OPERATE, frozenset(("example.com",))),
    )
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests, callers)
def test_requests(request: Any, caller: Caller) -> None:
    answer = ask(json.dumps(request).encode(), caller)
    if isinstance(request, list) and request:
        found = json.loads(answer) if answer is not None else []
        found = found if isinstance(found, list) else [found]
        assert len(found) <= len(request) and not [
            check(one, None) for one in found if "error" in one and one["error"] is None
        ]
        for one in found:
            check(one, None)
    elif answer is None:
        assert isinstance(request, dict) and "id" not in request
    else:
        check(json.loads(answer), request)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | requests.map(lambda one: json.dumps(one).encode()[:-3]), callers)
def test_noise(body: bytes, caller: Caller) -> None:
    answer = ask(body, caller)
    if answer is not None:
        found = json.loads(answer)
        for one in found if isinstance(found, list) else [found]:
            check(one, None)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(calls(), callers)
def test_results_are_the_same_by_any_name(request: dict[str, Any], caller: Caller) -> None:
    """A spelling of a command finds the same command: what is refused by one name is by the others."""
    if request.get("jsonrpc") != "2.0" or not isinstance(request.get("method"), str):
        return
    try:
        spec = env().mi.find(request["method"])
    except Exception:
        return
    if spec.role is Role.READ or spec.canonical.startswith("statistics:"):
        return
    codes = set()
    for name in (spec.canonical, *spec.aliases):
        answer = ask(
            json.dumps({**request, "method": name, "id": 1}).encode(), Caller("t", Role.READ, frozenset(("a",)))
        )
        assert answer is not None
        codes.add(json.loads(answer).get("error", {}).get("code", 0))
    assert len(codes) == 1


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=200)
    | st.tuples(
        st.sampled_from(("core:pwd", "usrloc:dump", "log_level", "none", "ul_rm")), st.lists(texts, max_size=4)
    ),
    callers,
)
def test_xmlrpc(call: Any, caller: Caller) -> None:
    module = MiXmlrpc()
    module.env = env()
    if isinstance(call, bytes):
        body = call
    else:
        clean = ["".join(sign for sign in text if sign.isprintable()) for text in call[1]]
        body = xmlrpc.client.dumps(tuple(clean), call[0]).encode("utf-8", "replace")
    answer = asyncio.run(module.answer(body, caller))
    try:
        assert len(xmlrpc.client.loads(answer)[0]) == 1
    except xmlrpc.client.Fault as fault:
        assert isinstance(fault.faultCode, int) and "see the log" not in fault.faultString
    except ExpatError as error:
        pytest.fail(f"no XML: {error} {answer[:200]!r}")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(values.filter(lambda one: isinstance(one, (dict, list))), min_size=1, max_size=4),
    st.integers(1, 50),
    st.booleans(),
)
def test_requests_in_a_pipe_come_out_as_they_went_in(bodies: list[Any], piece: int, with_lines: bool) -> None:
    """However the pipe cuts them, with or without line ends."""
    sent = [b":reply:" + json.dumps(body).encode() for body in bodies]
    stream = (b"\n" if with_lines else b"").join(sent) + (b"\n" if with_lines else b"")
    buffer, found = b"", []
    for at in range(0, len(stream), piece):
        buffer += stream[at : at + piece]
        while buffer:
            request, rest = take(buffer)
            if request is None:
                break
            buffer = rest
            if request.strip():
                found.append(request)
    assert not buffer.strip()
    for one, body in zip(found, bodies, strict=True):
        head, _, text = one[1:].partition(b":")
        assert head == b"reply" and same(json.loads(text), body)


def same(one: Any, other: Any) -> bool:
    """Compare, NaN being itself."""
    return json.dumps(one) == json.dumps(other) if not isinstance(one, float) else math.isnan(one) or one == other
