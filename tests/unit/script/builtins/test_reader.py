"""What scripts read most, without a module: requests, replies, what is malformed or absent."""
from __future__ import annotations

from typing import Any

import pytest
from kit.words import INVITE, RINGING

from osip.core.net.endpoint import LocalSocket, Source
from osip.core.run.ctx import ONREPLY, Ctx
from osip.core.run.env import Env
from osip.core.sip.message import parse
from osip.script.builtins import reader

SOURCE = Source(LocalSocket("udp", "10.0.0.9", 5060), "10.0.0.1", 5062)


def make_ctx(raw: bytes = INVITE, **changes: Any) -> Ctx:
    ctx = Ctx(Env(), parse(raw), SOURCE)
    for name, value in changes.items():
        setattr(ctx.target, name, value)
    return ctx


NAMES = ("ru", "ru_user", "ru_domain", "du", "from_uri", "from_user", "from_domain", "from_tag", "to_uri", "to_user",
         "to_domain", "to_tag", "method", "status", "call_id", "user_agent", "source_ip", "source_port")
OF_INVITE = {
    "ru": "sip:bob@example.com", "ru_user": "bob", "ru_domain": "example.com", "from_uri": "sip:alice@example.com",
    "from_user": "alice", "from_domain": "example.com", "from_tag": "a", "to_uri": "sip:bob@example.com",
    "to_user": "bob", "to_domain": "example.com", "method": "INVITE", "call_id": "c1", "source_ip": "10.0.0.1",
    "source_port": 5062}
OF_RINGING = {**OF_INVITE, "ru": None, "ru_user": None, "ru_domain": None, "to_tag": "b", "status": 180}


@pytest.mark.parametrize(("raw", "values"), [(INVITE, OF_INVITE), (RINGING, OF_RINGING)], ids=["request", "reply"])
def test_all_of_a_message(raw: bytes, values: dict[str, Any]) -> None:
    ctx = make_ctx(raw)
    assert {name: getattr(reader, name)(ctx) for name in NAMES} == {name: values.get(name) for name in NAMES}


@pytest.mark.parametrize(("name", "line", "value"), [
    ("from_user", b"From: <sip:example.com>;tag=a", None), ("from_domain", b"From: <tel:+1234>;tag=a", None),
    ("from_user", b"From: <tel:+1234>;tag=a", "+1234"), ("from_domain", b"From: <sip:[2001:DB8::1]>", "[2001:DB8::1]"),
    ("from_uri", b"From: <bad uri>;tag=a", "bad uri"), ("from_user", b"From: <bad uri>;tag=a", None),
    ("from_domain", b"From: <bad uri>;tag=a", None), ("from_uri", b'From: "x', None), ("from_tag", b'From: "x', None),
    ("from_user", b'From: "x', None), ("from_tag", b"From: <sip:a@b>", None), ("from_uri", b"X: y", None),
    ("user_agent", b"User-Agent: \t a b\t ", "a b"), ("user_agent", b"User-Agent: a\x00b", "a\x00b"),
    ("user_agent", b"User-Agent: a\r\nUser-Agent: b", "a"), ("user_agent", b"User-Agent: \r\n \r\n", ""),
    ("user_agent", b"User-Agent:  a b \r\n c", "a b c"), ("user_agent", b"user-agent:", ""),
    ("user_agent", b"User-Agent: \xc3\xa4", "\xe4")])
def test_unusual_lines(name: str, line: bytes, value: Any) -> None:
    raw = INVITE.replace(b"From: <sip:alice@example.com>;tag=a", line)
    assert getattr(reader, name)(make_ctx(raw)) == value


@pytest.mark.parametrize(("uri", "parts"), [
    ("sip:carol@[::1]:5070", ("carol", "[::1]")), ("sip:host.example", (None, "host.example")),
    ("nonsense", (None, None)), ("tel:+49", ("+49", None)), ("urn:service:sos", (None, None))])
def test_a_rewritten_ruri_is_what_counts(uri: str, parts: tuple[Any, ...]) -> None:
    ctx = make_ctx(uri=uri)
    for _ in range(2):                                  # the second answer comes from memory
        assert (reader.ru(ctx), reader.ru_user(ctx), reader.ru_domain(ctx)) == (uri, *parts)
    ctx.target.uri = "sip:dave@new.example"
    assert (reader.ru_user(ctx), reader.ru_domain(ctx)) == ("dave", "new.example")
    ctx.kind = ONREPLY
    assert (reader.ru(ctx), reader.ru_user(ctx)) == (None, None)


def test_no_source() -> None:
    ctx = Ctx(Env(), parse(INVITE), None)
    assert (reader.source_ip(ctx), reader.source_port(ctx)) == (None, None)


def test_is_myself_asks_the_worker() -> None:
    ctx = make_ctx()
    ctx.env.is_myself = lambda host, port: (host, port) == ("a", 0)
    assert reader.is_myself(ctx, "a") and reader.is_myself(ctx, "a", None) and not reader.is_myself(ctx, "a", 5)
