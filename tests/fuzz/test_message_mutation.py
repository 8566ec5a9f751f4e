"""Throw mutated messages at the SIP floor: nothing but ParseError may come out, and splicing must hold its laws.

Seeded, so that a failure repeats. The corpus is the torture messages.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from osip.core.errors import ParseError
from osip.core.sip.auth import parse_auth
from osip.core.sip.build import build_ack, build_cancel, build_forward, build_forward_reply, build_reply
from osip.core.sip.edits import Edits, splice
from osip.core.sip.fields import COMPUTE
from osip.core.sip.framing import Framer
from osip.core.sip.message import Request, Response, check, parse, peek_call_id
from osip.core.sip.sdp import parse_sdp

CORPUS = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "torture").glob("*/*.sip"))]
PIECES = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\r\n ",
    b"\r\n\r\n",
    b'"',
    b"<",
    b">",
    b",",
    b";",
    b":",
    b"=",
    b"@",
    b"\\",
    b"\x00",
    b"\xff",
    b"\xc3\xa9",
    b"%",
    b"99999999999999999999",
    b"-1",
    b"Via: ",
    b"v:",
    b"l: 3\r\n",
    b"i:x\r\n",
    b"SIP/2.0",
    b"[",
    b"]",
    b"::",
    b"*",
    b"\xb2",
    b"sip:",
    b";branch=",
    b";tag=",
    b";rport",
]
ROUNDS = 6
A_ROUND = 2000


def mutate(rng: random.Random, raw: bytes) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            data[at:at] = rng.choice(PIECES)
        elif kind == 1:
            del data[at : at + rng.choice((1, 2, 5, 30))]
        elif kind == 2:
            data[at : at + 1] = rng.choice(PIECES)
        elif kind == 3:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 4:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start : start + rng.randrange(60)]
        else:
            other = rng.choice(CORPUS)
            start = rng.randrange(len(other))
            data[at:at] = other[start : start + rng.randrange(80)]
    return bytes(data)


def quietly(function, *arguments) -> object:  # type: ignore[no-untyped-def]
    try:
        return function(*arguments)
    except ParseError:
        return None


def read_all(msg: Request | Response) -> None:
    for name in COMPUTE:
        if name in ("ruri", "uri") and not msg.is_request:
            continue
        value = quietly(getattr, msg, name)
        for item in value if isinstance(value, list) else [value]:
            for part in ("uri", "params", "tag", "q", "expires", "branch", "received", "rport"):
                if hasattr(type(item), part):
                    quietly(getattr, item, part)
    for name in ("Authorization", "WWW-Authenticate", "X-Any", "Subject"):
        value = quietly(msg.get, name)
        if value is not None:
            quietly(parse_auth, value)
    body = quietly(getattr, msg, "body")
    if body:
        quietly(parse_sdp, body)


def edit_all(rng: random.Random, msg: Request | Response, sound: bool) -> None:
    edits = Edits(msg)
    steps = [
        lambda: edits.set_max_forwards(rng.randrange(70)),
        lambda: edits.append_hf("X-New: 1", rng.choice((None, "Via", "To"))),
        lambda: edits.insert_hf("X-Top: 1"),
        lambda: edits.remove_hf(rng.choice(("Contact", "Via", "X-New", "Content-Length"))),
        lambda: edits.set_body(b"new body", "a/b"),
        lambda: edits.set_received("192.0.2.1", 5, rng.random() < 0.5),
    ]
    for step in rng.sample(steps, 3):
        quietly(step)
    quietly(splice, msg.raw, edits)
    assert (
        splice(msg.raw, [(first, last, msg.raw[first:last]) for first, last, _ in edits.items if first < last])
        == msg.raw
    )
    if isinstance(msg, Request):
        sent = quietly(build_forward, msg, "sip:x@y", b"Via: SIP/2.0/UDP me;branch=z9hG4bKq\r\n", edits)
        if sound:
            # Whatever came in, what goes out has our Via on top and can be read.
            assert isinstance(sent, bytes)
            assert parse(sent).via1_branch == "z9hG4bKq"
            assert check(parse(build_forward(msg, None, b"Via: SIP/2.0/UDP me;branch=z9hG4bKq\r\n"))) is None
    else:
        quietly(build_forward_reply, msg, edits)
        vias = quietly(getattr, msg, "vias")
        if sound and isinstance(vias, list) and len(vias) > 1:
            passed = parse(build_forward_reply(msg))
            assert [str(via) for via in passed.vias] == [str(via) for via in vias[1:]]


def build_all(msg: Request | Response) -> None:
    if isinstance(msg, Request):
        reply = quietly(build_reply, msg, 400, "Bad", "tt", b"", b"", b"s", "192.0.2.3", 5)
        if reply is not None:
            assert parse(reply).status == 400
            quietly(build_ack, msg, reply)
        quietly(build_cancel, msg)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_mutations(seed: int) -> None:
    rng = random.Random(seed)
    good = 0
    for _ in range(A_ROUND):
        raw = mutate(rng, rng.choice(CORPUS))
        peek_call_id(raw)
        quietly(Framer().feed, raw)
        sound = True
        try:
            msg = parse(raw)
        except ParseError as error:
            if error.partial is None:
                continue
            msg = error.partial
            sound = False
        sound = check(msg) is None and sound
        good += sound
        check(msg, deep=True)
        read_all(msg)
        edit_all(rng, msg, sound)
        build_all(msg)
    # The mutations must reach beyond the start line, or this test tells nothing.
    assert good > A_ROUND // 10


@pytest.mark.parametrize("seed", range(2))
def test_peek_agrees_with_parsing(seed: int) -> None:
    rng = random.Random(1000 + seed)
    for _ in range(A_ROUND):
        raw = mutate(rng, rng.choice(CORPUS))
        msg = quietly(parse, raw)
        if msg is None or check(msg) is not None:
            continue
        assert peek_call_id(raw) == msg.call_id.encode("utf-8", "surrogateescape")
